// Case mappings of str: simple ones from utf8proc, the longer ones and the final sigma from Unicode's SpecialCasing.
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "tokenizers/chat_template/text.h"

namespace transformers::jinja {
namespace {

struct Special { uint32_t point, upper[3], title[3]; };
constexpr Special kSpecial[] = {
#include "tokenizers/chat_template/case_special.inc"
};

const Special* special(uint32_t c) {
  const Special* s = std::lower_bound(std::begin(kSpecial), std::end(kSpecial), c,
                                      [](const Special& a, uint32_t b) { return a.point < b; });
  return s != std::end(kSpecial) && s->point == c ? s : nullptr;
}
void append(std::string& out, const uint32_t (&points)[3]) {
  for (const uint32_t p : points)
    if (p) encode(out, p);
}
void append_upper(std::string& out, uint32_t c) {
  if (c < 128) out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  else if (const Special* s = special(c)) append(out, s->upper);
  else encode(out, static_cast<uint32_t>(utf8proc_toupper(static_cast<int32_t>(c))));
}
void append_title(std::string& out, uint32_t c) {
  if (const Special* s = c < 128 ? nullptr : special(c)) append(out, s->title);
  else encode(out, static_cast<uint32_t>(utf8proc_totitle(static_cast<int32_t>(c))));
}

bool cased(uint32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }
bool case_ignorable(uint32_t c) {
  switch (utf8proc_category(static_cast<int32_t>(c))) {
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_ME: case UTF8PROC_CATEGORY_CF: case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2019 || c == 0x2018 || c == 0x2024 ||
                    c == 0x2027 || c == 0x387 || c == 0x5F4 || c == 0xFE13 || c == 0xFE52 || c == 0xFE55;
  }
}
// A capital sigma ends its word when a cased letter stands before it and none after it.
bool final_sigma(std::string_view s, const char* at, const char* after) {
  bool before = false;
  for (const char* p = at; p > s.data();) {
    do --p;
    while ((static_cast<unsigned char>(*p) & 0xC0) == 0x80);
    const char* q = p;
    const uint32_t c = decode(q);
    if (case_ignorable(c)) continue;
    before = cased(c);
    break;
  }
  if (!before) return false;
  for (const char *p = after, *end = s.data() + s.size(); p < end;) {
    const uint32_t c = decode(p);
    if (!case_ignorable(c)) return !cased(c);
  }
  return true;
}
void append_lower(std::string& out, uint32_t c, std::string_view s, const char* at, const char* after) {
  if (c < 128) out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  else if (c == 0x130) out += "i\xCC\x87";
  else if (c == 0x3A3) out += final_sigma(s, at, after) ? "\xCF\x82" : "\xCF\x83";
  else encode(out, static_cast<uint32_t>(utf8proc_tolower(static_cast<int32_t>(c))));
}

// Calls f(out, point, start, end) for each code point.
template <class F>
std::string map_points(std::string_view s, F&& f) {
  std::string out;
  out.reserve(s.size() + 8);
  for (const char *p = s.data(), *end = p + s.size(); p < end;) {
    const char* start = p;
    const uint32_t c = decode(p);
    f(out, c, start, p);
  }
  return out;
}

}  // namespace

std::string upper(std::string_view s) {
  return map_points(s, [](std::string& out, uint32_t c, const char*, const char*) { append_upper(out, c); });
}
std::string lower(std::string_view s) {
  return map_points(s, [s](std::string& out, uint32_t c, const char* at, const char* after) {
    append_lower(out, c, s, at, after);
  });
}
std::string casefold(std::string_view s) {
  std::string out;
  for (const char *p = s.data(), *end = p + s.size(); p < end;) {
    const uint32_t c = decode(p);
    if (c < 128) {
      out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      continue;
    }
    int32_t folded[8];
    int boundary = 0;
    const utf8proc_ssize_t n =
        utf8proc_decompose_char(static_cast<int32_t>(c), folded, 8, UTF8PROC_CASEFOLD, &boundary);
    if (n <= 0 || n > 8) encode(out, c);
    for (utf8proc_ssize_t i = 0; n <= 8 && i < n; ++i) encode(out, static_cast<uint32_t>(folded[i]));
  }
  return out;
}
std::string capitalize(std::string_view s) {
  return map_points(s, [s](std::string& out, uint32_t c, const char* at, const char* after) {
    if (at == s.data()) append_title(out, c);
    else append_lower(out, c, s, at, after);
  });
}
std::string title(std::string_view s) {
  bool in_word = false;
  return map_points(s, [&](std::string& out, uint32_t c, const char* at, const char* after) {
    if (in_word) append_lower(out, c, s, at, after);
    else append_title(out, c);
    in_word = cased(c);
  });
}
std::string swapcase(std::string_view s) {
  return map_points(s, [s](std::string& out, uint32_t c, const char* at, const char* after) {
    if (is_upper(c)) append_lower(out, c, s, at, after);
    else if (is_lower(c)) append_upper(out, c);
    else encode(out, c);
  });
}

}  // namespace transformers::jinja
