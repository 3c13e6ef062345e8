// Metaspace: a visible character for each space, put in front of words.
#include "tokenizers/pre_tokenizers/char_match.h"
#include "transformers/error.h"

namespace transformers::tokenizers {

MetaspaceOptions::MetaspaceOptions(const Json& json) : replacement(json.get("replacement", "▁")), split(json.get("split", true)) {
  if (count_chars(replacement) != 1)
    throw TokenizerError({"Metaspace: expected one character as replacement, got \"", replacement, "\""});
  std::string s = json.get("prepend_scheme", "");
  if (s.empty()) s = json.get("add_prefix_space", true) ? "always" : "never";
  if (s == "always") scheme = Scheme::always;
  else if (s == "first") scheme = Scheme::first;
  else if (s == "never") scheme = Scheme::never;
  else throw TokenizerError({"Metaspace: expected prepend_scheme always, first or never, got \"", s, "\""});
}

class Metaspace : public PreTokenizer {
 public:
  explicit Metaspace(const Json& json) : o_(json), mark_(first_char(o_.replacement)) {}
  bool needs_origin() const override { return o_.scheme == MetaspaceOptions::Scheme::first; }
  void pre_tokenize(PreTokenized& text) const override {
    using Scheme = MetaspaceOptions::Scheme;
    text.rewrite([this](std::string_view s, const PreTokenized::Split& split, Rewriter& out) {
      const bool add = o_.scheme == Scheme::always || (o_.scheme == Scheme::first && split.origin == 0);
      if (add && !s.empty() && s[0] != ' ' && !s.starts_with(o_.replacement)) out.put_like(o_.replacement, split.begin);
      for (size_t i = 0; i < s.size();) {
        const size_t space = std::min(s.find(' ', i), s.size());
        if (space > i) out.keep(split.begin + i, split.begin + space);
        if (space < s.size()) out.put_like(o_.replacement, split.begin + space);
        i = space + 1;
      }
    });
    if (!o_.split) return;
    text.split([this](std::string_view s, const PreTokenized::Split&,
                      std::vector<Match>& m) { match_chars(s, m, [this](uint32_t c) { return c == mark_; }); },
               Behavior::merged_with_next);
  }

 private:
  MetaspaceOptions o_;
  uint32_t mark_;
};

PreTokenizerPtr make_metaspace_pre_tokenizer(const Json& json) { return std::make_shared<Metaspace>(json); }

}  // namespace transformers::tokenizers
