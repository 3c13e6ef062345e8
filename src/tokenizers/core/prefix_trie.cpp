// See prefix_trie.h.
#include "tokenizers/core/prefix_trie.h"

#include <algorithm>

namespace transformers::tokenizers {

void PrefixTrie::build(std::vector<std::pair<std::string_view, uint32_t>> keys) {
  std::stable_sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  struct Range { size_t begin, end, depth; uint32_t node; };
  nodes_.assign(1, Node{});
  std::fill(std::begin(root_), std::end(root_), 0u);
  std::vector<Range> queue{{0, keys.size(), 0, 0}};
  for (size_t q = 0; q < queue.size(); ++q) {
    const Range r = queue[q];
    size_t i = r.begin;
    for (; i < r.end && keys[i].first.size() == r.depth; ++i)
      if (r.depth > 0) nodes_[r.node].value = keys[i].second;
    const auto first = static_cast<uint32_t>(nodes_.size());
    while (i < r.end) {
      const auto label = static_cast<uint8_t>(keys[i].first[r.depth]);
      size_t end = i + 1;
      while (end < r.end && static_cast<uint8_t>(keys[end].first[r.depth]) == label) ++end;
      const auto node = static_cast<uint32_t>(nodes_.size());
      nodes_.push_back({0, 0, label, kNone});
      if (r.node == 0) root_[label] = node;
      queue.push_back({i, end, r.depth + 1, node});
      i = end;
    }
    nodes_[r.node].first = first;
    nodes_[r.node].count = static_cast<uint16_t>(nodes_.size() - first);
  }
}

}  // namespace transformers::tokenizers
