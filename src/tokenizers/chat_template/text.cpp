// Unicode text: code points, classes, whitespace. Reference: CPython's str; tables from utf8proc.
#include "tokenizers/chat_template/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <vector>

namespace transformers::jinja {
namespace {

struct Range { uint32_t first, last; };

bool in_ranges(uint32_t c, const Range* begin, const Range* end) {
  const Range* r = std::lower_bound(begin, end, c, [](const Range& a, uint32_t b) { return a.last < b; });
  return r != end && r->first <= c;
}

// Digits that are not decimal (superscripts, circled), and ideographs with a numeric value.
constexpr Range kDigits[] = {{0xB2, 0xB3},     {0xB9, 0xB9},       {0x1369, 0x1371},   {0x19DA, 0x19DA},
                             {0x2070, 0x2070}, {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
                             {0x2474, 0x247C}, {0x2488, 0x2490},   {0x24EA, 0x24EA},   {0x24F5, 0x24FD},
                             {0x24FF, 0x24FF}, {0x2776, 0x277E},   {0x2780, 0x2788},   {0x278A, 0x2792},
                             {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A}};
constexpr Range kNumericIdeographs[] = {
    {0x3405, 0x3405}, {0x3483, 0x3483}, {0x382A, 0x382A}, {0x3B4D, 0x3B4D}, {0x4E00, 0x4E00}, {0x4E03, 0x4E03},
    {0x4E07, 0x4E07}, {0x4E09, 0x4E09}, {0x4E5D, 0x4E5D}, {0x4E8C, 0x4E8C}, {0x4E94, 0x4E94}, {0x4E96, 0x4E96},
    {0x4EBF, 0x4EC0}, {0x4EDF, 0x4EDF}, {0x4EE8, 0x4EE8}, {0x4F0D, 0x4F0D}, {0x4F70, 0x4F70}, {0x5104, 0x5104},
    {0x5146, 0x5146}, {0x5169, 0x5169}, {0x516B, 0x516B}, {0x516D, 0x516D}, {0x5341, 0x5341}, {0x5343, 0x5345},
    {0x534C, 0x534C}, {0x53C1, 0x53C4}, {0x56DB, 0x56DB}, {0x58F1, 0x58F1}, {0x58F9, 0x58F9}, {0x5E7A, 0x5E7A},
    {0x5EFE, 0x5EFF}, {0x5F0C, 0x5F0E}, {0x5F10, 0x5F10}, {0x62FE, 0x62FE}, {0x634C, 0x634C}, {0x67D2, 0x67D2},
    {0x6F06, 0x6F06}, {0x7396, 0x7396}, {0x767E, 0x767E}, {0x8086, 0x8086}, {0x842C, 0x842C}, {0x8CAE, 0x8CAE},
    {0x8CB3, 0x8CB3}, {0x8D30, 0x8D30}, {0x9621, 0x9621}, {0x9646, 0x9646}, {0x964C, 0x964C}, {0x9678, 0x9678},
    {0x96F6, 0x96F6}, {0xF96B, 0xF96B}, {0xF973, 0xF973}, {0xF978, 0xF978}, {0xF9B2, 0xF9B2}, {0xF9D1, 0xF9D1},
    {0xF9D3, 0xF9D3}, {0xF9FD, 0xF9FD}, {0x20001, 0x20001}, {0x20064, 0x20064}, {0x200E2, 0x200E2},
    {0x20121, 0x20121}, {0x2092A, 0x2092A}, {0x20983, 0x20983}, {0x2098C, 0x2098C}, {0x2099C, 0x2099C},
    {0x20AEA, 0x20AEA}, {0x20AFD, 0x20AFD}, {0x20B19, 0x20B19}, {0x22390, 0x22390}, {0x22998, 0x22998},
    {0x23B1B, 0x23B1B}, {0x2626D, 0x2626D}, {0x2F890, 0x2F890}};

utf8proc_category_t category(uint32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

// Length of the well-formed sequence at p, or 0. Lone surrogates are let through: Python's strings may hold them.
size_t sequence(const char* s, const char* end) {
  const auto at = [s](int i) { return static_cast<unsigned char>(s[i]); };
  const auto tail = [&](int i) { return s + i < end && (at(i) & 0xC0) == 0x80; };
  const unsigned c = at(0);
  if (c < 0x80) return 1;
  if (c < 0xC2 || c > 0xF4) return 0;
  if (c < 0xE0) return tail(1) ? 2 : 0;
  if (!tail(1) || !tail(2)) return 0;
  if (c < 0xF0) return c == 0xE0 && at(1) < 0xA0 ? 0 : 3;
  if (!tail(3) || (c == 0xF0 && at(1) < 0x90) || (c == 0xF4 && at(1) > 0x8F)) return 0;
  return 4;
}

}  // namespace

size_t count_points(std::string_view s) {
  size_t n = 0;
  const char *p = s.data(), *end = p + s.size();
  for (uint64_t eight; end - p >= 8; p += 8) {  // eight bytes at a time: a tail byte has its top bits 10
    std::memcpy(&eight, p, 8);
    n += 8 - static_cast<size_t>(__builtin_popcountll(eight >> 7 & ~(eight >> 6) & 0x0101010101010101u));
  }
  for (; p < end; ++p) n += (static_cast<unsigned char>(*p) & 0xC0) != 0x80;
  return n;
}

void encode(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6), out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12), out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18), out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F)), out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

size_t byte_offset(std::string_view s, size_t index) {
  size_t at = 0;
  for (; index > 0 && at < s.size(); --index) {
    ++at;
    while (at < s.size() && (static_cast<unsigned char>(s[at]) & 0xC0) == 0x80) ++at;
  }
  return at;
}

bool valid_utf8(std::string_view s, size_t& points) {
  points = 0;
  for (const char *p = s.data(), *end = p + s.size(); p < end;) {
    uint64_t eight;
    if (end - p >= 8 && (std::memcpy(&eight, p, 8), (eight & 0x8080808080808080u) == 0)) {  // plain ASCII
      p += 8, points += 8;
      continue;
    }
    const size_t n = sequence(p, end);
    if (n == 0) return false;
    p += n, ++points;
  }
  return true;
}
bool valid_utf8(std::string_view s) {
  size_t points;
  return valid_utf8(s, points);
}

std::string make_valid(std::string_view s) {
  std::string out;
  for (const char *p = s.data(), *end = p + s.size(); p < end;) {
    const size_t n = sequence(p, end);
    if (n == 0) out += "\xEF\xBF\xBD", ++p;
    else out.append(p, n), p += n;
  }
  return out;
}

bool is_space(uint32_t c) {
  return c == 32 || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}
bool is_printable(uint32_t c) {
  if (c < 0x7F) return c >= 32;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CN: case UTF8PROC_CATEGORY_CC: case UTF8PROC_CATEGORY_CF: case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO: case UTF8PROC_CATEGORY_ZS: case UTF8PROC_CATEGORY_ZL: case UTF8PROC_CATEGORY_ZP:
      return false;
    default: return true;
  }
}
bool is_alpha(uint32_t c) {
  const utf8proc_category_t k = category(c);
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}
bool is_decimal(uint32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }
bool is_digit(uint32_t c) { return is_decimal(c) || in_ranges(c, std::begin(kDigits), std::end(kDigits)); }
bool is_numeric(uint32_t c) {
  const utf8proc_category_t k = category(c);
  return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO ||
         in_ranges(c, std::begin(kNumericIdeographs), std::end(kNumericIdeographs));
}
bool is_upper(uint32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LU || (c >= 0x2160 && c <= 0x216F) || (c >= 0x24B6 && c <= 0x24CF) ||
         (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}
bool is_lower(uint32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA || (c >= 0x2170 && c <= 0x217F) ||
         (c >= 0x24D0 && c <= 0x24E9) || (c >= 0x2B0 && c <= 0x2B8) || (c >= 0x2C0 && c <= 0x2C1) ||
         (c >= 0x2E0 && c <= 0x2E4);
}
bool is_title(uint32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }
bool is_name_start(uint32_t c) {
  return c == '_' || (c < 128 ? (c | 32) >= 'a' && (c | 32) <= 'z'
                              : is_alpha(c) || category(c) == UTF8PROC_CATEGORY_NL);
}
bool is_name_part(uint32_t c) {
  if (is_name_start(c)) return true;
  const utf8proc_category_t k = category(c);
  return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC ||
         k == UTF8PROC_CATEGORY_PC;
}

namespace {
template <class Drop>
std::string_view strip_if(std::string_view s, bool left, bool right, Drop&& drop) {
  const char *begin = s.data(), *end = begin + s.size();
  while (left && begin < end) {
    const char* next = begin;
    if (!drop(decode(next))) break;
    begin = next;
  }
  while (right && begin < end) {
    const char* last = end - 1;
    while (last > begin && (static_cast<unsigned char>(*last) & 0xC0) == 0x80) --last;
    const char* p = last;
    if (!drop(decode(p))) break;
    end = last;
  }
  return {begin, static_cast<size_t>(end - begin)};
}
}  // namespace

std::string_view strip(std::string_view s, bool left, bool right) { return strip_if(s, left, right, is_space); }
std::string_view strip_chars(std::string_view s, std::string_view chars, bool left, bool right) {
  std::vector<uint32_t> set;
  for (const char *p = chars.data(), *end = p + chars.size(); p < end;) set.push_back(decode(p));
  std::sort(set.begin(), set.end());
  return strip_if(s, left, right, [&set](uint32_t c) { return std::binary_search(set.begin(), set.end(), c); });
}
size_t find_text(std::string_view s, std::string_view needle, size_t from) {
  if (from > s.size() || needle.size() > s.size() - from) return std::string_view::npos;
  if (needle.empty()) return from;
  const void* at = ::memmem(s.data() + from, s.size() - from, needle.data(), needle.size());
  return at ? static_cast<size_t>(static_cast<const char*>(at) - s.data()) : std::string_view::npos;
}

size_t line_break(const char* p, const char* end) {
  const unsigned char c = static_cast<unsigned char>(*p);
  if (c == '\r') return p + 1 < end && p[1] == '\n' ? 2 : 1;
  if ((c >= '\n' && c <= '\f') || (c >= 0x1C && c <= 0x1E)) return 1;
  if (c < 0x80) return 0;
  const char* next = p;
  const uint32_t point = decode(next);
  return point == 0x85 || point == 0x2028 || point == 0x2029 ? size_t(next - p) : 0;
}

std::string escape_html(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (const char c : s) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '\'') out += "&#39;";
    else if (c == '"') out += "&#34;";
    else out += c;
  }
  return out;
}

}  // namespace transformers::jinja
