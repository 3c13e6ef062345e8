// Replace: every match of a string or regex becomes `content`, aligned with the last character it replaces.
#include "tokenizers/normalizers/normalizer.h"
#include "tokenizers/text/pattern_json.h"

namespace transformers::tokenizers {

class Replace : public Normalizer {
 public:
  explicit Replace(const Json& json) : pattern_(pattern_from_json(json.at("pattern"))), content_(json.at("content").as_string()) {}
  void normalize(TrackedText& text) const override {
    thread_local std::vector<Match> matches;
    const std::string_view s = text.text();
    pattern_.find_matches(s, matches);
    if (matches.empty() || (matches.size() == 1 && !matches[0].match)) return;
    Rewriter out(text);
    out.reserve(s.size() + s.size() / 4);
    for (const Match& m : matches) {
      if (!m.match) out.keep(m.begin, m.end);
      else if (m.end == 0) out.put(content_, Span{});
      else out.put_like(content_, m.end - 1);
    }
    out.commit(text);
  }

 private:
  Pattern pattern_;
  std::string content_;
};

NormalizerPtr make_replace_normalizer(const Json& json) { return std::make_shared<Replace>(json); }

}  // namespace transformers::tokenizers
