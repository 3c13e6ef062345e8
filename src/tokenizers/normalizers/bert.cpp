// BertNormalizer: cleans control characters, isolates CJK ideographs, strips accents, lowercases.
#include "tokenizers/normalizers/char_map.h"

namespace transformers::tokenizers {

class BertNormalizer : public Normalizer {
 public:
  explicit BertNormalizer(const Json& json)
      : clean_text_(json.get("clean_text", true)), chinese_(json.get("handle_chinese_chars", true)),
        lowercase_(json.get("lowercase", true)), strip_accents_(json.get("strip_accents", lowercase_)) {}

  void normalize(TrackedText& text) const override {
    if (clean_text_)
      map_chars(text, [](uint32_t c) -> uint32_t {
        if (c == '\t' || c == '\n' || c == '\r') return ' ';
        if (c < 0x80) return c < 32 || c == 127 ? kDrop : c;
        if (c == 0xfffd || is_other(c)) return kDrop;
        return is_whitespace(c) ? ' ' : c;
      });
    if (chinese_) isolate_cjk(text);
    if (strip_accents_ && !is_ascii(text.text())) {
      decompose_text(text, false);
      map_chars(text, [](uint32_t c) { return is_nonspacing_mark(c) ? kDrop : c; });
    }
    if (lowercase_) lowercase(text);
  }

 private:
  static void isolate_cjk(TrackedText& text) {
    const std::string_view s = text.text();
    bool any = false;
    for (const char *p = s.data(), *end = p + s.size(); p < end && !any;) any = is_cjk(next_char(p, end));
    if (!any) return;
    Rewriter out(text);
    out.reserve(s.size() + s.size() / 2);
    for (const char *p = s.data(), *end = p + s.size(); p < end;) {
      const size_t at = static_cast<size_t>(p - s.data());
      const bool cjk = is_cjk(next_char(p, end));
      if (cjk) out.put_like(" ", at);
      out.keep(at, static_cast<size_t>(p - s.data()));
      if (cjk) out.put_like(" ", at);
    }
    out.commit(text);
  }
  bool clean_text_, chinese_, lowercase_, strip_accents_;
};

NormalizerPtr make_bert_normalizer(const Json& json) { return std::make_shared<BertNormalizer>(json); }

}  // namespace transformers::tokenizers
