// Arithmetic of two broadcast tensors, or of a tensor and a number. Reference: torch's binary ops.
#include <cmath>

#include "ops/elementwise.h"
#include "ops/fast.h"
#include "ops/reduce.h"

namespace transformers {
using namespace detail;
using kernels::Arith;

DType detail::result_type(const Tensor& a, const Tensor& b) {
  if ((a.rank() == 0) == (b.rank() == 0)) return promote(a.dtype(), b.dtype());
  const DType high = a.rank() ? a.dtype() : b.dtype(), low = a.rank() ? b.dtype() : a.dtype();
  if (is_floating(high)) return high;
  return high == DType::boolean || is_floating(low) ? promote(high, low) : high;
}

Tensor detail::unbroadcast(const Tensor& g, const Tensor& input) {
  if (g.shape() == input.shape()) return g.to(input.dtype());
  Shape dims;
  const int64_t extra = g.rank() - input.rank();
  for (int64_t i = 0; i < g.rank(); ++i)
    if (i < extra || (input.shape()[i - extra] == 1 && g.shape()[i] != 1)) dims.push_back(i);
  return sum(g, dims).reshape(input.shape()).to(input.dtype());
}

namespace {

template <class T, class Op> Tensor zipped_as(const char* name, const Tensor& a, const Tensor& b, DType t, Op op) {
  const Tensor x = a.detach().to(t), y = b.detach().to(t);
  Tensor out = Tensor::empty(broadcast_shapes(name, a.shape(), b.shape()), t);
  zip<T, T>(x, y, out, op);
  return out;
}
template <class Op> Tensor zipped(const char* name, const Tensor& a, const Tensor& b, DType t, Op op) {
  const DType c = is_floating(t) ? t : DType::i64;
  const Tensor x = a.detach().to(c), y = b.detach().to(c);
  Tensor out = Tensor::empty(broadcast_shapes(name, a.shape(), b.shape()), c);
  TRANSFORMERS_NUMBER_SWITCH(name, c, zip<T, T>(x, y, out, op))
  return out.to(t);
}
// The same with a vector kernel for everything but doubles and integers.
template <class Op> Tensor zipped(const char* name, const Tensor& a, const Tensor& b, DType t, kernels::Arith kernel, Op op) {
  if (!has_kernel(t)) {
    if (t != DType::f64) return zipped_as<int64_t>(name, a, b, DType::i64, op).to(t);
    return zipped_as<double>(name, a, b, t, op);
  }
  Tensor out = Tensor::empty(broadcast_shapes(name, a.shape(), b.shape()), t);
  zip_fast(kernel, a.detach().to(t), b.detach().to(t), out);
  return out;
}
// A gradient, or none where the input does not need one.
template <class F> Tensor if_needed(const Tensor& input, F f) { return input.requires_grad() ? unbroadcast(f(), input) : Tensor(); }

// The tensor as it meets the number b: integers stay integers when b is whole.
Tensor beside(const Tensor& a, double b) {
  if (is_floating(a.dtype())) return a;
  if (b != std::floor(b) || std::isinf(b)) return a.to(DType::f32);
  return a.dtype() == DType::boolean ? a.to(DType::i64) : a;
}
template <class F> Tensor with_number(const char* name, const Tensor& a, double b, Arith kernel, bool reversed, F f) {
  const Tensor x = beside(a, b);
  if (has_kernel(x.dtype())) return with_number_fast(kernel, x, static_cast<float>(b), reversed);
  if (x.dtype() == DType::f64) return map_as<double, double>(x, DType::f64, kCheapGrain, [f, b](double v) { return f(v, b); });
  return map_number(name, x, [f, b](auto v) { return f(v, static_cast<decltype(v)>(b)); });
}
template <class F> Tensor with_number(const char* name, const Tensor& a, double b, F f) {
  return map_number(name, beside(a, b), [f, b](auto v) { return f(v, static_cast<decltype(v)>(b)); });
}

template <class A> A power(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
    uint64_t result = 1, base = static_cast<uint64_t>(a);
    for (; b > 0; b >>= 1, base *= base) result *= b & 1 ? base : 1;
    return static_cast<A>(result);
  } else {
    return std::pow(a, b);
  }
}
template <class A> A floor_div(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    if (b == -1) return static_cast<A>(-static_cast<uint64_t>(a));
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
  } else {
    if (b == 0) return a / b;
    A mod = std::fmod(a, b), div = (a - mod) / b;
    if (mod != 0 && (b < 0) != (mod < 0)) div -= 1;
    if (div == 0) return std::copysign(A(0), a / b);
    const A down = std::floor(div);
    return div - down > A(0.5) ? down + 1 : down;
  }
}
template <class A> A modulo(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    if (b == -1) return 0;
    const A mod = a % b;
    return mod != 0 && (mod < 0) != (b < 0) ? mod + b : mod;
  } else {
    const A mod = std::fmod(a, b);
    return mod != 0 && (b < 0) != (mod < 0) ? mod + b : mod;
  }
}
void check_divisor(const char* name, const Tensor& b) {
  if (is_floating(b.dtype())) return;
  const Tensor d = b.to(DType::i64).contiguous();
  for (int64_t i = 0; i < d.numel(); ++i)
    if (d.data<int64_t>()[i] == 0) throw ValueError({name, ": integer division by zero"});
}

}  // namespace

Tensor operator+(const Tensor& a, const Tensor& b) {
  return record(zipped("add", a, b, result_type(a, b), Arith::add, [](auto x, auto y) { return x + y; }), "add", {a, b}, [a, b](const Tensor& g) -> Grads {
    return {if_needed(a, [&] { return g; }), if_needed(b, [&] { return g; })};
  });
}
Tensor operator-(const Tensor& a, const Tensor& b) {
  return record(zipped("sub", a, b, result_type(a, b), Arith::sub, [](auto x, auto y) { return x - y; }), "sub", {a, b}, [a, b](const Tensor& g) -> Grads {
    return {if_needed(a, [&] { return g; }), if_needed(b, [&] { return -g; })};
  });
}
Tensor operator*(const Tensor& a, const Tensor& b) {
  return record(zipped("mul", a, b, result_type(a, b), Arith::mul, [](auto x, auto y) { return x * y; }), "mul", {a, b}, [a, b](const Tensor& g) -> Grads {
    return {if_needed(a, [&] { return g * b; }), if_needed(b, [&] { return g * a; })};
  });
}
Tensor operator/(const Tensor& a, const Tensor& b) {
  const DType t = result_type(a, b);
  Tensor y = zipped("div", a, b, is_floating(t) ? t : DType::f32, Arith::div, [](auto u, auto v) { return u / v; });
  return record(y, "div", {a, b}, [a, b](const Tensor& g) -> Grads {
    return {if_needed(a, [&] { return g / b; }), if_needed(b, [&] { return -(g * (a / b) / b); })};
  });
}

Tensor operator+(const Tensor& a, double b) {
  return record(with_number("add", a, b, Arith::add, false, [](auto x, auto y) { return x + y; }), "add", {a}, [](const Tensor& g) -> Grads { return {g}; });
}
Tensor operator-(const Tensor& a, double b) { return a + -b; }
Tensor operator*(const Tensor& a, double b) {
  return record(with_number("mul", a, b, Arith::mul, false, [](auto x, auto y) { return x * y; }), "mul", {a}, [b](const Tensor& g) -> Grads { return {g * b}; });
}
Tensor operator/(const Tensor& a, double b) {
  return record(with_number("div", floating(a), b, Arith::div, false, [](auto x, auto y) { return x / y; }), "div", {a}, [b](const Tensor& g) -> Grads { return {g / b}; });
}
Tensor operator+(double a, const Tensor& b) { return b + a; }
Tensor operator-(double a, const Tensor& b) {
  return record(with_number("sub", b, a, Arith::sub, true, [](auto x, auto y) { return y - x; }), "sub", {b}, [](const Tensor& g) -> Grads { return {-g}; });
}
Tensor operator*(double a, const Tensor& b) { return b * a; }
Tensor operator/(double a, const Tensor& b) {
  return record(with_number("div", floating(b), a, Arith::div, true, [](auto x, auto y) { return y / x; }), "div", {b}, [a, b](const Tensor& g) -> Grads {
    return {map2("div", g, b, [a](auto u, auto v) { return -u * static_cast<decltype(u)>(a) / (v * v); })};
  });
}
Tensor operator-(const Tensor& a) {
  return record(with_number("neg", a, -1, Arith::mul, false, [](auto x, auto y) { return x * y; }), "neg", {a}, [](const Tensor& g) -> Grads { return {-g}; });
}

// The gradient of a maximum or minimum goes to the winner; equals share it.
static Tensor to_winner(const Tensor& g, const Tensor& winner, const Tensor& other, bool largest) {
  return where(eq(winner, other), g * 0.5, where(largest ? lt(winner, other) : gt(winner, other), g * 0.0, g));
}
Tensor maximum(const Tensor& a, const Tensor& b) {
  Tensor y = zipped("maximum", a, b, result_type(a, b), Arith::max, [](auto u, auto v) { return u != u || u > v ? u : v; });
  return record(y, "maximum", {a, b}, [a, b](const Tensor& g) -> Grads {
    return {if_needed(a, [&] { return to_winner(g, a, b, true); }), if_needed(b, [&] { return to_winner(g, b, a, true); })};
  });
}
Tensor minimum(const Tensor& a, const Tensor& b) {
  Tensor y = zipped("minimum", a, b, result_type(a, b), Arith::min, [](auto u, auto v) { return u != u || u < v ? u : v; });
  return record(y, "minimum", {a, b}, [a, b](const Tensor& g) -> Grads {
    return {if_needed(a, [&] { return to_winner(g, a, b, false); }), if_needed(b, [&] { return to_winner(g, b, a, false); })};
  });
}
Tensor floor_divide(const Tensor& a, const Tensor& b) {
  const DType t = result_type(a, b);
  if (!is_floating(t)) check_divisor("floor_divide", b);
  return zipped("floor_divide", a, b, t, [](auto u, auto v) { return floor_div(u, v); });
}
Tensor remainder(const Tensor& a, const Tensor& b) {
  const DType t = result_type(a, b);
  if (!is_floating(t)) check_divisor("remainder", b);
  return record(zipped("remainder", a, b, t, [](auto u, auto v) { return modulo(u, v); }), "remainder", {a, b}, [a, b](const Tensor& g) -> Grads {
    return {if_needed(a, [&] { return g; }), if_needed(b, [&] { return -(g * floor_divide(a, b)); })};
  });
}

Tensor pow(const Tensor& a, double e) {
  if (!is_floating(a.dtype()) && e < 0 && e == std::floor(e)) throw ValueError({"pow: integers to a negative power; convert to a floating type"});
  const Tensor x = beside(a, e);
  Tensor y;
  if (e == 2) y = is_floating(x.dtype()) ? map("pow", x, kernels::Map::square, [](auto v) { return v * v; }) : map_number("pow", x, [](auto v) { return v * v; });
  else if (e == 3) y = map_number("pow", x, [](auto v) { return v * v * v; });
  else if (e == 0.5) y = map("pow", x, kernels::Map::sqrt, [](auto v) { return std::sqrt(v); });
  else if (e == -0.5) y = map("pow", x, kernels::Map::rsqrt, [](auto v) { return 1 / std::sqrt(v); });
  else if (e == -1) y = map("pow", x, [](auto v) { return 1 / v; });
  else y = with_number("pow", x, e, [](auto u, auto v) { return power(u, v); });
  return record(y, "pow", {a}, [a, e](const Tensor& g) -> Grads {
    if (e == 0) return {zeros_like(g)};
    if (e == 2) return {g * a.to(g.dtype()) * 2.0};
    return {map2("pow", g, a, [e](auto u, auto v) { using A = decltype(u); return u * A(e) * std::pow(v, A(e - 1)); })};
  });
}
Tensor pow(const Tensor& a, const Tensor& e) {
  Tensor y = zipped("pow", a, e, result_type(a, e), [](auto u, auto v) { return power(u, v); });
  return record(y, "pow", {a, e}, [a, e](const Tensor& g) -> Grads {
    return {if_needed(a, [&] { return where(eq(e, 0.0), g * 0.0, g * e * pow(a, e - 1.0)); }),
            if_needed(e, [&] { return where(logical_and(eq(a, 0.0), ge(e, 0.0)), g * 0.0, g * pow(a, e) * log(a)); })};
  });
}

}  // namespace transformers
