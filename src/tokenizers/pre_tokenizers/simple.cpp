// Pre-tokenizers that look at one character at a time: Bert, Whitespace, WhitespaceSplit, Punctuation, Digits,
// CharDelimiterSplit, FixedLength.
#include "tokenizers/pre_tokenizers/char_match.h"
#include "transformers/error.h"

namespace transformers::tokenizers {
namespace {

template <bool (*predicate)(uint32_t)> void cut_at(PreTokenized& text, Behavior behavior) {
  text.split([](std::string_view s, const PreTokenized::Split&, std::vector<Match>& m) { match_chars(s, m, predicate); }, behavior);
}

class BertPreTokenizer : public PreTokenizer {
  // Both steps in one pass: spaces are dropped, punctuation stands alone.
  void pre_tokenize(PreTokenized& text) const override {
    text.split(
        [](std::string_view s, const PreTokenized::Split&, std::vector<Match>& m) {
          uint32_t last = 0;
          for (const char *p = s.data(), *end = p + s.size(); p < end;) {
            const auto at = static_cast<uint32_t>(p - s.data());
            const uint32_t c = next_char(p, end);
            const bool space = is_whitespace(c);
            if (!space && !is_punctuation(c)) continue;
            if (last < at) m.push_back({last, at, false});
            last = static_cast<uint32_t>(p - s.data());
            m.push_back({at, last, space});
          }
          if (last < s.size()) m.push_back({last, static_cast<uint32_t>(s.size()), false});
        },
        Behavior::removed);
  }
};

class Whitespace : public PreTokenizer {
  // \w+|[^\w\s]+
  void pre_tokenize(PreTokenized& text) const override {
    text.split(
        [](std::string_view s, const PreTokenized::Split&, std::vector<Match>& m) {
          uint32_t begin = 0;
          int kind = 0;  // 0 space, 1 word, 2 other
          for (const char *p = s.data(), *end = p + s.size(); p < end;) {
            const auto at = static_cast<uint32_t>(p - s.data());
            const uint32_t c = next_char(p, end);
            const int k = is_word(c) ? 1 : is_whitespace(c) ? 0 : 2;
            if (k == kind) continue;
            if (at > begin) m.push_back({begin, at, kind == 0});
            begin = at, kind = k;
          }
          if (begin < s.size()) m.push_back({begin, static_cast<uint32_t>(s.size()), kind == 0});
        },
        Behavior::removed);
  }
};

class WhitespaceSplit : public PreTokenizer {
  void pre_tokenize(PreTokenized& text) const override { cut_at<is_whitespace>(text, Behavior::removed); }
};

class Punctuation : public PreTokenizer {
 public:
  explicit Punctuation(const Json& json) : behavior_(behavior_from_name(json.get("behavior", "Isolated"))) {}
  void pre_tokenize(PreTokenized& text) const override { cut_at<is_punctuation>(text, behavior_); }

 private:
  Behavior behavior_;
};

class Digits : public PreTokenizer {
 public:
  explicit Digits(const Json& json) : behavior_(json.get("individual_digits", false) ? Behavior::isolated : Behavior::contiguous) {}
  void pre_tokenize(PreTokenized& text) const override { cut_at<is_numeric>(text, behavior_); }

 private:
  Behavior behavior_;
};

class CharDelimiterSplit : public PreTokenizer {
 public:
  explicit CharDelimiterSplit(const Json& json) {
    const std::string& d = json.at("delimiter").as_string();
    if (count_chars(d) != 1) throw TokenizerError({"CharDelimiterSplit: expected one character as delimiter, got \"", d, "\""});
    delimiter_ = first_char(d);
  }
  void pre_tokenize(PreTokenized& text) const override {
    text.split([this](std::string_view s, const PreTokenized::Split&,
                      std::vector<Match>& m) { match_chars(s, m, [this](uint32_t c) { return c == delimiter_; }); },
               Behavior::removed);
  }

 private:
  uint32_t delimiter_;
};

class FixedLength : public PreTokenizer {
 public:
  explicit FixedLength(const Json& json) : length_(json.get("length", 5)) {
    if (length_ < 1) throw TokenizerError({"FixedLength: expected a positive length, got ", length_});
  }
  void pre_tokenize(PreTokenized& text) const override {
    text.split(
        [this](std::string_view s, const PreTokenized::Split&, std::vector<Match>& m) {
          uint32_t begin = 0;
          int64_t n = 0;
          for (const char *p = s.data(), *end = p + s.size(); p < end;) {
            next_char(p, end);
            if (++n < length_ && p < end) continue;
            m.push_back({begin, static_cast<uint32_t>(p - s.data()), false});
            begin = static_cast<uint32_t>(p - s.data()), n = 0;
          }
        },
        Behavior::isolated);
  }

 private:
  int64_t length_;
};

}  // namespace

PreTokenizerPtr make_simple_pre_tokenizer(const std::string& type, const Json& json) {
  if (type == "BertPreTokenizer") return std::make_shared<BertPreTokenizer>();
  if (type == "Whitespace") return std::make_shared<Whitespace>();
  if (type == "WhitespaceSplit") return std::make_shared<WhitespaceSplit>();
  if (type == "Punctuation") return std::make_shared<Punctuation>(json);
  if (type == "Digits") return std::make_shared<Digits>(json);
  if (type == "CharDelimiterSplit") return std::make_shared<CharDelimiterSplit>(json);
  if (type == "FixedLength") return std::make_shared<FixedLength>(json);
  return nullptr;
}

}  // namespace transformers::tokenizers
