// SentencePiece models (.model files): their own normalizer, the four model types, decoding (Kudo and Richardson 2018;
// github.com/google/sentencepiece 0.2). Used by itself and to build tokenizers from folders without tokenizer.json.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/core/prefix_trie.h"
#include "tokenizers/core/vocabulary.h"
#include "tokenizers/normalizers/char_trie.h"

namespace transformers::tokenizers {

class SentencePiece {
 public:
  enum class Type : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  enum class Kind : uint8_t { unigram = 1, bpe = 2, word = 3, character = 4 };
  struct Piece {
    std::string text;
    float score = 0;
    Type type = Type::normal;
  };
  /// What the file holds; also made by hand (GGUF).
  struct Spec {
    std::vector<Piece> pieces;
    Kind kind = Kind::unigram;
    bool byte_fallback = false, treat_whitespace_as_suffix = false;
    bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
    std::string charsmap, unk_surface = " \xe2\x81\x87 ", unk_piece = "<unk>", normalizer_name;
    int64_t unk_id = 0, bos_id = 1, eos_id = 2, pad_id = -1;
  };
  /// Reads a .model file's bytes. Throws TokenizerError.
  static Spec read(std::string_view bytes);
  explicit SentencePiece(Spec spec);

  struct Output {
    std::string piece;
    int64_t id;
  };
  std::vector<Output> encode(std::string_view text) const;
  std::vector<int64_t> encode_ids(std::string_view text) const;
  std::string decode(const std::vector<int64_t>& ids) const;
  std::string decode_pieces(const std::vector<std::string>& pieces) const;
  std::string normalize(std::string_view text) const;

  int64_t size() const { return static_cast<int64_t>(spec_.pieces.size()); }
  /// unk_id for an unknown piece.
  int64_t piece_to_id(std::string_view piece) const;
  const Piece& piece(int64_t id) const;  ///< Throws TokenizerError when out of range.
  const Spec& spec() const { return spec_; }

 private:
  struct Part { std::string_view text; int64_t id; };
  std::pair<std::string_view, size_t> normalize_prefix(std::string_view s) const;
  size_t symbol_length(std::string_view s, bool& frozen) const;
  void encode_unigram(std::string_view s, std::vector<Part>& out) const;
  void encode_bpe(std::string_view s, std::vector<Part>& out) const;
  void encode_chars(std::string_view s, std::vector<Part>& out) const;
  void encode_words(std::string_view s, std::vector<Part>& out) const;
  std::string decode_outputs(const std::vector<Output>& pieces) const;

  Spec spec_;
  Vocabulary pieces_;       // normal, user-defined and unused pieces
  Vocabulary reserved_;     // the others
  PrefixTrie trie_;         // pieces_
  PrefixTrie user_defined_;
  CharTrie chars_;
  float min_score_ = 0, max_score_ = 0;
  int64_t byte_ids_[256];
};

}  // namespace transformers::tokenizers
