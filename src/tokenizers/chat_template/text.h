// Unicode text as Python's str sees it: code points, case mappings, classes. Strings are UTF-8.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace transformers::jinja {

size_t count_points(std::string_view s);
/// The code point at `p`, which moves past it. The text must be valid (make_valid).
inline uint32_t decode(const char*& p) {
  const unsigned char c = static_cast<unsigned char>(*p++);
  if (c < 0x80) return c;
  const auto tail = [&p] { return static_cast<unsigned char>(*p++) & 0x3Fu; };
  if (c < 0xE0) { const uint32_t a = tail(); return (c & 0x1Fu) << 6 | a; }
  if (c < 0xF0) { const uint32_t a = tail(), b = tail(); return (c & 0x0Fu) << 12 | a << 6 | b; }
  const uint32_t a = tail(), b = tail(), d = tail();
  return (c & 0x07u) << 18 | a << 12 | b << 6 | d;
}
void encode(std::string& out, uint32_t point);
/// Byte offset of code point `index` (at most the length).
size_t byte_offset(std::string_view s, size_t index);
bool valid_utf8(std::string_view s);
bool valid_utf8(std::string_view s, size_t& points);  ///< Counts the code points too.
std::string make_valid(std::string_view s);  ///< Bad bytes become U+FFFD.

bool is_space(uint32_t c);
bool is_printable(uint32_t c);
bool is_alpha(uint32_t c);
bool is_decimal(uint32_t c);
bool is_digit(uint32_t c);
bool is_numeric(uint32_t c);
bool is_upper(uint32_t c);  ///< Has the property Uppercase, near enough: category Lu or an uppercase mapping's image.
bool is_lower(uint32_t c);
bool is_title(uint32_t c);
bool is_name_start(uint32_t c);
bool is_name_part(uint32_t c);

std::string_view strip(std::string_view s, bool left = true, bool right = true);                        // whitespace
std::string_view strip_chars(std::string_view s, std::string_view chars, bool left = true, bool right = true);

/// s.find(needle, from) in linear time.
size_t find_text(std::string_view s, std::string_view needle, size_t from = 0);

std::string upper(std::string_view s);
std::string lower(std::string_view s);
std::string casefold(std::string_view s);
std::string capitalize(std::string_view s);
std::string title(std::string_view s);
std::string swapcase(std::string_view s);

/// Where the text breaks into lines, as str.splitlines: length in bytes of a line end at `p`, or 0.
size_t line_break(const char* p, const char* end);
std::string escape_html(std::string_view s);  ///< markupsafe.escape

}  // namespace transformers::jinja
