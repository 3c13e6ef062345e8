// Unicode tables come from utf8proc; what it lacks (pair composition, special lower case) is completed here.
#include "tokenizers/text/unicode.h"

#include <utf8proc.h>

#include <array>
#include <cstring>
#include <unordered_map>

namespace transformers::tokenizers {

uint32_t last_char(std::string_view s) {
  size_t i = s.size() - 1;
  while (i > 0 && is_continuation(s[i])) --i;
  return first_char(s.substr(i));
}

void append_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

std::string to_utf8(uint32_t c) {
  std::string s;
  append_utf8(s, c);
  return s;
}

bool is_ascii(std::string_view s) {
  const char* p = s.data();
  size_t n = s.size();
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    if (word & 0x8080808080808080ull) return false;
  }
  for (; n; ++p, --n)
    if (static_cast<signed char>(*p) < 0) return false;
  return true;
}

// Length of the valid character at s[i], or minus the length of the maximal broken part.
static int check_char(std::string_view s, size_t i) {
  const auto at = [&](size_t k) { return k < s.size() ? static_cast<unsigned char>(s[k]) : 0u; };
  const unsigned a = at(i);
  if (a < 0x80) return 1;
  if (a < 0xc2 || a > 0xf4) return -1;
  unsigned low = 0x80, high = 0xbf;
  if (a == 0xe0) low = 0xa0;
  if (a == 0xed) high = 0x9f;
  if (a == 0xf0) low = 0x90;
  if (a == 0xf4) high = 0x8f;
  const int n = utf8_length(static_cast<unsigned char>(a));
  for (int k = 1; k < n; ++k) {
    const unsigned b = at(i + k);
    if (b < low || b > high) return -k;
    low = 0x80, high = 0xbf;
  }
  return n;
}

bool valid_utf8(std::string_view s) {
  if (is_ascii(s)) return true;
  for (size_t i = 0; i < s.size();) {
    const int n = check_char(s, i);
    if (n < 0) return false;
    i += n;
  }
  return true;
}

std::string repair_utf8(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (size_t i = 0; i < s.size();) {
    const int n = check_char(s, i);
    if (n > 0) out.append(s.substr(i, n));
    else out += "\xef\xbf\xbd";
    i += n > 0 ? n : -n;
  }
  return out;
}

size_t count_chars(std::string_view s) {
  size_t n = 0;
  for (char c : s) n += !is_continuation(c);
  return n;
}

std::vector<uint32_t> to_code_points(std::string_view s) {
  std::vector<uint32_t> out;
  out.reserve(s.size());
  for (const char *p = s.data(), *end = p + s.size(); p < end;) out.push_back(next_char(p, end));
  return out;
}

static int category(uint32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

bool is_whitespace(uint32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
         c == 0x202f || c == 0x205f || c == 0x3000;
}
bool is_numeric(uint32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  const int k = category(c);
  return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO;
}
bool is_decimal(uint32_t c) { return c < 0x80 ? c >= '0' && c <= '9' : category(c) == UTF8PROC_CATEGORY_ND; }
bool is_letter(uint32_t c) {
  if (c < 0x80) return (c | 32) >= 'a' && (c | 32) <= 'z';
  const int k = category(c);
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}
bool is_upper_like(uint32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z';
  const int k = category(c);
  return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_ME) && k != UTF8PROC_CATEGORY_LL;
}
bool is_lower_like(uint32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z';
  const int k = category(c);
  return k == UTF8PROC_CATEGORY_LL || (k >= UTF8PROC_CATEGORY_LM && k <= UTF8PROC_CATEGORY_ME);
}
bool is_mark(uint32_t c) {
  if (c < 0x300) return false;
  const int k = category(c);
  return k >= UTF8PROC_CATEGORY_MN && k <= UTF8PROC_CATEGORY_ME;
}
bool is_nonspacing_mark(uint32_t c) { return c >= 0x300 && category(c) == UTF8PROC_CATEGORY_MN; }
bool is_unicode_punctuation(uint32_t c) {
  const int k = category(c);
  return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}
bool is_punctuation(uint32_t c) {
  if (c < 0x80) return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
  return is_unicode_punctuation(c);
}
bool is_symbol(uint32_t c) {
  const int k = category(c);
  return k >= UTF8PROC_CATEGORY_SM && k <= UTF8PROC_CATEGORY_SO;
}
bool is_other(uint32_t c) {
  return category(c) >= UTF8PROC_CATEGORY_CC;
}
bool is_word(uint32_t c) {
  if (c < 0x80) return ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9') || c == '_';
  const int k = category(c);
  return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NL) || k == UTF8PROC_CATEGORY_PC || c == 0x200c ||
         c == 0x200d || (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
         (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
}
bool is_cjk(uint32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
         (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}
int combining_class(uint32_t c) {
  return c < 0x300 ? 0 : utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

uint32_t to_lower_simple(uint32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}
int to_lower(uint32_t c, uint32_t out[3]) {
  if (c == 0x130) {  // capital I with dot: the only character whose lower case is longer
    out[0] = 'i', out[1] = 0x307;
    return 2;
  }
  out[0] = to_lower_simple(c);
  return 1;
}

bool grapheme_break(uint32_t a, uint32_t b, int& state) {
  utf8proc_int32_t s = state;
  const bool cut = utf8proc_grapheme_break_stateful(static_cast<int32_t>(a), static_cast<int32_t>(b), &s);
  state = s;
  return cut;
}

void decompose(uint32_t c, bool compatible, std::vector<uint32_t>& out) {
  // The reference's tables are of Unicode 12.0: later compatibility characters stay whole.
  const bool later = c == 0x32ff || c == 0x1f16c || (c >= 0x1fbf0 && c <= 0x1fbf9) || c == 0x11938;
  if (c < 0xa0 || later) { out.push_back(c); return; }
  utf8proc_int32_t buffer[64];
  int last = 0;
  const auto n = utf8proc_decompose_char(
      static_cast<int32_t>(c), buffer, 64,
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0)), &last);
  if (n <= 0 || n > 64) { out.push_back(c); return; }
  for (int i = 0; i < n; ++i) out.push_back(static_cast<uint32_t>(buffer[i]));
}

// utf8proc offers composition of whole strings only: the pairs are collected once from the decompositions.
static const std::unordered_map<uint64_t, uint32_t>& compositions() {
  static const auto* table = [] {
    auto* map = new std::unordered_map<uint64_t, uint32_t>;
    map->reserve(2048);
    for (int32_t c = 0xa0; c < 0x30000; ++c) {
      if (c == 0x3400) c = 0xf900;  // ideographs and Hangul have none of their own
      const utf8proc_property_t* p = utf8proc_get_property(c);
      if (p->comp_exclusion || p->decomp_seqindex == UINT16_MAX || p->decomp_type != 0) continue;
      // One step: a character whose full decomposition is x y.. composes from NFC(x..) and the last mark.
      utf8proc_int32_t full[16];
      int last = 0;
      const auto n = utf8proc_decompose_char(c, full, 16, UTF8PROC_DECOMPOSE, &last);
      if (n < 2 || n > 16) continue;
      const auto m = utf8proc_normalize_utf32(full, n - 1, static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
      if (m != 1) continue;
      utf8proc_int32_t again[16];
      const auto k = utf8proc_decompose_char(c, again, 16, UTF8PROC_DECOMPOSE, &last);
      const uint32_t second = static_cast<uint32_t>(again[k - 1]);
      map->emplace(uint64_t(full[0]) << 32 | second, static_cast<uint32_t>(c));
    }
    return map;
  }();
  return *table;
}

uint32_t compose(uint32_t a, uint32_t b) {
  if (a >= 0x1100 && a < 0x1113 && b >= 0x1161 && b < 0x1176) return 0xac00 + ((a - 0x1100) * 21 + (b - 0x1161)) * 28;
  if (a >= 0xac00 && a < 0xd7a4 && (a - 0xac00) % 28 == 0 && b > 0x11a7 && b < 0x11c3) return a + (b - 0x11a7);
  if (b < 0x300) return 0;
  const auto& table = compositions();
  const auto it = table.find(uint64_t{a} << 32 | b);
  return it == table.end() ? 0 : it->second;
}

struct ByteAlphabet {
  std::array<uint16_t, 256> chars{};
  std::array<int16_t, 512> bytes{};
  ByteAlphabet() {
    bytes.fill(-1);
    uint16_t extra = 256;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      chars[b] = printable ? static_cast<uint16_t>(b) : extra++;
      bytes[chars[b]] = static_cast<int16_t>(b);
    }
  }
};
static const ByteAlphabet kAlphabet;

uint32_t byte_to_char(uint8_t byte) { return kAlphabet.chars[byte]; }
int char_to_byte(uint32_t c) { return c < 512 ? kAlphabet.bytes[c] : -1; }

}  // namespace transformers::tokenizers
