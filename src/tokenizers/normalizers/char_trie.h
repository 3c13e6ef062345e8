// SentencePiece's precompiled character map: a double-array trie (darts-clone) over UTF-8 prefixes and the block of
// replacement strings, each ended by a zero byte.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace transformers::tokenizers {

class CharTrie {
 public:
  CharTrie() = default;
  /// From the binary map. Throws TokenizerError when it is damaged.
  explicit CharTrie(std::string_view blob);
  bool empty() const { return units_.empty(); }
  struct Hit {
    size_t length = 0;  ///< Bytes matched; 0: none.
    std::string_view replacement;
  };
  /// Longest or shortest key that is a prefix of `s`.
  Hit longest(std::string_view s) const { return find(s, false); }
  Hit shortest(std::string_view s) const { return find(s, true); }

 private:
  Hit find(std::string_view s, bool first) const;
  std::vector<uint32_t> units_;
  std::string strings_;
};

/// Decodes base64. Throws TokenizerError.
std::string decode_base64(std::string_view s);

}  // namespace transformers::tokenizers
