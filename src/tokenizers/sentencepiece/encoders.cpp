// The four ways SentencePiece cuts normalized text into pieces.
#include <algorithm>

#include "tokenizers/sentencepiece/sentencepiece.h"
#include "tokenizers/text/unicode.h"

namespace transformers::tokenizers {

static constexpr std::string_view kSpace = "\xe2\x96\x81";

// A user-defined symbol (frozen) or one character.
size_t SentencePiece::symbol_length(std::string_view s, bool& frozen) const {
  const size_t n = user_defined_.longest(s).first;
  frozen = n > 0;
  return frozen ? n : std::min<size_t>(utf8_length(static_cast<unsigned char>(s[0])), s.size());
}

void SentencePiece::encode_unigram(std::string_view s, std::vector<Part>& out) const {
  struct Node { float score; uint32_t id, start; };
  constexpr uint32_t none = UINT32_MAX;
  std::vector<Node> best(s.size() + 1, {0, 0, none});
  const float unk_score = min_score_ - 10.0f;
  for (size_t at = 0; at < s.size();) {
    const float here = best[at].score;
    const size_t n = std::min<size_t>(utf8_length(static_cast<unsigned char>(s[at])), s.size() - at);
    bool single = false;
    const auto offer = [&](size_t length, uint32_t id, float score) {
      Node& target = best[at + length];
      if (target.start == none || score > target.score) target = {score, id, static_cast<uint32_t>(at)};
    };
    trie_.each_prefix(s.substr(at), [&](size_t length, uint32_t id) {
      const Piece& p = spec_.pieces[id];
      if (p.type == Type::unused) return;
      const float score = p.type == Type::user_defined ? static_cast<float>(length) * max_score_ - 0.1f : p.score;
      offer(length, id, score + here);
      single |= length == n;
    });
    if (!single) offer(n, static_cast<uint32_t>(spec_.unk_id), unk_score + here);
    at += n;
  }
  for (size_t end = s.size(); end > 0;) {
    const Node& node = best[end];
    out.push_back({s.substr(node.start, end - node.start), node.id});
    end = node.start;
  }
  std::reverse(out.begin(), out.end());
}

void SentencePiece::encode_chars(std::string_view s, std::vector<Part>& out) const {
  while (!s.empty()) {
    bool frozen;
    const size_t n = symbol_length(s, frozen);
    out.push_back({s.substr(0, n), piece_to_id(s.substr(0, n))});
    s.remove_prefix(n);
  }
}

void SentencePiece::encode_words(std::string_view s, std::vector<Part>& out) const {
  size_t begin = 0;
  const auto word = [&](size_t end) {
    if (end > begin) out.push_back({s.substr(begin, end - begin), piece_to_id(s.substr(begin, end - begin))});
    begin = end;
  };
  for (size_t at = s.find(kSpace); at != std::string_view::npos; at = s.find(kSpace, at + kSpace.size()))
    word(spec_.treat_whitespace_as_suffix ? at + kSpace.size() : at);
  word(s.size());
}

void SentencePiece::encode_bpe(std::string_view s, std::vector<Part>& out) const {
  struct Symbol { int64_t previous, next; uint32_t begin, length; bool frozen; };
  struct Candidate {
    float score;
    uint32_t left, right, length;
    bool operator<(const Candidate& o) const { return score < o.score || (score == o.score && left > o.left); }
  };
  std::vector<Symbol> symbols;
  for (size_t i = 0; i < s.size();) {
    bool frozen;
    const size_t n = symbol_length(s.substr(i), frozen);
    const auto k = static_cast<int64_t>(symbols.size());
    symbols.push_back({k - 1, i + n < s.size() ? k + 1 : -1, static_cast<uint32_t>(i), static_cast<uint32_t>(n), frozen});
    i += n;
  }
  std::vector<Candidate> heap;
  // Unused pieces take part in merging, and are cut again at the end into what they were merged from.
  std::unordered_map<std::string_view, std::pair<std::string_view, std::string_view>> undo;
  const auto text = [&](const Symbol& x) { return s.substr(x.begin, x.length); };
  const auto offer = [&](int64_t left, int64_t right) {
    if (left < 0 || right < 0 || symbols[left].frozen || symbols[right].frozen) return;
    const std::string_view both = s.substr(symbols[left].begin, symbols[left].length + symbols[right].length);
    if (both.size() > pieces_.longest()) return;
    const int64_t id = pieces_.find(both);
    if (id < 0) return;
    heap.push_back({spec_.pieces[id].score, static_cast<uint32_t>(left), static_cast<uint32_t>(right), static_cast<uint32_t>(both.size())});
    std::push_heap(heap.begin(), heap.end());
    if (spec_.pieces[id].type == Type::unused) undo[both] = {text(symbols[left]), text(symbols[right])};
  };
  for (size_t i = 1; i < symbols.size(); ++i) offer(static_cast<int64_t>(i) - 1, static_cast<int64_t>(i));
  while (!heap.empty()) {
    const Candidate top = heap.front();
    std::pop_heap(heap.begin(), heap.end());
    heap.pop_back();
    Symbol &left = symbols[top.left], &right = symbols[top.right];
    if (!left.length || !right.length || left.length + right.length != top.length) continue;
    left.length += right.length;
    left.next = right.next;
    if (right.next >= 0) symbols[right.next].previous = top.left;
    right.length = 0;
    offer(left.previous, top.left);
    offer(top.left, left.next);
  }
  const auto give = [&](auto&& self, std::string_view w, int depth) -> void {
    const int64_t id = piece_to_id(w);
    if (spec_.pieces[id].type == Type::unused && depth < 1000)
      if (const auto it = undo.find(w); it != undo.end()) {
        self(self, it->second.first, depth + 1);
        return self(self, it->second.second, depth + 1);
      }
    out.push_back({w, id});
  };
  for (int64_t i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[i].next) give(give, text(symbols[i]), 0);
}

}  // namespace transformers::tokenizers
