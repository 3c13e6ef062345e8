// A byte trie for common-prefix search: nodes in breadth-first order, so that the children of a node lie together.
#pragma once
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace transformers::tokenizers {

class PrefixTrie {
 public:
  /// Keys may come in any order; of equal keys the last wins. Empty keys are left out.
  void build(std::vector<std::pair<std::string_view, uint32_t>> keys);
  bool empty() const { return nodes_.size() <= 1; }
  /// Calls f(length, value) for every key that `s` begins with, shortest first.
  template <class F> void each_prefix(std::string_view s, F&& f) const {
    uint32_t at = 0;
    for (size_t i = 0; i < s.size(); ++i) {
      if ((at = child(at, static_cast<uint8_t>(s[i]))) == 0) return;
      if (nodes_[at].value != kNone) f(i + 1, nodes_[at].value);
    }
  }
  /// Longest key that `s` begins with; length 0 when none.
  std::pair<size_t, uint32_t> longest(std::string_view s) const {
    std::pair<size_t, uint32_t> best{0, 0};
    each_prefix(s, [&](size_t n, uint32_t v) { best = {n, v}; });
    return best;
  }
  /// Whether some key starts with this byte.
  bool starts(uint8_t byte) const { return !nodes_.empty() && root_[byte] != 0; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Node {
    uint32_t first = 0;  // first child
    uint16_t count = 0;
    uint8_t label = 0;
    uint32_t value = kNone;
  };
  uint32_t child(uint32_t at, uint8_t byte) const {
    if (at == 0) return nodes_.empty() ? 0 : root_[byte];
    const Node& n = nodes_[at];
    uint32_t low = n.first, high = n.first + n.count;
    while (high - low > 8) {
      const uint32_t middle = (low + high) / 2;
      (nodes_[middle].label <= byte ? low : high) = middle;
    }
    for (; low < high; ++low)
      if (nodes_[low].label == byte) return low;
    return 0;
  }
  std::vector<Node> nodes_;
  uint32_t root_[256] = {};
};

}  // namespace transformers::tokenizers
