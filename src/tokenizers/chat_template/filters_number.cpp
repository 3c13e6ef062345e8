// Filters on numbers, and default.
#include <cmath>
#include <iterator>

#include "tokenizers/chat_template/filters.h"
#include "tokenizers/chat_template/format.h"

namespace transformers::jinja {
namespace {

Value abs_filter(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("abs", args);
  require_defined(rt, in);
  if (!in.is_number()) fail(Kind::type, {"bad operand type for abs(): '", type_name(in), "'"});
  if (in.is(Tag::real)) return Value::of(std::fabs(in.d));
  return less(rt, in, Value::of(0)) ? negate(rt, in) : positive(rt, in);
}
Value int_filter(Runtime& rt, const Value& in, const Args& args) {
  const auto [fallback, base] = bind("int", args, {"default", "base"});
  const Value otherwise = fallback.is_missing() ? Value::of(0) : fallback;
  require_defined(rt, in);
  if (in.is(Tag::real)) return std::isnan(in.d) ? otherwise : float_to_int(rt, in.d);
  if (in.is_number()) return positive(rt, in);
  if (!in.is_string()) return otherwise;
  const int64_t b = integer(rt, base, 10, "base");
  Value out;
  double d = 0;
  if ((b == 0 || (b >= 2 && b <= 36)) && in.s->size <= 4300 && parse_int(rt, in.s->view(), static_cast<int>(b), out)) return out;
  return parse_float(in.s->view(), d) && std::isfinite(d) ? float_to_int(rt, d) : otherwise;
}
Value float_filter(Runtime& rt, const Value& in, const Args& args) {
  const auto [fallback] = bind("float", args, {"default"});
  require_defined(rt, in);
  double d = 0;
  if (in.is_number()) return Value::of(to_double(rt, in));
  if (in.is_string() && parse_float(in.s->view(), d)) return Value::of(d);
  return fallback.is_missing() ? Value::of(0.0) : fallback;
}
Value round_filter(Runtime& rt, const Value& in, const Args& args) {
  const auto [precision, method] = bind("round", args, {"precision", "method"});
  const std::string how = method.is_missing() ? "common" : to_text(rt, method);
  if (how != "common" && how != "ceil" && how != "floor")
    fail(Kind::runtime, {"method must be common, ceil or floor"});
  const int64_t digits = integer(rt, precision, 0, "precision");
  if (how == "common") return round_number(rt, in, digits);
  const Value unit = binary(rt, BinaryOp::pow, Value::of(10), Value::of(digits));
  const Value scaled = binary(rt, BinaryOp::mul, in, unit);
  if (!scaled.is_number()) fail(Kind::type, {"must be real number, not ", type_name(scaled)});
  const Value whole = !scaled.is(Tag::real) ? scaled
                      : float_to_int(rt, how == "ceil" ? std::ceil(scaled.d) : std::floor(scaled.d));
  return binary(rt, BinaryOp::div, whole, unit);
}
Value filesizeformat(Runtime& rt, const Value& in, const Args& args) {
  const auto [binary_units] = bind("filesizeformat", args, {"binary"});
  const bool two = flag(rt, binary_units, false);
  double bytes = 0;
  require_defined(rt, in);
  if (in.is_number()) bytes = to_double(rt, in);
  else if (!in.is_string() || !parse_float(in.s->view(), bytes))
    fail(in.is_string() ? Kind::value : Kind::type, {"could not convert to float: ", type_name(in)});
  const double base = two ? 1024 : 1000;
  static constexpr const char* kUnits[2][8] = {{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"},
                                               {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}};
  if (bytes == 1) return rt.string("1 Byte");
  if (!(bytes >= base) && !std::isnan(bytes)) {
    std::string whole;
    append_repr(rt, whole, float_to_int(rt, bytes));
    return rt.string(whole + " Bytes");
  }
  double unit = base;
  int i = 0;
  for (;; ++i) {
    unit = std::pow(base, i + 2);
    if (bytes < unit || i == 7) break;
  }
  return rt.string(real_digits(base * bytes / unit, 'f', 1, false) + " " + kUnits[two][i]);
}
Value default_filter(Runtime& rt, const Value& in, const Args& args) {
  const auto [fallback, boolean] = bind("default", args, {"default_value", "boolean"});
  if (!in.is_undefined() && !(flag(rt, boolean, false) && !truthy(rt, in))) return in;
  return fallback.is_missing() ? rt.string("") : fallback;
}

constexpr NamedFilter kFilters[] = {{"abs", abs_filter}, {"d", default_filter}, {"default", default_filter},
                                    {"filesizeformat", filesizeformat}, {"float", float_filter},
                                    {"int", int_filter}, {"round", round_filter}};

}  // namespace

FilterTable number_filters() { return {std::begin(kFilters), std::end(kFilters)}; }

}  // namespace transformers::jinja
