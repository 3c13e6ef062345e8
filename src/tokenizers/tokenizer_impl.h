// What a PreTrainedTokenizer handle shares: the engine, the settings of tokenizer_config.json, the special tokens' names.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tokenizers/core/engine.h"
#include "transformers/json.h"
#include "transformers/tokenizer.h"

namespace transformers::tokenizers {

struct TokenizerImpl {
  Engine engine;
  Json config = Json::object();
  std::string class_name = "PreTrainedTokenizerFast";
  std::vector<std::pair<std::string, std::string>> named;  ///< "bos_token" -> "<s>", in the reference's order.
  std::vector<std::string> additional;                     ///< additional_special_tokens.
  Side padding_side = Side::right, truncation_side = Side::right;
  int64_t model_max_length = -1;                           ///< -1: unlimited.
  int64_t pad_token_type_id = 0;
  bool clean_up = false, split_special_tokens = false;
  std::vector<std::string> model_input_names = {"input_ids", "token_type_ids", "attention_mask"};
  std::map<std::string, std::string> chat_templates;
  std::string refuses_words;             ///< Why; empty: words are taken.

  std::string (*finish_decode)(std::string) = nullptr;  ///< What a class does to decoded text.
  std::string src_lang, tgt_lang;        ///< Of translation models.

  const std::string* find_special(std::string_view name) const;
  void set_special(std::string_view name, const std::string& token);
};

/// Names of special tokens that every tokenizer may have, in the reference's order.
extern const char* const kSpecialNames[7];


}  // namespace transformers::tokenizers
