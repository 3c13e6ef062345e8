// Scanners equal to their patterns; checked against PCRE2 in scanner_test.cpp.
#include "tokenizers/pre_tokenizers/scanner.h"

#include <array>

#include "tokenizers/text/unicode.h"

namespace transformers::tokenizers {
namespace {

enum Class : uint8_t { kLetter = 1, kNumber = 2, kSpace = 4, kNewline = 8, kUpper = 16, kLower = 32, kMark = 64 };

uint8_t classify(uint32_t c) {
  uint8_t k = 0;
  if (is_letter(c)) k |= kLetter;
  else if (is_numeric(c)) k |= kNumber;
  else if (is_whitespace(c)) k |= kSpace;
  if (c == '\r' || c == '\n') k |= kNewline;
  if (is_upper_like(c)) k |= kUpper;
  if (is_lower_like(c)) k |= kLower;
  if (is_mark(c)) k |= kMark;
  return k;
}

// Classes of the first two Unicode pages of 4096 characters are kept in a table.
struct Table {
  std::array<uint8_t, 0x3200> small{};
  Table() {
    for (uint32_t c = 0; c < small.size(); ++c) small[c] = classify(c);
  }
};

struct Cursor {
  const char* begin;
  const char* end;
  const Table& table;
  uint8_t at(const char* p, const char*& next) const {
    next = p;
    const uint32_t c = next_char(next, end);
    if (c < table.small.size()) return table.small[c];
    if (c >= 0x4e00 && c < 0x9fa0) return kLetter | kUpper | kLower;
    if (c >= 0xac00 && c < 0xd7a4) return kLetter | kUpper | kLower;
    return classify(c);
  }
  // Skips characters that have one of `mask`.
  const char* skip(const char* p, uint8_t mask) const {
    const char* next;
    while (p < end && (at(p, next) & mask)) p = next;
    return p;
  }
  // Skips characters that have none of `mask`.
  const char* skip_not(const char* p, uint8_t mask) const {
    const char* next;
    while (p < end && !(at(p, next) & mask)) p = next;
    return p;
  }
};

const Table& table() {
  static const Table t;
  return t;
}

// 's 't 're 've 'm 'll 'd, behind the apostrophe; 0 when none.
int contraction(const char* p, const char* end, bool any_case) {
  if (p >= end) return 0;
  const auto lower = [&](char c) { return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const char a = lower(*p), b = p + 1 < end ? lower(p[1]) : '\0';
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 1;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 2;
  if (any_case && a == '\xc5' && p + 1 < end && p[1] == '\xbf') return 2;  // long s folds to s
  return 0;
}

// Spaces from p on: \s+(?!\S) gives back the last one before a word.
const char* spaces(const Cursor& t, const char* p) {
  const char* q = t.skip(p, kSpace);
  if (q == t.end) return q;
  const char* last = q - 1;
  while (last > p && is_continuation(*last)) --last;
  return last > p ? last : q;
}

template <class Next> void scan(std::string_view s, std::vector<Match>& out, Next&& next) {
  const Cursor t{s.data(), s.data() + s.size(), table()};
  for (const char* p = t.begin; p < t.end;) {
    const char* q = next(t, p);
    out.push_back({static_cast<uint32_t>(p - t.begin), static_cast<uint32_t>(q - t.begin), true});
    p = q;
  }
}

const char* next_gpt2(const Cursor& t, const char* p) {
  if (*p == '\'')
    if (const int n = contraction(p + 1, t.end, false)) return p + 1 + n;
  const char* word = *p == ' ' && p + 1 < t.end ? p + 1 : p;
  const char* next;
  const uint8_t k = t.at(word, next);
  if (k & kLetter) return t.skip(next, kLetter);
  if (k & kNumber) return t.skip(next, kNumber);
  if (!(k & kSpace)) return t.skip_not(next, kLetter | kNumber | kSpace);
  return spaces(t, p);
}

// Behind the words: numbers, symbols with the line ends that follow, line ends, spaces.
template <int digits, bool slash> const char* next_rest(const Cursor& t, const char* p, uint8_t k, const char* next) {
  if (k & kNumber) {
    const char* q = next;
    for (int n = 1; n < digits && q < t.end && (t.at(q, next) & kNumber); ++n) q = next;
    return q;
  }
  const char* symbol = *p == ' ' && p + 1 < t.end ? p + 1 : p;
  const char* behind;
  if (!(t.at(symbol, behind) & (kLetter | kNumber | kSpace))) {
    const char* q = t.skip_not(behind, kLetter | kNumber | kSpace);
    while (q < t.end && (*q == '\r' || *q == '\n' || (slash && *q == '/'))) ++q;
    return q;
  }
  // \s*[\r\n]+ : up to the last line end of the run of spaces
  const char* run = t.skip(p, kSpace);
  for (const char* q = run; q-- > p;)
    if (*q == '\n' || *q == '\r') return q + 1;
  return spaces(t, p);
}

template <int digits> const char* next_cl100k(const Cursor& t, const char* p) {
  if (*p == '\'')
    if (const int n = contraction(p + 1, t.end, true)) return p + 1 + n;
  const char* next;
  const uint8_t k = t.at(p, next);
  if (k & kLetter) return t.skip(next, kLetter);
  if (!(k & (kNumber | kNewline)) && next < t.end) {
    const char* behind;
    if (t.at(next, behind) & kLetter) return t.skip(behind, kLetter);
  }
  return next_rest<digits, false>(t, p, k, next);
}

// Both word patterns of o200k end with an optional contraction.
const char* with_contraction(const Cursor& t, const char* q) {
  if (q < t.end && *q == '\'')
    if (const int n = contraction(q + 1, t.end, true)) return q + 1 + n;
  return q;
}
// [upper]*[lower]+ from p on, or nullptr. Marks and uncased letters are both upper and lower.
const char* o200k_lower(const Cursor& t, const char* p) {
  const char* upper_end = t.skip(p, kUpper);
  const char* q = t.skip(upper_end, kLower);
  if (q > upper_end) return with_contraction(t, q);
  for (const char* r = upper_end; r > p;) {  // the upper run gives back until one of it is lower too
    const char* next;
    const char* b = r - 1;
    while (b > p && is_continuation(*b)) --b;
    if (t.at(b, next) & kLower) return with_contraction(t, t.skip(b, kLower));
    r = b;
  }
  return nullptr;
}
// [upper]+[lower]* from p on, or nullptr.
const char* o200k_upper(const Cursor& t, const char* p) {
  const char* q = t.skip(p, kUpper);
  return q > p ? with_contraction(t, t.skip(q, kLower)) : nullptr;
}

const char* next_o200k(const Cursor& t, const char* p) {
  const char* next;
  const uint8_t k = t.at(p, next);
  const bool prefix = !(k & (kLetter | kNumber | kNewline)) && next < t.end;
  const char* q = prefix ? o200k_lower(t, next) : nullptr;
  if (!q) q = o200k_lower(t, p);
  if (!q && prefix) q = o200k_upper(t, next);
  if (!q) q = o200k_upper(t, p);
  return q ? q : next_rest<3, true>(t, p, k, next);
}

#define TAIL_RULES R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define CONTRACTIONS R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"

}  // namespace

const char* const kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

void scan_gpt2(std::string_view s, std::vector<Match>& out) { scan(s, out, next_gpt2); }
static void scan_cl100k(std::string_view s, std::vector<Match>& out) { scan(s, out, next_cl100k<3>); }
static void scan_qwen(std::string_view s, std::vector<Match>& out) { scan(s, out, next_cl100k<1>); }
static void scan_o200k(std::string_view s, std::vector<Match>& out) { scan(s, out, next_o200k); }

Scanner find_scanner(std::string_view pattern) {
  if (pattern == kGpt2Pattern) return scan_gpt2;
  if (pattern == CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})" TAIL_RULES) return scan_cl100k;
  if (pattern == CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})" TAIL_RULES) return scan_qwen;
  if (pattern == R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)" CONTRACTIONS
                 R"(?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)" CONTRACTIONS
                 R"(?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)")
    return scan_o200k;
  return nullptr;
}

}  // namespace transformers::tokenizers
