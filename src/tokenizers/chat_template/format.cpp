// Numbers and texts in columns: the format mini-language of Python.
#include "tokenizers/chat_template/format.h"

#include <algorithm>
#include <cmath>

#include "tokenizers/chat_template/bigint.h"
#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {

std::string integer_digits(Runtime& rt, const Value& v, char type) {
  Big b(v);
  b.negative = false;
  std::string out;
  if (type == 'd') {
    out = b.to_string();
    if (out.size() > 4300) fail(Kind::value, {"Exceeds the limit (4300 digits) for integer string conversion"});
    return out;
  }
  rt.charge(b.limbs.size());
  const int bits = type == 'b' ? 1 : type == 'o' ? 3 : 4;
  const char* symbols = type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
  const size_t total = b.limbs.size() * 32;
  for (size_t at = 0; at < total; at += static_cast<size_t>(bits)) {
    const size_t limb = at / 32, shift = at % 32;
    uint64_t wide = b.limbs[limb];
    if (limb + 1 < b.limbs.size()) wide |= uint64_t{b.limbs[limb + 1]} << 32;
    out += symbols[wide >> shift & ((1u << bits) - 1)];
  }
  while (!out.empty() && out.back() == '0') out.pop_back();
  if (out.empty()) out = "0";
  std::reverse(out.begin(), out.end());
  return out;
}
std::string real_digits(double d, char type, int64_t precision, bool alternate) {
  d = std::fabs(d);
  const bool upper = type == 'E' || type == 'F' || type == 'G';
  if (!std::isfinite(d)) return std::isnan(d) ? (upper ? "NAN" : "nan") : upper ? "INF" : "inf";
  if (precision > 10000) fail(Kind::value, {"the precision is too large"});
  char spec[8] = "%";
  char* p = spec + 1;
  if (alternate) *p++ = '#';
  *p++ = '.', *p++ = '*', *p++ = type, *p = 0;
  std::string out(static_cast<size_t>(std::snprintf(nullptr, 0, spec, static_cast<int>(precision), d)), ' ');
  std::snprintf(out.data(), out.size() + 1, spec, static_cast<int>(precision), d);
  return out;
}

std::string pad(Runtime& rt, const FormatSpec& spec, const std::string& sign, const std::string& body, char default_align) {
  const int64_t n = static_cast<int64_t>(count_points(sign) + count_points(body));
  const int64_t room = spec.width > n ? spec.width - n : 0;
  if (room > (int64_t{1} << 26)) fail(Kind::limit, {"a padded string is too long"});
  rt.charge_bytes(static_cast<size_t>(room));
  const char align = spec.align ? spec.align : default_align;
  const auto fill = [&](int64_t k) {
    std::string s;
    while (k-- > 0) s += spec.fill;
    return s;
  };
  if (align == '=') return sign + fill(room) + body;
  if (align == '<') return sign + body + fill(room);
  if (align == '^') return fill(room / 2) + sign + body + fill(room - room / 2);
  return fill(room) + sign + body;
}

namespace {

int64_t read_number(std::string_view s, size_t& i) {
  int64_t n = 0;
  for (; i < s.size() && s[i] >= '0' && s[i] <= '9'; ++i)
    if ((n = n * 10 + (s[i] - '0')) > (int64_t{1} << 31)) fail(Kind::value, {"Too many decimal digits in format string"});
  return n;
}
FormatSpec parse_spec(std::string_view s, const Value& v) {
  FormatSpec f;
  size_t i = 0;
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  const size_t first = byte_offset(s, 1);
  if (s.size() > first && !s.empty() && is_align(s[first])) f.fill = s.substr(0, first), f.align = s[first], i = first + 1;
  else if (!s.empty() && is_align(s[0])) f.align = s[0], i = 1;
  if (i < s.size() && (s[i] == '+' || s[i] == '-' || s[i] == ' ')) f.sign = s[i++];
  if (i < s.size() && s[i] == '#') f.alternate = true, ++i;
  if (i < s.size() && s[i] == '0') {
    f.zero = true, ++i;
    if (!f.align) f.align = v.is_string() ? '<' : '=', f.fill = "0";
  }
  f.width = read_number(s, i);
  if (i < s.size() && (s[i] == ',' || s[i] == '_')) f.grouping = s[i++];
  if (i < s.size() && s[i] == '.') {
    const size_t before = ++i;
    f.precision = read_number(s, i);
    if (i == before) fail(Kind::value, {"Format specifier missing precision"});
  }
  if (i < s.size()) f.type = s[i++];
  if (i < s.size()) fail(Kind::value, {"Invalid format specifier '", s, "' for object of type '", type_name(v), "'"});
  return f;
}
// Puts separators between groups of digits in the whole part.
std::string grouped(const std::string& digits, char separator, size_t group) {
  size_t whole = 0;
  while (whole < digits.size() && std::isalnum(static_cast<unsigned char>(digits[whole])) && digits[whole] != 'e') ++whole;
  std::string out;
  for (size_t i = 0; i < whole; ++i) {
    if (i && (whole - i) % group == 0) out += separator;
    out += digits[i];
  }
  return out + digits.substr(whole);
}
[[noreturn]] void unknown_code(char type, const Value& v) {
  fail(Kind::value, {"Unknown format code '", std::string(1, type), "' for object of type '", type_name(v), "'"});
}
std::string sign_text(bool negative, char sign) { return negative ? "-" : sign == '-' ? "" : std::string(1, sign); }

std::string format_integer(Runtime& rt, const Value& v, FormatSpec f) {
  if (f.precision >= 0) fail(Kind::value, {"Precision not allowed in integer format specifier"});
  const bool negative = v.is(Tag::big) ? v.big->negative : v.as_int() < 0;
  if (f.type == 'c') {
    if (!v.is_int() || v.as_int() < 0 || v.as_int() > 0x10FFFF) fail(Kind::overflow, {"%c arg not in range(0x110000)"});
    std::string point;
    encode(point, static_cast<uint32_t>(v.as_int()));
    return pad(rt, f, "", point, '<');
  }
  if (f.type && std::string_view("dnbBoxX").find(f.type) == std::string_view::npos) unknown_code(f.type, v);
  const char type = f.type == 0 || f.type == 'n' ? 'd' : f.type;
  std::string digits = integer_digits(rt, v, type), sign = sign_text(negative, f.sign);
  if (f.alternate && type != 'd') sign += '0', sign += type;
  if (f.grouping) digits = grouped(digits, f.grouping, type == 'd' ? 3 : 4);
  return pad(rt, f, sign, digits, '>');
}
std::string format_real(Runtime& rt, double d, FormatSpec f, const Value& v) {
  if (f.type && std::string_view("eEfFgGn%").find(f.type) == std::string_view::npos) unknown_code(f.type, v);
  std::string digits;
  if (f.type == 0 && f.precision < 0) {
    digits = float_repr(std::fabs(d));
  } else if (f.type == '%') {
    digits = real_digits(d * 100, 'f', f.precision < 0 ? 6 : f.precision, f.alternate) + "%";
  } else {
    const char type = f.type == 0 || f.type == 'n' ? 'g' : f.type;
    digits = real_digits(d, type, f.precision < 0 ? 6 : f.precision, f.alternate);
    // Without a type the result keeps a decimal point.
    if (f.type == 0 && std::isfinite(d) && digits.find_first_of(".e") == std::string::npos) digits += ".0";
  }
  if (f.grouping) digits = grouped(digits, f.grouping, 3);
  return pad(rt, f, sign_text(std::signbit(d) && !std::isnan(d), f.sign), digits, '>');
}

}  // namespace

std::string format_value(Runtime& rt, const Value& v, std::string_view spec) {
  if (spec.empty()) return to_text(rt, v);
  const FormatSpec f = parse_spec(spec, v);
  if (v.is(Tag::real)) return format_real(rt, v.d, f, v);
  if (v.is_number()) {
    if (f.type && std::string_view("eEfFgG%").find(f.type) != std::string_view::npos)
      return format_real(rt, to_double(rt, v), f, v);
    if (v.is(Tag::boolean) && !f.type) return pad(rt, f, "", v.b ? "True" : "False", '>');
    return format_integer(rt, v, f);
  }
  if (!v.is_string() && !v.is_undefined())
    fail(Kind::type, {"unsupported format string passed to ", type_name(v), ".__format__"});
  if (f.type && f.type != 's') unknown_code(f.type, v);
  if (f.align == '=') fail(Kind::value, {"'=' alignment not allowed in string format specifier"});
  std::string text = to_text(rt, v);
  if (f.precision >= 0) text.resize(byte_offset(text, static_cast<size_t>(f.precision)));
  return pad(rt, f, "", text, '<');
}

}  // namespace transformers::jinja
