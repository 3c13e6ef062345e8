// Comparisons and logic: bool results, never recorded.
#include <cmath>

#include "ops/elementwise.h"
#include "ops/iterate.h"

namespace transformers {
using namespace detail;
namespace {

template <class Op> Tensor compared(const char* name, const Tensor& a, const Tensor& b, Op op) {
  const DType t = result_type(a, b), c = is_floating(t) ? t : DType::i64;
  const Tensor x = a.detach().to(c), y = b.detach().to(c);
  Tensor out = Tensor::empty(broadcast_shapes(name, a.shape(), b.shape()), DType::boolean);
  TRANSFORMERS_NUMBER_SWITCH(name, c, zip<T, bool>(x, y, out, op))
  return out;
}
template <class Op> Tensor compared(const char* name, const Tensor& a, double b, Op op) {
  Tensor out;
  const bool whole = b == std::floor(b) && std::fabs(b) < 0x1p62;
  if (!is_floating(a.dtype()) && !whole)
    return map_as<double, bool>(a.to(DType::f64), DType::boolean, kCheapGrain, [op, b](double v) { return op(v, b); });
  const Tensor x = is_floating(a.dtype()) ? a : a.to(DType::i64);
  TRANSFORMERS_NUMBER_SWITCH(name, x.dtype(), {
    const auto v = load(static_cast<T>(b));
    out = map_as<T, bool>(x, DType::boolean, kCheapGrain, [op, v](auto u) { return op(u, v); });
  })
  return out;
}
template <class Op> Tensor logical(const char* name, const Tensor& a, const Tensor& b, Op op) {
  const Tensor x = a.detach().to(DType::boolean), y = b.detach().to(DType::boolean);
  Tensor out = Tensor::empty(broadcast_shapes(name, a.shape(), b.shape()), DType::boolean);
  zip<bool, bool>(x, y, out, op);
  return out;
}
template <class Op> Tensor tested(const char* name, const Tensor& x, bool if_integer, Op op) {
  if (!is_floating(x.dtype())) return Tensor::full(x.shape(), if_integer, DType::boolean);
  Tensor out;
  TRANSFORMERS_FLOAT_SWITCH(name, x.dtype(), out = map_as<T, bool>(x, DType::boolean, kCheapGrain, op))
  return out;
}

}  // namespace

#define TRANSFORMERS_COMPARISON(name, op)                                                                         \
  Tensor name(const Tensor& a, const Tensor& b) {                                                                 \
    return compared(#name, a, b, [](auto u, auto v) { return u op v; });                                          \
  }                                                                                                               \
  Tensor name(const Tensor& a, double b) {                                                                        \
    return compared(#name, a, b, [](auto u, auto v) { return u op v; });                                          \
  }
TRANSFORMERS_COMPARISON(eq, ==)
TRANSFORMERS_COMPARISON(ne, !=)
TRANSFORMERS_COMPARISON(lt, <)
TRANSFORMERS_COMPARISON(le, <=)
TRANSFORMERS_COMPARISON(gt, >)
TRANSFORMERS_COMPARISON(ge, >=)

Tensor logical_and(const Tensor& a, const Tensor& b) {
  return logical("logical_and", a, b, [](bool u, bool v) { return u & v; });
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  return logical("logical_or", a, b, [](bool u, bool v) { return u | v; });
}
Tensor logical_not(const Tensor& a) {
  return map_as<bool, bool>(a.detach().to(DType::boolean), DType::boolean, kCheapGrain, [](bool v) { return !v; });
}
Tensor isnan(const Tensor& x) { return tested("isnan", x, false, [](auto v) { return v != v; }); }
Tensor isinf(const Tensor& x) { return tested("isinf", x, false, [](auto v) { return std::isinf(v); }); }
Tensor isfinite(const Tensor& x) { return tested("isfinite", x, true, [](auto v) { return std::isfinite(v); }); }

}  // namespace transformers
