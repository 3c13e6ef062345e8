// What a GGUF file says about its tokenizer: the tokenizer.ggml.* keys. io fills it, tokenizers build from it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace transformers {

/// The vocabulary of a GGUF file. Lists that the file lacks are empty; all lists that are present have tokens.size()
/// entries, except merges.
struct GgufVocabulary {
  std::string architecture;             ///< general.architecture: "llama", "bert", ...
  std::string model;                    ///< tokenizer.ggml.model: "llama" (SentencePiece), "gpt2" (byte BPE), "bert", "t5", ...
  std::string pre;                      ///< tokenizer.ggml.pre: the pre-tokenizer's name, may be empty.
  std::vector<std::string> tokens;      ///< Text of each id.
  std::vector<float> scores;            ///< SentencePiece scores.
  std::vector<int32_t> token_type;      ///< 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte.
  std::vector<std::string> merges;      ///< "left right" by rank.
  std::optional<int64_t> bos_id, eos_id, unk_id, sep_id, pad_id, cls_id, mask_id;
  std::optional<bool> add_bos, add_eos, add_space_prefix;
  std::string chat_template;            ///< Empty when the file has none.
};

}  // namespace transformers
