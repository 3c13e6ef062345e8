// Operations on Encoding: joining, cutting, filling up (tokenizer/encoding.rs, utils/{truncation,padding}.rs of the
// reference). `detailed` vectors (tokens, offsets, word_ids) are empty when nobody asked for them.
#pragma once
#include "transformers/tokenizer.h"

namespace transformers::tokenizers {

struct Truncation {
  int64_t max_length = 0, stride = 0;
  TruncationStrategy strategy = TruncationStrategy::longest_first;
  Side side = Side::right;
};
struct Padding {
  PaddingStrategy strategy = PaddingStrategy::longest;  ///< max_length: to `length`.
  int64_t length = 0, multiple = 0;
  Side side = Side::right;
  int64_t id = 0, type_id = 0;
  std::string token = "[PAD]";
};

/// An encoding of special tokens.
Encoding special_encoding(const std::vector<int64_t>& ids, const std::vector<std::string>& tokens, int64_t type_id, bool detailed);
void set_sequence_id(Encoding& e, int64_t id);
void set_type_id(Encoding& e, int64_t id);
/// Appends `other`, and combines the overflowing pieces of both.
void merge_encoding(Encoding& e, const Encoding& other);
/// Cuts to `length` tokens; the rest goes to `overflowing`, pieces sharing `stride` tokens. Throws TokenizerError.
void truncate_encoding(Encoding& e, int64_t length, int64_t stride, Side side);
/// Throws TokenizerError when the strategy cannot reach the length.
void truncate_pair(Encoding& first, Encoding* second, const Truncation& t);
void pad_encoding(Encoding& e, int64_t length, const Padding& p);
void pad_batch(std::vector<Encoding>& batch, const Padding& p);

}  // namespace transformers::tokenizers
