// Models of tokenizer.json: turn a word into tokens. A file per type.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/core/vocabulary.h"
#include "transformers/json.h"

namespace transformers::tokenizers {

/// A token and the bytes of the word that it covers.
struct Token {
  uint32_t id, begin, end;
};

class Model {
 public:
  virtual ~Model() = default;
  /// Appends the tokens of a word. Throws TokenizerError when the word has an unknown part and there is no unk token.
  virtual void tokenize(std::string_view word, std::vector<Token>& out) const = 0;
  /// The same for a word that is bytes, each standing for a byte-level character (only if takes_raw_bytes()).
  virtual void tokenize_raw(std::string_view bytes, std::vector<Token>& out) const { tokenize(bytes, out); }
  virtual bool takes_raw_bytes() const { return false; }
  /// Id whose tokens show the text they stand for instead of their name (Unigram's unknown pieces); -1: none.
  virtual int64_t text_shown_id() const { return -1; }
  virtual int64_t token_to_id(std::string_view token) const { return vocab_.find(token); }
  virtual std::string_view id_to_token(uint32_t id) const { return vocab_.token(id); }  ///< data() nullptr: none.
  virtual size_t vocab_size() const { return vocab_.size(); }
  const Vocabulary& vocabulary() const { return vocab_; }
  /// Appends the model's JSON, as tokenizer.json writes it.
  virtual Json to_json() const = 0;

 protected:
  Vocabulary vocab_;
};
using ModelPtr = std::shared_ptr<const Model>;

struct BpeOptions {
  double dropout = 0;
  std::string unk_token, continuing_subword_prefix, end_of_word_suffix;
  bool has_unk = false, fuse_unk = false, byte_fallback = false, ignore_merges = false;
};
struct BpeMerge {
  std::string_view left, right;
};
/// Throws TokenizerError when a merge names a token that is not there. Ranks are the positions of the merges.
ModelPtr make_bpe(Vocabulary vocab, const std::vector<BpeMerge>& merges, const BpeOptions& options);
ModelPtr make_word_piece(Vocabulary vocab, std::string unk_token, std::string prefix, size_t max_input_chars_per_word);
ModelPtr make_word_level(Vocabulary vocab, std::string unk_token);
/// unk_id < 0: none.
ModelPtr make_unigram(std::vector<std::pair<std::string, double>> pieces, int64_t unk_id, bool byte_fallback);

}  // namespace transformers::tokenizers
