// Split: cuts at a string or a regex. ByteLevel: GPT-2's pattern and the mapping of bytes to printable characters.
#include "tokenizers/pre_tokenizers/char_match.h"
#include "tokenizers/pre_tokenizers/scanner.h"
#include "tokenizers/text/pattern_json.h"

namespace transformers::tokenizers {

class SplitPreTokenizer : public PreTokenizer {
 public:
  explicit SplitPreTokenizer(const Json& json)
      : pattern_(pattern_from_json(json.at("pattern"))), behavior_(behavior_from_name(json.at("behavior").as_string())),
        invert_(json.get("invert", false)), scanner_(pattern_.is_literal() ? nullptr : find_scanner(pattern_.text())) {}
  void pre_tokenize(PreTokenized& text) const override {
    text.split(
        [this](std::string_view s, const PreTokenized::Split&, std::vector<Match>& m) {
          scanner_ ? scanner_(s, m) : pattern_.find_matches(s, m);
        },
        behavior_, invert_);
  }

 private:
  Pattern pattern_;
  Behavior behavior_;
  bool invert_;
  Scanner scanner_;
};

class ByteLevelPreTokenizer : public PreTokenizer {
 public:
  explicit ByteLevelPreTokenizer(const Json& json)
      : add_prefix_space_(json.get("add_prefix_space", true)), use_regex_(json.get("use_regex", true)) {}
  bool ends_with_byte_level() const override { return true; }
  void pre_tokenize(PreTokenized& text) const override {
    cut(text);
    text.rewrite([](std::string_view s, const PreTokenized::Split& split, Rewriter& out) {
      for (size_t i = 0; i < s.size(); ++i) out.put_like(byte_to_char(static_cast<uint8_t>(s[i])), split.begin + i);
    });
  }
  void pre_tokenize_raw(PreTokenized& text) const override {
    cut(text);
    text.raw_bytes = true;
  }

 private:
  void cut(PreTokenized& text) const {
    if (add_prefix_space_) {
      bool missing = false;
      for (const auto& s : text.splits) missing |= s.token < 0 && text.text.text()[s.begin] != ' ';
      if (missing)
        text.rewrite([](std::string_view s, const PreTokenized::Split& split, Rewriter& out) {
          if (!s.empty() && s[0] != ' ') out.put_like(" ", split.begin);
          out.keep(split.begin, split.end);
        });
    }
    if (use_regex_)
      text.split([](std::string_view s, const PreTokenized::Split&, std::vector<Match>& m) { scan_gpt2(s, m); }, Behavior::isolated);
  }
  bool add_prefix_space_, use_regex_;
};

PreTokenizerPtr make_split_pre_tokenizer(const Json& json) { return std::make_shared<SplitPreTokenizer>(json); }
PreTokenizerPtr make_byte_level_pre_tokenizer(const Json& json) { return std::make_shared<ByteLevelPreTokenizer>(json); }

}  // namespace transformers::tokenizers
