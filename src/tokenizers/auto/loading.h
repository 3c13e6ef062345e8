// Loading a tokenizer from a folder: which class it is, what the class sets, how the engine is built.
#pragma once
#include <optional>
#include <string>

#include "tokenizers/tokenizer_impl.h"

namespace transformers::tokenizers {

/// A folder, or contents without one.
struct Source {
  std::string dir;
  Json config = Json::object();  ///< tokenizer_config.json
  std::string path(std::string_view name) const;
  bool has(std::string_view name) const;
};

/// Class name without "Tokenizer" and "Fast": "Bert", "Llama", "PreTrained".
std::string class_base(std::string_view class_name);

/// Special tokens, sides, input names from the class and tokenizer_config.json. `added` holds added_tokens_decoder.
void apply_config(TokenizerImpl& t, const Source& source, const std::string& base);
/// Adds the tokens of added_tokens_decoder, added_tokens.json and the special tokens that the vocabulary lacks.
void add_config_tokens(TokenizerImpl& t, const Source& source);
/// What a class changes after loading: post-processor of Llama, normalizer of BERT, language prefix of MBart, ...
void finish_class(TokenizerImpl& t, const std::string& base);
/// Puts the codes of a language around texts.
void set_language(TokenizerImpl& t, const std::string& base, const std::string& language, bool target);
/// Without white space at both ends, as Python's str.strip().
std::string stripped(const std::string& s);
/// Builds the engine from vocabulary files. Throws UnsupportedError for a class that is not known here.
void load_classic(TokenizerImpl& t, const Source& source, const std::string& base);

/// {"SpecialToken": ...} template from words: "<s>:0 $A:0 </s>:0". Ids come from the engine.
Json template_json(const Engine& engine, const std::string& single, const std::string& pair, const std::vector<std::string>& tokens);

}  // namespace transformers::tokenizers
