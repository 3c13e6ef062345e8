// Operators on numbers, strings and lists, with Python's results and errors.
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "tokenizers/chat_template/bigint.h"
#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {
namespace {

constexpr const char* kSymbols[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};

[[noreturn]] void unsupported(BinaryOp op, const Value& a, const Value& b) {
  fail(Kind::type, {"unsupported operand type(s) for ", kSymbols[int(op)], ": '", type_name(a), "' and '", type_name(b), "'"});
}
double python_mod(double a, double b) {
  double r = std::fmod(a, b);
  if (r != 0 && (r < 0) != (b < 0)) r += b;
  return r == 0 ? std::copysign(0.0, b) : r;
}
Value real_op(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add: return Value::of(a + b);
    case BinaryOp::sub: return Value::of(a - b);
    case BinaryOp::mul: return Value::of(a * b);
    case BinaryOp::div:
      if (b == 0) fail(Kind::zero_division, {"float division by zero"});
      return Value::of(a / b);
    case BinaryOp::floordiv: {
      if (b == 0) fail(Kind::zero_division, {"float floor division by zero"});
      const double q = (a - python_mod(a, b)) / b, low = std::floor(q);
      return Value::of(q == 0 ? std::copysign(0.0, a / b) : q - low > 0.5 ? low + 1 : low);
    }
    case BinaryOp::mod:
      if (b == 0) fail(Kind::zero_division, {"float modulo"});
      return Value::of(python_mod(a, b));
    case BinaryOp::pow: {
      if (a == 0 && b < 0) fail(Kind::zero_division, {"0.0 cannot be raised to a negative power"});
      const double r = std::pow(a, b);
      if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b))
        fail(Kind::type, {"a negative number to a fractional power is complex, which is not supported"});
      if (std::isinf(r) && std::isfinite(a) && std::isfinite(b)) fail(Kind::overflow, {"(34, 'Numerical result out of range')"});
      return Value::of(r);
    }
  }
  return Value();
}
Value big_op(Runtime& rt, BinaryOp op, const Value& x, const Value& y) {
  const Big a(x), b(y);
  rt.charge(1 + a.limbs.size() * b.limbs.size() / 64);
  switch (op) {
    case BinaryOp::add: return add(a, b).to_value(rt);
    case BinaryOp::sub: return subtract(a, b).to_value(rt);
    case BinaryOp::mul: return multiply(a, b).to_value(rt);
    case BinaryOp::floordiv: case BinaryOp::mod: {
      if (b.zero()) fail(Kind::zero_division, {"integer division or modulo by zero"});
      Big q, r;
      divide(a, b, q, r);
      return (op == BinaryOp::mod ? r : q).to_value(rt);
    }
    case BinaryOp::div: {
      if (b.zero()) fail(Kind::zero_division, {"division by zero"});
      const double p = a.to_double(), q = b.to_double();
      if (std::isfinite(p) && std::isfinite(q)) return Value::of(p / q);
      if (std::isfinite(p)) return Value::of(a.negative != b.negative ? -0.0 : 0.0);
      fail(Kind::overflow, {"integer division result too large for a float"});
    }
    case BinaryOp::pow: {
      if (b.negative) return real_op(op, a.to_double(), b.to_double());
      Big result(int64_t{1}), base = a;
      if (b.limbs.size() > 1 && !(a.limbs.size() <= 1 && (a.zero() || a.limbs[0] == 1)))
        fail(Kind::limit, {"the exponent is too large"});
      for (uint32_t e = b.zero() ? 0 : b.limbs[0]; e; e >>= 1) {
        rt.charge(1 + base.limbs.size() * base.limbs.size() / 64);
        if (e & 1) result = multiply(result, base);
        if (e > 1) base = multiply(base, base);
      }
      return result.to_value(rt);
    }
  }
  return Value();
}
Value int_op(Runtime& rt, BinaryOp op, int64_t a, int64_t b) {
  int64_t r;
  switch (op) {
    case BinaryOp::add: if (!__builtin_add_overflow(a, b, &r)) return Value::of(r); break;
    case BinaryOp::sub: if (!__builtin_sub_overflow(a, b, &r)) return Value::of(r); break;
    case BinaryOp::mul: if (!__builtin_mul_overflow(a, b, &r)) return Value::of(r); break;
    case BinaryOp::div:
      if (b == 0) fail(Kind::zero_division, {"division by zero"});
      return Value::of(static_cast<double>(a) / static_cast<double>(b));
    case BinaryOp::floordiv: case BinaryOp::mod: {
      if (b == 0) fail(Kind::zero_division, {"integer division or modulo by zero"});
      if (b == -1) break;  // INT64_MIN / -1
      int64_t q = a / b, m = a % b;
      if (m != 0 && (m < 0) != (b < 0)) --q, m += b;
      return Value::of(op == BinaryOp::mod ? m : q);
    }
    case BinaryOp::pow: break;
  }
  return big_op(rt, op, Value::of(a), Value::of(b));
}

Value repeat(Runtime& rt, const Value& sequence, const Value& count) {
  if (count.is(Tag::big)) fail(Kind::overflow, {"cannot fit 'int' into an index-sized integer"});
  const size_t n = count.as_int() > 0 ? static_cast<size_t>(count.as_int()) : 0;
  constexpr size_t kMost = size_t{1} << 28;
  if (sequence.is_string()) {
    const Str& s = *sequence.s;
    if (s.size && n > kMost / s.size) fail(Kind::limit, {"a repeated string is too long"});
    const size_t size = s.size * n;
    rt.charge(size / 64 + n / 16);
    char* p = rt.arena.chars(size);
    if (s.size == 1) std::memset(p, s.data[0], n);
    else for (size_t i = 0; s.size && i < n; ++i) std::memcpy(p + i * s.size, s.data, s.size);
    return Value::of(static_cast<const Str*>(rt.arena.make<Str>(p, size, s.length * n, s.markup, nullptr)));
  }
  const List& l = *sequence.l;
  if (l.size && n > kMost / l.size) fail(Kind::limit, {"a repeated list is too long"});
  rt.charge(l.size * n / 4);
  Value* items = rt.arena.array<Value>(l.size * n);
  for (size_t i = 0; l.size && i < n; ++i) std::copy(l.begin(), l.end(), items + i * l.size);
  const List* out = rt.arena.make<List>(items, l.size * n);
  return sequence.is(Tag::tuple) ? Value::tuple(out) : Value::list(out);
}

}  // namespace

double to_double(Runtime& rt, const Value& v) {
  require_defined(rt, v);
  if (v.is(Tag::real)) return v.d;
  if (v.is_int()) return static_cast<double>(v.as_int());
  if (!v.is(Tag::big)) fail(Kind::type, {"must be real number, not ", type_name(v)});
  const double d = Big(v).to_double();
  if (std::isinf(d)) fail(Kind::overflow, {"int too large to convert to float"});
  return d;
}

Value binary(Runtime& rt, BinaryOp op, const Value& a, const Value& b) {
  if (a.is_int() && b.is_int()) return int_op(rt, op, a.as_int(), b.as_int());
  if (a.is_number() && b.is_number()) {
    if (a.is(Tag::real) || b.is(Tag::real)) return real_op(op, to_double(rt, a), to_double(rt, b));
    return big_op(rt, op, a, b);
  }
  if (op == BinaryOp::mod && a.is_string()) return percent_format(rt, a.s, b);
  require_defined(rt, a), require_defined(rt, b);
  if (op == BinaryOp::add) {
    if (a.is_string() && b.is_string()) {
      if (a.s->markup || b.s->markup) return Value::of(rt.concat(escape(rt, a), escape(rt, b)));
      return Value::of(rt.concat(a.s, b.s));
    }
    if (a.is_sequence() && a.tag == b.tag) {
      const size_t n = a.l->size + b.l->size;
      rt.charge(n / 4);
      Value* items = rt.arena.array<Value>(n);
      std::copy(a.l->begin(), a.l->end(), items);
      std::copy(b.l->begin(), b.l->end(), items + a.l->size);
      const List* out = rt.arena.make<List>(items, n);
      return a.is(Tag::tuple) ? Value::tuple(out) : Value::list(out);
    }
    if (a.is_string() || a.is_sequence())
      fail(Kind::type, {"can only concatenate ", type_name(a), " (not \"", type_name(b), "\") to ", type_name(a)});
  }
  if (op == BinaryOp::mul) {
    const bool a_repeats = a.is_string() || a.is_sequence(), b_repeats = b.is_string() || b.is_sequence();
    if (a_repeats && (b.is_int() || b.is(Tag::big))) return repeat(rt, a, b);
    if (b_repeats && (a.is_int() || a.is(Tag::big))) return repeat(rt, b, a);
    if (a_repeats || b_repeats)
      fail(Kind::type, {"can't multiply sequence by non-int of type '", type_name(a_repeats ? b : a), "'"});
  }
  unsupported(op, a, b);
}
Value negate(Runtime& rt, const Value& v) {
  require_defined(rt, v);
  if (v.is(Tag::real)) return Value::of(-v.d);
  if (v.is_int() || v.is(Tag::big)) return binary(rt, BinaryOp::sub, Value::of(0), v);
  fail(Kind::type, {"bad operand type for unary -: '", type_name(v), "'"});
}
Value positive(Runtime& rt, const Value& v) {
  require_defined(rt, v);
  if (v.is(Tag::boolean)) return Value::of(v.as_int());
  if (v.is_number()) return v;
  fail(Kind::type, {"bad operand type for unary +: '", type_name(v), "'"});
}

Value float_to_int(Runtime& rt, double d) {
  if (std::isnan(d)) fail(Kind::value, {"cannot convert float NaN to integer"});
  if (std::isinf(d)) fail(Kind::overflow, {"cannot convert float infinity to integer"});
  if (std::fabs(d) < 9e18) return Value::of(static_cast<int64_t>(d));
  return Big::from_double(std::trunc(d)).to_value(rt);
}
bool parse_int(Runtime& rt, std::string_view text, int base, Value& out) {
  std::string_view t = strip(text);
  Big big;
  bool negative = false;
  if (!t.empty() && (t[0] == '-' || t[0] == '+')) negative = t[0] == '-', t.remove_prefix(1);
  const auto prefix = [&](char letter) { return t.size() > 2 && t[0] == '0' && (t[1] | 32) == letter; };
  int used = base;
  if (base == 0 || base == 16 || base == 8 || base == 2) {
    const int found = prefix('x') ? 16 : prefix('o') ? 8 : prefix('b') ? 2 : 0;
    if (found && (base == 0 || base == found)) {
      used = found, t.remove_prefix(2);
      if (t[0] == '_') t.remove_prefix(1);
    } else if (base == 0) {
      used = 10;
      if (t.size() > 1 && t[0] == '0' && t.find_first_not_of("0_") != std::string_view::npos) return false;
    }
  }
  if (t.empty() || t.front() == '_' || t.back() == '_' || t.find("__") != std::string_view::npos) return false;
  if (t.size() > 4300) fail(Kind::value, {"Exceeds the limit (4300 digits) for integer string conversion"});
  rt.charge(t.size() * t.size() / 256);
  int64_t small = 0;
  bool is_big = false;
  for (const char c : t) {
    if (c == '_') continue;
    const int d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'z' ? (c | 32) - 'a' + 10 : 99;
    if (d >= used) return false;
    if (!is_big && small > (INT64_MAX - d) / used) is_big = true, big = Big(small);
    if (is_big) big = add(multiply(big, Big(static_cast<int64_t>(used))), Big(static_cast<int64_t>(d)));
    else small = small * used + d;
  }
  if (is_big) big.negative = negative, out = big.to_value(rt);
  else out = Value::of(negative ? -small : small);
  return true;
}
bool parse_float(std::string_view text, double& out) {
  const std::string_view t = strip(text);
  std::string digits;
  for (size_t i = 0; i < t.size(); ++i) {
    const auto digit = [&](size_t k) { return k < t.size() && t[k] >= '0' && t[k] <= '9'; };
    if (t[i] != '_') digits += static_cast<char>(t[i] >= 'A' && t[i] <= 'Z' ? t[i] + 32 : t[i]);
    else if (i == 0 || !digit(i - 1) || !digit(i + 1)) return false;
  }
  std::string_view body = digits;
  if (!body.empty() && (body[0] == '-' || body[0] == '+')) body.remove_prefix(1);
  if (body == "inf" || body == "infinity") out = HUGE_VAL;
  else if (body == "nan") out = std::nan("");
  else {
    if (body.empty() || !((body[0] >= '0' && body[0] <= '9') || body[0] == '.')) return false;
    const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), out);
    if (end != body.data() + body.size() || error == std::errc::invalid_argument) return false;
    if (error == std::errc::result_out_of_range) out = std::strtod(std::string(body).c_str(), nullptr);
  }
  if (digits[0] == '-') out = -out;
  return true;
}

Value round_number(Runtime& rt, const Value& v, int64_t digits) {
  require_defined(rt, v);
  if (v.is_int() || v.is(Tag::big)) {
    const Value whole = v.is(Tag::boolean) ? Value::of(v.as_int()) : v;
    if (digits >= 0) return whole;
    if (digits < -4300) return Value::of(0);
    const Value unit = binary(rt, BinaryOp::pow, Value::of(10), Value::of(-digits));
    Value rest = binary(rt, BinaryOp::mod, whole, unit);
    const Value low = binary(rt, BinaryOp::sub, whole, rest);
    const Value twice = binary(rt, BinaryOp::mul, rest, Value::of(2));
    bool up = less(rt, unit, twice);
    if (equal(rt, unit, twice)) {  // half to even
      const Value q = binary(rt, BinaryOp::floordiv, low, unit);
      up = truthy(rt, binary(rt, BinaryOp::mod, q, Value::of(2)));
    }
    return up ? binary(rt, BinaryOp::add, low, unit) : low;
  }
  if (!v.is(Tag::real)) fail(Kind::type, {"type ", type_name(v), " doesn't define __round__ method"});
  if (!std::isfinite(v.d) || digits > 323) return v;
  if (digits < -308) return Value::of(std::copysign(0.0, v.d));
  if (digits < 0) {
    const double unit = std::pow(10.0, static_cast<double>(-digits));
    return Value::of(std::nearbyint(v.d / unit) * unit);
  }
  char buffer[700];
  std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(digits), v.d);
  return Value::of(std::strtod(buffer, nullptr));
}
int64_t index_of(Runtime& rt, const Value& v, const char* what) {
  require_defined(rt, v);
  if (v.is_int()) return v.as_int();
  if (v.is(Tag::big)) return v.big->negative ? INT64_MIN : INT64_MAX;
  fail(Kind::type, {what, ": '", type_name(v), "' object cannot be interpreted as an integer"});
}

}  // namespace transformers::jinja
