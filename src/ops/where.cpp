// Selection by a mask. Values are only moved, so loops are by element size.
#include <cmath>
#include <limits>

#include "ops/elementwise.h"
#include "ops/iterate.h"

namespace transformers {
using namespace detail;
namespace {

Tensor as_mask(const Tensor& m) { return m.detach().to(DType::boolean); }

// mask ? a : b into a new tensor of the broadcast shape; a and b have the same type.
Tensor choose(const char* op, const Tensor& mask, const Tensor& a, const Tensor& b) {
  Tensor y = Tensor::empty(broadcast_shapes(op, mask.shape(), broadcast_shapes(op, a.shape(), b.shape())), a.dtype());
  const Shape& s = y.shape();
  const Walk<3> w(s, {strides_in(mask, s), strides_in(a, s), strides_in(b, s)});
  const int64_t sm = w.step(0), sa = w.step(1), sb = w.step(2);
  const bool* pm = mask.data<bool>();
  TRANSFORMERS_SIZE_SWITCH(size_of(a.dtype()), {
    const U *pa = static_cast<const U*>(a.raw()), *pb = static_cast<const U*>(b.raw());
    U* py = static_cast<U*>(y.mutable_raw());
    w.run(kCheapGrain, [=](int64_t at, const int64_t* off, int64_t n) {
      const bool* m = pm + off[0];
      const U *u = pa + off[1], *v = pb + off[2];
      U* d = py + at;
      if (sm == 1 && sa == 1 && sb == 1) for (int64_t i = 0; i < n; ++i) { const U p = u[i], q = v[i]; d[i] = m[i] ? p : q; }
      else if (sm == 1 && sa == 0 && sb == 1) for (int64_t i = 0; i < n; ++i) { const U p = *u, q = v[i]; d[i] = m[i] ? p : q; }
      else for (int64_t i = 0; i < n; ++i) d[i] = m[i * sm] ? u[i * sa] : v[i * sb];
    });
  })
  return y;
}
Tensor zero(DType t) { return Tensor::full({}, 0, t); }
// The value as a tensor of type t. The largest float32 overflows to infinity in the 16-bit floats, as a cast does.
Tensor number(double v, DType t) { return Tensor::full({}, v, t); }

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  const Tensor mask = as_mask(condition);
  const DType t = result_type(a, b);
  return record(choose("where", mask, a.detach().to(t), b.detach().to(t)), "where", {a, b}, [mask, a, b](const Tensor& g) -> Grads {
    Tensor ga, gb;
    if (a.requires_grad()) ga = unbroadcast(choose("where", mask, g, zero(g.dtype())), a);
    if (b.requires_grad()) gb = unbroadcast(choose("where", mask, zero(g.dtype()), g), b);
    return {ga, gb};
  });
}
Tensor where(const Tensor& condition, const Tensor& a, double b) {
  const bool keep = is_floating(a.dtype()) || (b == std::floor(b) && std::isfinite(b));
  return where(condition, a, number(b, keep ? (a.dtype() == DType::boolean ? DType::i64 : a.dtype()) : DType::f32));
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  const Tensor m = as_mask(mask);
  return record(choose("masked_fill", m, number(value, x.dtype()), x.detach()), "masked_fill", {x}, [m, x](const Tensor& g) -> Grads {
    return {unbroadcast(choose("masked_fill", m, zero(g.dtype()), g), x)};
  });
}
Tensor clamp(const Tensor& x, double low, double high) {
  Tensor y;
  if (is_floating(x.dtype())) {
    y = map("clamp", x, [low, high](auto v) {
      using A = decltype(v);
      return v != v ? v : v < A(low) ? A(low) : v > A(high) ? A(high) : v;
    }, kCheapGrain);
  } else {
    // Saturate so that infinite bounds are fine for integers.
    const auto bound = [](double v) {
      return v <= -0x1p63 ? std::numeric_limits<int64_t>::min() : v >= 0x1p63 ? std::numeric_limits<int64_t>::max() : static_cast<int64_t>(v);
    };
    const int64_t lo = bound(low), hi = bound(high);
    y = map_number("clamp", x, [lo, hi](auto v) { using A = decltype(v); return v < A(lo) ? A(lo) : v > A(hi) ? A(hi) : v; });
  }
  return record(y, "clamp", {x}, [x, low, high](const Tensor& g) -> Grads {
    return {map2("clamp", g, x, [low, high](auto u, auto v) { using A = decltype(u); return v >= A(low) && v <= A(high) ? u : A(0); })};
  });
}

}  // namespace transformers
