// Precompiled: SentencePiece's character map, applied to grapheme clusters as the reference does (crate spm_precompiled).
#include <cstring>

#include "tokenizers/normalizers/char_trie.h"
#include "tokenizers/normalizers/normalizer.h"
#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {

CharTrie::CharTrie(std::string_view blob) {
  if (blob.empty()) return;
  uint32_t bytes = 0;
  if (blob.size() < 4) throw TokenizerError({"precompiled_charsmap: shorter than its header"});
  std::memcpy(&bytes, blob.data(), 4);
  if (bytes > blob.size() - 4 || bytes % 4 != 0 || bytes == 0)
    throw TokenizerError({"precompiled_charsmap: the trie takes ", bytes, " of ", static_cast<uint64_t>(blob.size() - 4), " bytes"});
  units_.resize(bytes / 4);
  std::memcpy(units_.data(), blob.data() + 4, bytes);
  strings_ = blob.substr(4 + bytes);
}

CharTrie::Hit CharTrie::find(std::string_view s, bool first) const {
  Hit hit;
  if (units_.empty()) return hit;
  const auto offset = [](uint32_t unit) { return static_cast<size_t>(unit >> 10) << ((unit & (1u << 9)) >> 6); };
  size_t at = offset(units_[0]);
  for (size_t i = 0; i < s.size() && s[i]; ++i) {
    const auto c = static_cast<unsigned char>(s[i]);
    at ^= c;
    if (at >= units_.size()) break;
    const uint32_t unit = units_[at];
    if ((unit & (1u << 31 | 0xff)) != c) break;
    at ^= offset(unit);
    if (unit >> 8 & 1) {
      if (at >= units_.size()) break;
      const size_t value = units_[at] & 0x7fffffffu;
      if (value > strings_.size()) break;
      hit.length = i + 1;
      const char* text = strings_.data() + value;
      hit.replacement = {text, strnlen(text, strings_.size() - value)};
      if (first) break;
    }
  }
  return hit;
}

std::string decode_base64(std::string_view s) {
  std::string out;
  out.reserve(s.size() * 3 / 4);
  uint32_t bits = 0;
  int count = 0;
  for (char ch : s) {
    int v;
    if (ch >= 'A' && ch <= 'Z') v = ch - 'A';
    else if (ch >= 'a' && ch <= 'z') v = ch - 'a' + 26;
    else if (ch >= '0' && ch <= '9') v = ch - '0' + 52;
    else if (ch == '+') v = 62;
    else if (ch == '/') v = 63;
    else if (ch == '=' || ch == '\n' || ch == '\r') continue;
    else throw TokenizerError({"base64: unexpected character"});
    bits = bits << 6 | static_cast<uint32_t>(v);
    if ((count += 6) >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xff);
  }
  return out;
}

class Precompiled : public Normalizer {
 public:
  explicit Precompiled(const Json& json) : trie_(decode_base64(json.get("precompiled_charsmap", ""))) {}

  void normalize(TrackedText& text) const override {
    const std::string_view s = text.text();
    std::vector<TrackedText::Change> changes;
    changes.reserve(s.size());
    bool modified = false;
    for (size_t begin = 0; begin < s.size();) {
      const size_t end = cluster_end(s, begin);
      if (end - begin < 6) {
        const auto hit = trie_.shortest(s.substr(begin, end - begin));
        if (hit.length && valid_utf8(hit.replacement)) {
          modified = true;
          replace(changes, s.substr(begin, end - begin), hit.replacement);
          begin = end;
          continue;
        }
      }
      while (begin < end) {
        const size_t n = std::min<size_t>(utf8_length(static_cast<unsigned char>(s[begin])), end - begin);
        const auto hit = trie_.shortest(s.substr(begin, n));
        if (hit.length && valid_utf8(hit.replacement)) {
          modified = true;
          replace(changes, s.substr(begin, n), hit.replacement);
        } else {
          changes.push_back({first_char(s.substr(begin)), 0});
        }
        begin += n;
      }
    }
    if (modified) text.transform(changes);
  }

 private:
  static size_t cluster_end(std::string_view s, size_t begin) {
    const char *p = s.data() + begin, *end = s.data() + s.size();
    uint32_t a = next_char(p, end);
    int state = 0;
    while (p < end) {
      const char* q = p;
      if (a < 0x80 && static_cast<unsigned char>(*p) < 0x80 && !(a == '\r' && *p == '\n')) break;
      const uint32_t b = next_char(q, end);
      if (grapheme_break(a, b, state)) break;
      a = b, p = q;
    }
    return static_cast<size_t>(p - s.data());
  }
  // New characters stand for the old one by one; the surplus is inserted, what is missing is dropped at the last.
  static void replace(std::vector<TrackedText::Change>& changes, std::string_view before, std::string_view after) {
    const auto old_count = static_cast<int64_t>(count_chars(before)), new_count = static_cast<int64_t>(count_chars(after));
    for (const char *p = after.data(), *end = p + after.size(); p < end;) changes.push_back({next_char(p, end), 0});
    const int64_t diff = new_count - old_count;
    for (int64_t i = 0; i < diff; ++i) changes[changes.size() - 1 - static_cast<size_t>(i)].change = 1;
    if (diff < 0 && !changes.empty()) changes.back().change += static_cast<int>(diff);
  }
  CharTrie trie_;
};

NormalizerPtr make_precompiled_normalizer(const Json& json) { return std::make_shared<Precompiled>(json); }

}  // namespace transformers::tokenizers
