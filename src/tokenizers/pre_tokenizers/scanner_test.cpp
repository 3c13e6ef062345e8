// The hand-written scanners cut as PCRE2 does with the same pattern.
#include "tokenizers/pre_tokenizers/scanner.h"

#include <gtest/gtest.h>

#include <random>

#include "tokenizers/text/unicode.h"

namespace transformers::tokenizers {
namespace {

const char* const kPatterns[] = {
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

std::string show(std::string_view s, const std::vector<Match>& m) {
  std::string out;
  for (const Match& x : m) out += std::string(s.substr(x.begin, x.end - x.begin)) + "|";
  return out;
}

TEST(Scanner, EqualsItsPatternOnRandomText) {
  std::mt19937 random(7);
  const std::u32string alphabet = U"aaAAbZ  \n\r\t''sStrRevVlLdDmM019²½①.,!?/_-()ſıİǅʰªéÉßя你ひア한Ⅷ\u0301\u0903\u200d\u00a0\u2028\u3000🍕🏽\u180e\u0000";
  for (const char* pattern : kPatterns) {
    const Scanner scan = find_scanner(pattern);
    ASSERT_NE(scan, nullptr) << pattern;
    const Regex regex(pattern);
    for (int round = 0; round < 3000; ++round) {
      std::string s;
      const size_t n = random() % 24;
      for (size_t i = 0; i < n; ++i) append_utf8(s, alphabet[random() % alphabet.size()]);
      std::vector<Match> got, want;
      scan(s, got);
      regex.find_matches(s, want);
      ASSERT_EQ(show(s, got), show(s, want)) << pattern;
    }
  }
}

TEST(Regex, TranslatesOniguruma) {
  const auto pieces = [](const char* pattern, const char* text) {
    std::vector<Match> m;
    Regex(pattern).find_matches(text, m);
    std::vector<std::string> out;
    for (const Match& x : m)
      if (x.match) out.emplace_back(std::string_view(text).substr(x.begin, x.end - x.begin));
    return out;
  };
  using S = std::vector<std::string>;
  EXPECT_EQ(pieces(R"([^(\s|[.,])]+)", "a(b,c d"), (S{"a", "b", "c", "d"}));
  EXPECT_EQ(pieces(R"([a-z&&[^aeiou]]+)", "hello"), (S{"h", "ll"}));
  EXPECT_EQ(pieces(R"(\h+)", "xyzAF09g"), (S{"AF09"}));
  EXPECT_EQ(pieces(R"(^a)", "a\na"), (S{"a", "a"}));
  EXPECT_EQ(pieces(R"((?m:a.b))", "a\nb"), (S{"a\nb"}));
  EXPECT_EQ(pieces(R"(\bw\w*)", "\xc3\xa9w wo"), (S{"wo"}));
  for (const char* bad : {"(", "[a", "a{2,1}", "\\", "\\p{Nope}", "[[:", "(?<", "*"}) EXPECT_ANY_THROW(Regex r(bad)) << bad;
}

}  // namespace
}  // namespace transformers::tokenizers
