// See added_vocabulary.h.
#include "tokenizers/core/added_vocabulary.h"

#include <algorithm>

#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {

int64_t AddedVocabulary::add(const std::vector<AddedToken>& tokens, const Model& model, const Normalizer* normalizer) {
  for (const AddedToken& t : tokens)
    if (t.special && !t.content.empty() && specials_.insert(t.content).second) special_order_.push_back(t.content);
  int64_t added = 0;
  for (const AddedToken& t : tokens) {
    if (t.content.empty() || ids_.count(t.content)) continue;
    if (!valid_utf8(t.content)) throw TokenizerError({"added token: not UTF-8"});
    int64_t id = model.token_to_id(t.content);
    const auto size = static_cast<int64_t>(model.vocab_size());
    if (id < 0) id = highest_ < 0 ? size : highest_ >= size || size == 0 ? highest_ + 1 : size;
    ids_[t.content] = id;
    tokens_[id] = t;
    highest_ = std::max(highest_, id);
    ++added;
    if (!specials_.count(t.content)) order_.push_back(t.content);
  }
  refresh(normalizer);
  return added;
}

void AddedVocabulary::refresh(const Normalizer* normalizer) {
  std::vector<std::pair<std::string_view, uint32_t>> raw, normalized;
  std::vector<std::string> texts;
  texts.reserve(order_.size() + special_order_.size());
  raw_rules_.clear(), normalized_rules_.clear();
  const auto take = [&](const std::string& content) {
    const auto it = ids_.find(content);
    if (it == ids_.end()) return;
    const AddedToken& t = tokens_.at(it->second);
    const Rule rule{it->second, t.single_word, t.lstrip, t.rstrip, specials_.count(content) != 0};
    if (!t.normalized) {
      raw.emplace_back(it->first, static_cast<uint32_t>(raw_rules_.size()));
      raw_rules_.push_back(rule);
      return;
    }
    TrackedText text(content, 0, false);
    if (normalizer) normalizer->normalize(text);
    texts.emplace_back(text.text());
    normalized.emplace_back(texts.back(), static_cast<uint32_t>(normalized_rules_.size()));
    normalized_rules_.push_back(rule);
  };
  for (const std::string& s : special_order_) take(s);
  for (const std::string& s : order_)
    if (!specials_.count(s)) take(s);
  // Of equal patterns the first counts; the trie keeps the last.
  std::reverse(raw.begin(), raw.end());
  std::reverse(normalized.begin(), normalized.end());
  raw_trie_.build(std::move(raw));
  normalized_trie_.build(std::move(normalized));
}

static bool space_before(std::string_view s, size_t at, size_t& begin) {
  if (at == 0) return false;
  begin = at - 1;
  while (begin > 0 && is_continuation(s[begin])) --begin;
  return is_whitespace(first_char(s.substr(begin)));
}

void AddedVocabulary::split(std::string_view s, bool normalized, bool skip_special, std::vector<Piece>& out) const {
  const PrefixTrie& trie = normalized ? normalized_trie_ : raw_trie_;
  const std::vector<Rule>& rules = normalized ? normalized_rules_ : raw_rules_;
  size_t done = 0;  // text up to here is given out
  const auto piece = [&](size_t begin, size_t end, int64_t id) {
    out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end), id});
  };
  for (size_t i = 0; !trie.empty() && i < s.size();) {
    if (!trie.starts(static_cast<uint8_t>(s[i]))) { ++i; continue; }
    const auto [length, index] = trie.longest(s.substr(i));
    if (length == 0) { ++i; continue; }
    const Rule& rule = rules[index];
    size_t begin = i, end = i + length;
    i = end;
    if (skip_special && rule.special) continue;
    if (rule.single_word) {
      const bool left = begin > 0 && is_word(last_char(s.substr(0, begin))), right = end < s.size() && is_word(first_char(s.substr(end)));
      if (left || right) continue;
    }
    if (rule.lstrip) {
      for (size_t b; begin > done && space_before(s, begin, b);) begin = b;
      begin = std::max(begin, done);
    }
    if (rule.rstrip)
      while (end < s.size()) {
        const char* p = s.data() + end;
        if (!is_whitespace(next_char(p, s.data() + s.size()))) break;
        end = static_cast<size_t>(p - s.data());
      }
    if (done < begin) piece(done, begin, -1);
    if (begin < end) piece(begin, end, rule.id);  // may lie in spaces that the token before took, as in the reference
    done = end;
  }
  if (done < s.size()) piece(done, s.size(), -1);
}

int64_t AddedVocabulary::id(std::string_view token) const {
  const auto it = ids_.find(std::string(token));
  return it == ids_.end() ? -1 : it->second;
}
const AddedToken* AddedVocabulary::token(int64_t id) const {
  const auto it = tokens_.find(id);
  return it == tokens_.end() ? nullptr : &it->second;
}
const std::vector<std::pair<int64_t, AddedToken>> AddedVocabulary::sorted() const {
  std::vector<std::pair<int64_t, AddedToken>> all(tokens_.begin(), tokens_.end());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [id, t] : all) t.special = specials_.count(t.content) != 0;
  return all;
}

}  // namespace transformers::tokenizers
