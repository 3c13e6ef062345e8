// Added tokens: cut out of the text before (or after) normalization (tokenizer/added_vocabulary.rs of the reference).
#pragma once
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tokenizers/core/prefix_trie.h"
#include "tokenizers/models/model.h"
#include "tokenizers/normalizers/normalizer.h"
#include "transformers/tokenizer.h"

namespace transformers::tokenizers {

class AddedVocabulary {
 public:
  struct Piece {
    uint32_t begin, end;
    int64_t id;  ///< -1: text between tokens.
  };
  /// Adds tokens, giving ids behind the model's vocabulary to unknown ones; returns how many were new.
  int64_t add(const std::vector<AddedToken>& tokens, const Model& model, const Normalizer* normalizer);
  /// Cuts `text` at the tokens that match it as it is (normalized false) or after normalization (true).
  void split(std::string_view text, bool normalized, bool skip_special, std::vector<Piece>& out) const;
  bool any(bool normalized) const { return !(normalized ? normalized_trie_ : raw_trie_).empty(); }

  int64_t id(std::string_view token) const;                ///< -1: not an added token.
  const AddedToken* token(int64_t id) const;               ///< nullptr: not an added token.
  bool is_special(std::string_view token) const { return specials_.count(std::string(token)) != 0; }
  const std::vector<std::pair<int64_t, AddedToken>> sorted() const;  ///< By id.
  size_t size() const { return ids_.size(); }
  int64_t highest() const { return highest_; }

 private:
  void refresh(const Normalizer* normalizer);
  std::unordered_map<std::string, int64_t> ids_;
  std::unordered_map<int64_t, AddedToken> tokens_;
  std::unordered_set<std::string> specials_;
  std::vector<std::string> order_;  // special ones first, as they were added
  std::vector<std::string> special_order_;
  PrefixTrie raw_trie_, normalized_trie_;  // values: index into rules
  struct Rule { int64_t id; bool single_word, lstrip, rstrip, special; };
  std::vector<Rule> raw_rules_, normalized_rules_;
  int64_t highest_ = -1;
};

}  // namespace transformers::tokenizers
