// Format specifications shared by "%" and str.format.
#pragma once
#include <string>

#include "tokenizers/chat_template/value.h"

namespace transformers::jinja {

struct FormatSpec {
  std::string fill = " ";
  char align = 0;  // '<', '>', '^', '=' or 0
  char sign = '-';
  bool alternate = false, zero = false;
  char grouping = 0;  // ',' or '_'
  int64_t width = 0, precision = -1;
  char type = 0;
};
/// Digits of an integer in `type` d, b, o, x or X, without sign or prefix.
std::string integer_digits(Runtime& rt, const Value& v, char type);
/// |d| in type e, f, g, n, % or 0 (repr-like), without its sign.
std::string real_digits(double d, char type, int64_t precision, bool alternate);
/// Pads sign + prefix + digits (a number) or a text to the width.
std::string pad(Runtime& rt, const FormatSpec& spec, const std::string& sign, const std::string& body, char default_align);
/// format(v, spec)
std::string format_value(Runtime& rt, const Value& v, std::string_view spec);

}  // namespace transformers::jinja
