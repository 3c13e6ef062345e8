// Reductions and softmax of float rows with Highway. Sums are carried in double.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/reduce.cpp"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/math_inl.h"
#include "kernels/reduce.h"

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace transformers::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
using DD = hn::ScalableTag<double>;
using DH = hn::Rebind<float, DD>;  // as many floats as a vector of doubles has lanes
constexpr size_t kMost = HWY_MAX_BYTES / sizeof(float);

double row_sum(const float* x, int64_t n) {
  const DD dd;
  const DH dh;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(dd));
  auto s0 = hn::Zero(dd), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  const auto at = [&](int64_t k) HWY_ATTR { return hn::PromoteTo(dd, hn::LoadU(dh, x + k)); };
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    s0 = hn::Add(s0, at(i)), s1 = hn::Add(s1, at(i + lanes));
    s2 = hn::Add(s2, at(i + 2 * lanes)), s3 = hn::Add(s3, at(i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) s0 = hn::Add(s0, at(i));
  double total = hn::GetLane(hn::SumOfLanes(dd, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  for (; i < n; ++i) total += static_cast<double>(x[i]);
  return total;
}
void add_row(const float* x, double* total, int64_t n) {
  const DD dd;
  const DH dh;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(dd));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::Add(hn::LoadU(dd, total + i), hn::PromoteTo(dd, hn::LoadU(dh, x + i))), dd, total + i);
  for (; i < n; ++i) total[i] += static_cast<double>(x[i]);
}

template <bool kLargest> HWY_INLINE V further(V a, V b) {
  if constexpr (kLargest) return hn::Max(a, b);
  else return hn::Min(a, b);
}
template <bool kLargest> float row_extreme(const float* x, int64_t n) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  float best = x[0];
  bool nan = false;
  int64_t i = 0;
  if (n >= lanes) {
    V m0 = hn::LoadU(d, x), m1 = m0;
    auto good = hn::Eq(m0, m0);
    for (; i + 2 * lanes <= n; i += 2 * lanes) {
      const V a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + i + lanes);
      m0 = further<kLargest>(m0, a), m1 = further<kLargest>(m1, b);
      good = hn::And(good, hn::And(hn::Eq(a, a), hn::Eq(b, b)));
    }
    nan = !hn::AllTrue(d, good);
    const V m = further<kLargest>(m0, m1);
    best = hn::GetLane(kLargest ? hn::MaxOfLanes(d, m) : hn::MinOfLanes(d, m));
  }
  for (; i < n; ++i) {
    nan |= x[i] != x[i];
    if (kLargest ? x[i] > best : x[i] < best) best = x[i];
  }
  return nan ? NAN : best;
}
float row_max(const float* x, int64_t n) { return row_extreme<true>(x, n); }
float row_min(const float* x, int64_t n) { return row_extreme<false>(x, n); }

int64_t row_find(const float* x, int64_t n, float value) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const V v = hn::Set(d, value);
  const bool nan = value != value;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const V a = hn::LoadU(d, x + i);
    const auto hit = nan ? hn::Not(hn::Eq(a, a)) : hn::Eq(a, v);
    if (!hn::AllFalse(d, hit)) break;
  }
  for (; i < n; ++i)
    if (nan ? x[i] != x[i] : x[i] == value) return i;
  return n;
}

// f(vector, first element) over a row; the tail vector is filled up with `fill`. Returns through f only.
template <class F> HWY_INLINE void each(const float* x, int64_t n, float fill, F f) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) f(hn::LoadU(d, x + i), i, lanes);
  if (i == n) return;
  HWY_ALIGN float buffer[kMost];
  for (int64_t k = 0; k < lanes; ++k) buffer[k] = i + k < n ? x[i + k] : fill;
  f(hn::Load(d, buffer), i, n - i);
}
HWY_INLINE void put(V v, float* y, int64_t count) {
  const D d;
  if (count == static_cast<int64_t>(hn::Lanes(d))) { hn::StoreU(v, d, y); return; }
  HWY_ALIGN float buffer[kMost];
  hn::Store(v, d, buffer);
  for (int64_t k = 0; k < count; ++k) y[k] = buffer[k];
}
// Maximum without regard to NaN: that shows in the sum anyway.
HWY_INLINE float top_of(const float* x, int64_t n) {
  const D d;
  V top = hn::Set(d, -INFINITY);
  each(x, n, -INFINITY, [&](V v, int64_t, int64_t) HWY_ATTR { top = hn::Max(top, v); });
  return hn::GetLane(hn::MaxOfLanes(d, top));
}
// Sum of exp(x - top); the exponentials go to y where it is not null. Floats add up in runs, runs in double.
HWY_INLINE double exp_row(const float* x, float* y, int64_t n, float top) {
  constexpr int64_t kRun = 1024;
  const D d;
  const V shift = hn::Set(d, top);
  double total = 0;
  for (int64_t at = 0; at < n; at += kRun) {
    V s = hn::Zero(d);
    each(x + at, HWY_MIN(kRun, n - at), -INFINITY, [&](V v, int64_t i, int64_t count) HWY_ATTR {
      const V e = fast_exp(d, hn::Sub(v, shift));
      s = hn::Add(s, e);
      if (y) put(e, y + at + i, count);
    });
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, s)));
  }
  return total;
}
void softmax_row(const float* x, float* y, int64_t n) {
  const D d;
  const double total = exp_row(x, y, n, top_of(x, n));
  const V scale = hn::Set(d, static_cast<float>(1 / total));
  each(y, n, 0, [&](V v, int64_t i, int64_t count) HWY_ATTR { put(hn::Mul(v, scale), y + i, count); });
}
void log_softmax_row(const float* x, float* y, int64_t n) {
  const D d;
  const float top = top_of(x, n);
  // Subtracting in two steps keeps the digits of small results beside a large maximum.
  const V shift = hn::Set(d, top), rest = hn::Set(d, static_cast<float>(std::log(exp_row(x, nullptr, n, top))));
  each(x, n, 0, [&](V v, int64_t i, int64_t count) HWY_ATTR { put(hn::Sub(hn::Sub(v, shift), rest), y + i, count); });
}
void softmax_grad_row(const float* g, const float* y, float* dx, int64_t n) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  double total = 0;
  int64_t i = 0;
  for (int64_t at = 0; at + lanes <= n; at = i) {
    V s = hn::Zero(d);
    for (; i + lanes <= n && i < at + 1024; i += lanes) s = hn::MulAdd(hn::LoadU(d, g + i), hn::LoadU(d, y + i), s);
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, s)));
  }
  for (; i < n; ++i) total += static_cast<double>(g[i]) * static_cast<double>(y[i]);
  const float t = static_cast<float>(total);
  const V vt = hn::Set(d, t);
  for (i = 0; i + lanes <= n; i += lanes) hn::StoreU(hn::Mul(hn::LoadU(d, y + i), hn::Sub(hn::LoadU(d, g + i), vt)), d, dx + i);
  for (; i < n; ++i) dx[i] = y[i] * (g[i] - t);
}
void log_softmax_grad_row(const float* g, const float* y, float* dx, int64_t n) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const float t = static_cast<float>(row_sum(g, n));
  const V vt = hn::Set(d, t);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::NegMulAdd(fast_exp(d, hn::LoadU(d, y + i)), vt, hn::LoadU(d, g + i)), d, dx + i);
  for (; i < n; ++i) dx[i] = g[i] - std::exp(y[i]) * t;
}

}  // namespace HWY_NAMESPACE
}  // namespace transformers::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace transformers::kernels {
HWY_EXPORT(row_sum);
HWY_EXPORT(add_row);
HWY_EXPORT(row_max);
HWY_EXPORT(row_min);
HWY_EXPORT(row_find);
HWY_EXPORT(softmax_row);
HWY_EXPORT(log_softmax_row);
HWY_EXPORT(softmax_grad_row);
HWY_EXPORT(log_softmax_grad_row);
double sum(const float* x, int64_t n) noexcept { return HWY_DYNAMIC_DISPATCH(row_sum)(x, n); }
void add_to(const float* x, double* total, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(add_row)(x, total, n); }
float extreme(bool largest, const float* x, int64_t n) noexcept {
  return largest ? HWY_DYNAMIC_DISPATCH(row_max)(x, n) : HWY_DYNAMIC_DISPATCH(row_min)(x, n);
}
int64_t find(const float* x, int64_t n, float value) noexcept { return HWY_DYNAMIC_DISPATCH(row_find)(x, n, value); }
void softmax(const float* x, float* y, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(softmax_row)(x, y, n); }
void log_softmax(const float* x, float* y, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(log_softmax_row)(x, y, n); }
void softmax_grad(const float* g, const float* y, float* dx, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(softmax_grad_row)(g, y, dx, n); }
void log_softmax_grad(const float* g, const float* y, float* dx, int64_t n) noexcept {
  HWY_DYNAMIC_DISPATCH(log_softmax_grad_row)(g, y, dx, n);
}
}  // namespace transformers::kernels
#endif
