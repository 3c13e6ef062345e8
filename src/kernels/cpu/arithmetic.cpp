// Arithmetic and 16-bit conversions with Highway.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/arithmetic.cpp"
#include "kernels/cpu/simd.h"
#include "kernels/arithmetic.h"

HWY_BEFORE_NAMESPACE();
namespace transformers::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

struct Add {
  HWY_INLINE V operator()(V a, V b) const { return hn::Add(a, b); }
  float operator()(float a, float b) const { return a + b; }
};
struct Subtract {
  HWY_INLINE V operator()(V a, V b) const { return hn::Sub(a, b); }
  float operator()(float a, float b) const { return a - b; }
};
struct Multiply {
  HWY_INLINE V operator()(V a, V b) const { return hn::Mul(a, b); }
  float operator()(float a, float b) const { return a * b; }
};
struct Divide {
  HWY_INLINE V operator()(V a, V b) const { return hn::Div(a, b); }
  float operator()(float a, float b) const { return a / b; }
};
// Highway's Ne is false for NaN: hence Not(Eq).
struct Maximum {
  HWY_INLINE V operator()(V a, V b) const { return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::Not(hn::Eq(a, a))), a, b); }
  float operator()(float a, float b) const { return a > b || a != a ? a : b; }
};
struct Minimum {
  HWY_INLINE V operator()(V a, V b) const { return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::Not(hn::Eq(a, a))), a, b); }
  float operator()(float a, float b) const { return a < b || a != a ? a : b; }
};
struct Row {
  const float* p;
  HWY_INLINE V vec(int64_t i) const { return hn::LoadU(D(), p + i); }
  float at(int64_t i) const { return p[i]; }
};
struct Value {
  float v;
  HWY_INLINE V vec(int64_t) const { return hn::Set(D(), v); }
  float at(int64_t) const { return v; }
};

template <class F, class A, class B> void each(A a, B b, float* y, int64_t n, F f) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const V u = f(a.vec(i), b.vec(i)), v = f(a.vec(i + lanes), b.vec(i + lanes));
    hn::StoreU(u, d, y + i);
    hn::StoreU(v, d, y + i + lanes);
  }
  for (; i < n; ++i) y[i] = f(a.at(i), b.at(i));
}
template <class A, class B> void any(Arith op, A a, B b, float* y, int64_t n) {
  switch (op) {
    case Arith::add: return each(a, b, y, n, Add());
    case Arith::sub: return each(a, b, y, n, Subtract());
    case Arith::mul: return each(a, b, y, n, Multiply());
    case Arith::div: return each(a, b, y, n, Divide());
    case Arith::max: return each(a, b, y, n, Maximum());
    case Arith::min: return each(a, b, y, n, Minimum());
  }
}
void rows(Arith op, const float* a, const float* b, float* y, int64_t n) { any(op, Row{a}, Row{b}, y, n); }
void row_value(Arith op, const float* a, float b, float* y, int64_t n) { any(op, Row{a}, Value{b}, y, n); }
void value_row(Arith op, float a, const float* b, float* y, int64_t n) { any(op, Value{a}, Row{b}, y, n); }

void from_bf16(const BFloat16* x, float* y, int64_t n) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<uint16_t, D> dh;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto bits = hn::PromoteTo(du, hn::LoadU(dh, &x[i].bits));
    hn::StoreU(hn::BitCast(d, hn::ShiftLeft<16>(bits)), d, y + i);
  }
  for (; i < n; ++i) y[i] = static_cast<float>(x[i]);
}
void to_bf16(const float* x, BFloat16* y, int64_t n) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<uint16_t, D> dh;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const V v = hn::LoadU(d, x + i);
    const auto u = hn::BitCast(du, v), upper = hn::ShiftRight<16>(u);
    const auto rounded = hn::ShiftRight<16>(hn::Add(u, hn::Add(hn::Set(du, 0x7fff), hn::And(upper, hn::Set(du, 1)))));
    const auto nan = hn::Or(upper, hn::Set(du, 0x40));
    const auto bits = hn::IfThenElse(hn::RebindMask(du, hn::Eq(v, v)), rounded, nan);
    hn::StoreU(hn::DemoteTo(dh, hn::BitCast(di, bits)), dh, &y[i].bits);
  }
  for (; i < n; ++i) y[i] = BFloat16(x[i]);
}
void from_f16(const Half* x, float* y, int64_t n) {
  int64_t i = 0;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3  // F16C
  const D d;
  const hn::Rebind<hwy::float16_t, D> dh;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::PromoteTo(d, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(x + i))), d, y + i);
#endif
  for (; i < n; ++i) y[i] = static_cast<float>(x[i]);
}
void to_f16(const float* x, Half* y, int64_t n) {
  int64_t i = 0;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  const D d;
  const hn::Rebind<hwy::float16_t, D> dh;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::DemoteTo(dh, hn::LoadU(d, x + i)), dh, reinterpret_cast<hwy::float16_t*>(y + i));
#endif
  for (; i < n; ++i) y[i] = Half(x[i]);
}

}  // namespace HWY_NAMESPACE
}  // namespace transformers::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace transformers::kernels {
HWY_EXPORT(rows);
HWY_EXPORT(row_value);
HWY_EXPORT(value_row);
HWY_EXPORT(from_bf16);
HWY_EXPORT(to_bf16);
HWY_EXPORT(from_f16);
HWY_EXPORT(to_f16);
void arithmetic(Arith op, const float* a, const float* b, float* y, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(rows)(op, a, b, y, n); }
void arithmetic(Arith op, const float* a, float b, float* y, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(row_value)(op, a, b, y, n); }
void arithmetic(Arith op, float a, const float* b, float* y, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(value_row)(op, a, b, y, n); }
void convert(const BFloat16* x, float* y, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(from_bf16)(x, y, n); }
void convert(const float* x, BFloat16* y, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(to_bf16)(x, y, n); }
void convert(const Half* x, float* y, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(from_f16)(x, y, n); }
void convert(const float* x, Half* y, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(to_f16)(x, y, n); }
}  // namespace transformers::kernels
#endif
