// Regular expressions of tokenizer.json: written for Oniguruma, run by PCRE2.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace transformers::tokenizers {

/// A piece of text; `match`: it matched the pattern, else it lies between matches.
struct Match {
  uint32_t begin, end;
  bool match;
};

class Regex {
 public:
  /// Compiles an Oniguruma pattern. Throws TokenizerError.
  explicit Regex(std::string_view pattern);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;
  /// The next match at or after `from` of valid UTF-8; false when there is none. Throws TokenizerError when the pattern
  /// needs too much work. Thread-safe.
  bool search(std::string_view text, size_t from, size_t& begin, size_t& end) const;
  /// Cuts the whole text into matches and what lies between, as the reference's find_matches.
  void find_matches(std::string_view text, std::vector<Match>& out) const;
  const std::string& pattern() const { return pattern_; }

 private:
  struct Impl;
  std::string pattern_;
  std::unique_ptr<Impl> impl_;
};

/// The same pattern in PCRE2's words: nested classes, \h, \w and \s differ. Throws TokenizerError.
std::string translate_oniguruma(std::string_view pattern);

/// A pattern of tokenizer.json: {"String": ...} or {"Regex": ...}.
class Pattern {
 public:
  static Pattern literal(std::string s);
  static Pattern regex(std::string_view s);
  void find_matches(std::string_view text, std::vector<Match>& out) const;
  bool is_literal() const { return !regex_; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::shared_ptr<const Regex> regex_;
};

}  // namespace transformers::tokenizers
