// The small normalizers: Strip, StripAccents, Lowercase, Uppercase, Nmt, Prepend, ByteLevel.
#include "tokenizers/chat_template/text.h"
#include "tokenizers/normalizers/char_map.h"

namespace transformers::tokenizers {

void lowercase(TrackedText& text) {
  const std::string_view s = text.text();
  bool special = false;
  for (size_t i = 0; (i = s.find("\xc4\xb0", i)) != std::string_view::npos; ++i) special = true;
  if (!special) return map_chars(text, [](uint32_t c) { return to_lower_simple(c); });
  Rewriter out(text);
  for (const char *p = s.data(), *end = p + s.size(); p < end;) {
    const size_t at = static_cast<size_t>(p - s.data());
    uint32_t lower[3];
    const int n = to_lower(next_char(p, end), lower);
    for (int i = 0; i < n; ++i) out.put_like(lower[i], at);
  }
  out.commit(text);
}

void prepend(TrackedText& text, std::string_view s) {
  if (text.text().empty()) return;
  Rewriter out(text);
  out.reserve(text.text().size() + s.size());
  out.put_like(s, 0);
  out.keep(0, text.text().size());
  out.commit(text);
}

class StripNormalizer : public Normalizer {
 public:
  explicit StripNormalizer(const Json& json) : left_(json.get("strip_left", true)), right_(json.get("strip_right", true)) {}
  void normalize(TrackedText& text) const override {
    const std::string_view s = text.text();
    size_t begin = 0, end = s.size();
    while (left_ && begin < end) {
      const char* p = s.data() + begin;
      if (!is_whitespace(next_char(p, s.data() + end))) break;
      begin = static_cast<size_t>(p - s.data());
    }
    while (right_ && end > begin) {
      size_t i = end - 1;
      while (i > begin && is_continuation(s[i])) --i;
      if (!is_whitespace(first_char(s.substr(i)))) break;
      end = i;
    }
    if (begin == 0 && end == s.size()) return;
    Rewriter out(text);
    out.keep(begin, end);
    out.commit(text);
  }

 private:
  bool left_, right_;
};

class StripAccents : public Normalizer {
  void normalize(TrackedText& text) const override {
    map_chars(text, [](uint32_t c) { return is_mark(c) ? kDrop : c; });
  }
};

class Lowercase : public Normalizer {
  void normalize(TrackedText& text) const override { lowercase(text); }
};

/// Not a type of tokenizer.json elsewhere: what Wav2Vec2CTCTokenizer does with do_lower_case.
class Uppercase : public Normalizer {
  void normalize(TrackedText& text) const override {
    const std::string_view s = text.text();
    Rewriter out(text);
    for (const char *p = s.data(), *end = p + s.size(); p < end;) {
      const size_t at = static_cast<size_t>(p - s.data());
      out.put_like(jinja::upper(to_utf8(next_char(p, end))), at);
    }
    out.commit(text);
  }
};

class Nmt : public Normalizer {
  void normalize(TrackedText& text) const override {
    map_chars(text, [](uint32_t c) -> uint32_t {
      if ((c >= 1 && c <= 8) || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f) return kDrop;
      if (c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 || (c >= 0x200b && c <= 0x200f) || c == 0x2028 ||
          c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd)
        return ' ';
      return c;
    });
  }
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(const Json& json) : text_(json.at("prepend").as_string()) {}
  void normalize(TrackedText& text) const override { prepend(text, text_); }

 private:
  std::string text_;
};

class ByteLevelNormalizer : public Normalizer {
  void normalize(TrackedText& text) const override {
    const std::string_view s = text.text();
    Rewriter out(text);
    out.reserve(s.size() + s.size() / 2);
    for (size_t i = 0; i < s.size(); ++i) out.put_like(byte_to_char(static_cast<uint8_t>(s[i])), i);
    out.commit(text);
  }
};

NormalizerPtr make_strip_normalizer(const Json& json) { return std::make_shared<StripNormalizer>(json); }
NormalizerPtr make_strip_accents_normalizer() { return std::make_shared<StripAccents>(); }
NormalizerPtr make_lowercase_normalizer() { return std::make_shared<Lowercase>(); }
NormalizerPtr make_uppercase_normalizer() { return std::make_shared<Uppercase>(); }
NormalizerPtr make_nmt_normalizer() { return std::make_shared<Nmt>(); }
NormalizerPtr make_prepend_normalizer(const Json& json) { return std::make_shared<Prepend>(json); }
NormalizerPtr make_byte_level_normalizer() { return std::make_shared<ByteLevelNormalizer>(); }

}  // namespace transformers::tokenizers
