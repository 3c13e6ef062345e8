// Functions of one tensor. Gradients are written as functions of (gradient, input) or (gradient, result).
#include <cmath>

#include "ops/elementwise.h"
#include "ops/fast.h"

namespace transformers {
using namespace detail;
using kernels::Map;
namespace {

// y = f(x), dx = d(g, x).
template <class F, class D> Tensor by_input(const char* name, const Tensor& input, F f, D d) {
  const Tensor x = floating(input);
  return record(map(name, x, f), name, {x}, [x, name, d](const Tensor& g) -> Grads { return {map2(name, g, x, d)}; });
}
// y = f(x), dx = d(g, y).
template <class F, class D> Tensor by_result(const char* name, const Tensor& input, F f, D d) {
  const Tensor x = floating(input), y = map(name, x, f);
  if (!needs_grad({x})) return y;
  return record(y, name, {x}, [y = alias(y), name, d](const Tensor& g) -> Grads { return {map2(name, g, y, d)}; });
}
// The same with a vector kernel for f32, f16 and bf16.
template <class F, class D> Tensor by_input(const char* name, const Tensor& input, Map kernel, F f, D d) {
  const Tensor x = floating(input);
  return record(map(name, x, kernel, f), name, {x}, [x, name, d](const Tensor& g) -> Grads { return {map2(name, g, x, d)}; });
}
template <class F, class D> Tensor by_result(const char* name, const Tensor& input, Map kernel, F f, D d) {
  const Tensor x = floating(input), y = map(name, x, kernel, f);
  if (!needs_grad({x})) return y;
  return record(y, name, {x}, [y = alias(y), name, d](const Tensor& g) -> Grads { return {map2(name, g, y, d)}; });
}
// Piecewise constant: the gradient is zero.
template <class F> Tensor step(const char* name, const Tensor& x, F f) {
  if (!is_floating(x.dtype())) return x;
  return record(map(name, x, f, kCheapGrain), name, {x}, [](const Tensor& g) -> Grads { return {zeros_like(g)}; });
}

}  // namespace

Tensor exp(const Tensor& x) {
  return by_result("exp", x, Map::exp, [](auto v) { return std::exp(v); }, [](auto g, auto y) { return g * y; });
}
Tensor expm1(const Tensor& x) {
  return by_result("expm1", x, [](auto v) { return std::expm1(v); }, [](auto g, auto y) { return g * (y + 1); });
}
Tensor log(const Tensor& x) {
  return by_input("log", x, [](auto v) { return std::log(v); }, [](auto g, auto v) { return g / v; });
}
Tensor log1p(const Tensor& x) {
  return by_input("log1p", x, [](auto v) { return std::log1p(v); }, [](auto g, auto v) { return g / (v + 1); });
}
Tensor log2(const Tensor& x) {
  return by_input("log2", x, [](auto v) { return std::log2(v); }, [](auto g, auto v) { return g / (v * decltype(v)(0.6931471805599453)); });
}
Tensor log10(const Tensor& x) {
  return by_input("log10", x, [](auto v) { return std::log10(v); }, [](auto g, auto v) { return g / (v * decltype(v)(2.302585092994046)); });
}
Tensor sqrt(const Tensor& x) {
  return by_result("sqrt", x, Map::sqrt, [](auto v) { return std::sqrt(v); }, [](auto g, auto y) { return g / (2 * y); });
}
Tensor rsqrt(const Tensor& x) {
  return by_result("rsqrt", x, Map::rsqrt, [](auto v) { return 1 / std::sqrt(v); }, [](auto g, auto y) { return g * y * y * y * decltype(y)(-0.5); });
}
Tensor reciprocal(const Tensor& x) {
  return by_result("reciprocal", x, [](auto v) { return 1 / v; }, [](auto g, auto y) { return -g * y * y; });
}
Tensor square(const Tensor& x) { return pow(x, 2.0); }
Tensor abs(const Tensor& x) {
  return record(map_number("abs", x, [](auto v) { return std::is_integral_v<decltype(v)> ? (v < 0 ? -v : v) : std::abs(v); }), "abs", {x},
                [x](const Tensor& g) -> Grads { return {map2("abs", g, x, [](auto u, auto v) { return v > 0 ? u : v < 0 ? -u : decltype(u)(0); })}; });
}
Tensor sign(const Tensor& x) {
  const auto f = [](auto v) { using A = decltype(v); return v > 0 ? A(1) : v < 0 ? A(-1) : A(0); };
  if (!is_floating(x.dtype())) return map_number("sign", x, f);
  return step("sign", x, f);
}
Tensor floor(const Tensor& x) {
  return step("floor", x, [](auto v) { return std::floor(v); });
}
Tensor ceil(const Tensor& x) {
  return step("ceil", x, [](auto v) { return std::ceil(v); });
}
Tensor round(const Tensor& x) {
  return step("round", x, [](auto v) { return std::nearbyint(v); });
}
Tensor trunc(const Tensor& x) {
  return step("trunc", x, [](auto v) { return std::trunc(v); });
}
Tensor sin(const Tensor& x) {
  return by_input("sin", x, [](auto v) { return std::sin(v); }, [](auto g, auto v) { return g * std::cos(v); });
}
Tensor cos(const Tensor& x) {
  return by_input("cos", x, [](auto v) { return std::cos(v); }, [](auto g, auto v) { return -g * std::sin(v); });
}
Tensor tan(const Tensor& x) {
  return by_result("tan", x, [](auto v) { return std::tan(v); }, [](auto g, auto y) { return g * (1 + y * y); });
}
Tensor atan(const Tensor& x) {
  return by_input("atan", x, [](auto v) { return std::atan(v); }, [](auto g, auto v) { return g / (1 + v * v); });
}
Tensor erf(const Tensor& x) {
  return by_input("erf", x, Map::erf, [](auto v) { return std::erf(v); },
                  [](auto g, auto v) { return g * decltype(v)(1.1283791670955126) * std::exp(-v * v); });
}

}  // namespace transformers
