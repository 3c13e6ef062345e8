// Unicode for tokenizers: UTF-8 reading and writing, character classes as the reference's engines define them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace transformers::tokenizers {

/// Bytes of the UTF-8 character that starts with `lead`.
inline int utf8_length(unsigned char lead) { return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4; }
inline bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// Reads the character at `p` of valid UTF-8 and moves `p` behind it. Never reads past `end`.
inline uint32_t next_char(const char*& p, const char* end) {
  const auto* s = reinterpret_cast<const unsigned char*>(p);
  const uint32_t c = s[0];
  const int n = utf8_length(s[0]);
  if (end - p < n) { p = end; return 0xfffd; }
  p += n;
  if (n == 1) return c;
  if (n == 2) return (c & 0x1f) << 6 | (s[1] & 0x3f);
  if (n == 3) return (c & 0x0f) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3f);
  return (c & 0x07) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 | (s[3] & 0x3f);
}
/// The first character of non-empty `s`.
inline uint32_t first_char(std::string_view s) {
  const char* p = s.data();
  return next_char(p, p + s.size());
}
/// The last character of non-empty `s`.
uint32_t last_char(std::string_view s);
void append_utf8(std::string& out, uint32_t c);
std::string to_utf8(uint32_t c);
bool is_ascii(std::string_view s);
bool valid_utf8(std::string_view s);
/// Copies text with every broken part replaced by U+FFFD, one per maximal broken part as Rust and Python do.
std::string repair_utf8(std::string_view s);
size_t count_chars(std::string_view s);
std::vector<uint32_t> to_code_points(std::string_view s);

bool is_whitespace(uint32_t c);          ///< White_Space.
bool is_numeric(uint32_t c);             ///< N.
bool is_decimal(uint32_t c);             ///< Nd.
bool is_letter(uint32_t c);              ///< L.
bool is_upper_like(uint32_t c);          ///< Lu, Lt, Lm, Lo or M.
bool is_lower_like(uint32_t c);          ///< Ll, Lm, Lo or M.
bool is_mark(uint32_t c);                ///< M.
bool is_nonspacing_mark(uint32_t c);     ///< Mn.
bool is_punctuation(uint32_t c);         ///< P, or ASCII punctuation (symbols included).
bool is_unicode_punctuation(uint32_t c); ///< P.
bool is_symbol(uint32_t c);              ///< S.
bool is_other(uint32_t c);               ///< Cc, Cf, Cs, Co (unassigned ones not).
bool is_word(uint32_t c);                ///< \w: alphabetic, marks, decimals, connectors, joiners.
bool is_cjk(uint32_t c);                 ///< The ideograph blocks that BERT isolates.
int combining_class(uint32_t c);
/// Lower case of one character, up to three characters; returns how many.
int to_lower(uint32_t c, uint32_t out[3]);
uint32_t to_lower_simple(uint32_t c);
/// Whether an extended grapheme cluster ends between two characters; `state` starts at 0.
bool grapheme_break(uint32_t a, uint32_t b, int& state);
/// Decomposition of one character (canonical or compatible), appended.
void decompose(uint32_t c, bool compatible, std::vector<uint32_t>& out);
/// Canonical composition of a pair, 0 when there is none.
uint32_t compose(uint32_t a, uint32_t b);

/// The printable character that stands for a byte in byte-level vocabularies.
uint32_t byte_to_char(uint8_t byte);
/// Its inverse: -1 for a character that stands for no byte.
int char_to_byte(uint32_t c);

}  // namespace transformers::tokenizers
