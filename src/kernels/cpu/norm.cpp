// Row kernels of the normalisations with Highway: one template for f32 and f64.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/norm.cpp"
#include "kernels/cpu/simd.h"
#include "kernels/norm.h"

HWY_BEFORE_NAMESPACE();
namespace transformers::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Sum over a row of f(offset, lanes): four accumulators hide the latency, a masked tail ends it.
template <class T, class Full, class Tail> T reduce(int64_t n, Full full, Tail tail) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    s0 = full(i, s0), s1 = full(i + lanes, s1), s2 = full(i + 2 * lanes, s2), s3 = full(i + 3 * lanes, s3);
  }
  for (; i + lanes <= n; i += lanes) s0 = full(i, s0);
  T rest = 0;
  for (; i < n; ++i) rest += tail(i);
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)))) + rest;
}

template <class T> void moments(const T* x, int64_t n, T* mean, T* variance) {
  const hn::ScalableTag<T> d;
  const T m = reduce<T>(n, [&](int64_t i, auto s) HWY_ATTR { return hn::Add(s, hn::LoadU(d, x + i)); }, [&](int64_t i) { return x[i]; }) / static_cast<T>(n);
  const auto vm = hn::Set(d, m);
  const T v = reduce<T>(
      n,
      [&](int64_t i, auto s) HWY_ATTR {
        const auto c = hn::Sub(hn::LoadU(d, x + i), vm);
        return hn::MulAdd(c, c, s);
      },
      [&](int64_t i) { return (x[i] - m) * (x[i] - m); });
  *mean = m;
  *variance = v / static_cast<T>(n);
}

template <class T> T sum_squares(const T* x, int64_t n) {
  const hn::ScalableTag<T> d;
  return reduce<T>(
      n,
      [&](int64_t i, auto s) HWY_ATTR {
        const auto v = hn::LoadU(d, x + i);
        return hn::MulAdd(v, v, s);
      },
      [&](int64_t i) { return x[i] * x[i]; });
}

template <class T> void norm_row(const T* x, const T* w, const T* b, T mean, T rstd, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto vm = hn::Set(d, mean), vr = hn::Set(d, rstd);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto v = hn::Mul(hn::Sub(hn::LoadU(d, x + i), vm), vr);
    if (w && b) v = hn::MulAdd(v, hn::LoadU(d, w + i), hn::LoadU(d, b + i));
    else if (w) v = hn::Mul(v, hn::LoadU(d, w + i));
    else if (b) v = hn::Add(v, hn::LoadU(d, b + i));
    hn::StoreU(v, d, y + i);
  }
  for (; i < n; ++i) y[i] = (x[i] - mean) * rstd * (w ? w[i] : T(1)) + (b ? b[i] : T(0));
}

template <class T>
void norm_grad_row(const T* g, const T* x, const T* w, T mean, T rstd, bool centered, T* dx, T* dw, T* db, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto vm = hn::Set(d, mean), vr = hn::Set(d, rstd);
  auto s1 = hn::Zero(d), s2 = s1;
  T t1 = 0, t2 = 0;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto vg = hn::LoadU(d, g + i), xh = hn::Mul(hn::Sub(hn::LoadU(d, x + i), vm), vr);
    if (dw) hn::StoreU(hn::MulAdd(vg, xh, hn::LoadU(d, dw + i)), d, dw + i);
    if (db) hn::StoreU(hn::Add(vg, hn::LoadU(d, db + i)), d, db + i);
    const auto gw = w ? hn::Mul(vg, hn::LoadU(d, w + i)) : vg;
    s1 = hn::Add(s1, gw), s2 = hn::MulAdd(gw, xh, s2);
  }
  for (; i < n; ++i) {
    const T xh = (x[i] - mean) * rstd, gw = w ? g[i] * w[i] : g[i];
    if (dw) dw[i] += g[i] * xh;
    if (db) db[i] += g[i];
    t1 += gw, t2 += gw * xh;
  }
  if (!dx) return;
  const T c1 = centered ? (hn::GetLane(hn::SumOfLanes(d, s1)) + t1) / static_cast<T>(n) : T(0);
  const T c2 = (hn::GetLane(hn::SumOfLanes(d, s2)) + t2) / static_cast<T>(n);
  const auto v1 = hn::Set(d, c1), v2 = hn::Set(d, c2);
  for (i = 0; i + lanes <= n; i += lanes) {
    const auto vg = hn::LoadU(d, g + i), xh = hn::Mul(hn::Sub(hn::LoadU(d, x + i), vm), vr);
    const auto gw = w ? hn::Mul(vg, hn::LoadU(d, w + i)) : vg;
    hn::StoreU(hn::Mul(vr, hn::Sub(hn::Sub(gw, v1), hn::Mul(xh, v2))), d, dx + i);
  }
  for (; i < n; ++i) dx[i] = rstd * ((w ? g[i] * w[i] : g[i]) - c1 - (x[i] - mean) * rstd * c2);
}

template <class T> void pair_sums(const T* g, const T* x, int64_t n, T* sum_g, T* sum_gx) {
  const hn::ScalableTag<T> d;
  *sum_g = reduce<T>(n, [&](int64_t i, auto s) HWY_ATTR { return hn::Add(s, hn::LoadU(d, g + i)); }, [&](int64_t i) { return g[i]; });
  *sum_gx = reduce<T>(n, [&](int64_t i, auto s) HWY_ATTR { return hn::MulAdd(hn::LoadU(d, g + i), hn::LoadU(d, x + i), s); }, [&](int64_t i) { return g[i] * x[i]; });
}

template <class T> void combine(const T* g, const T* x, T a, T b, T c, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto va = hn::Set(d, a), vb = hn::Set(d, b), vc = hn::Set(d, c);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto v = hn::MulAdd(vb, hn::LoadU(d, x + i), vc);
    if (g) v = hn::MulAdd(va, hn::LoadU(d, g + i), v);
    hn::StoreU(v, d, y + i);
  }
  for (; i < n; ++i) y[i] = b * x[i] + c + (g ? a * g[i] : T(0));
}

#define NORM_ENTRIES(T, S)                                                                                                  \
  void moments_##S(const T* x, int64_t n, T* m, T* v) { moments<T>(x, n, m, v); }                                            \
  T sum_squares_##S(const T* x, int64_t n) { return sum_squares<T>(x, n); }                                                  \
  void norm_row_##S(const T* x, const T* w, const T* b, T m, T r, T* y, int64_t n) { norm_row<T>(x, w, b, m, r, y, n); }       \
  void norm_grad_row_##S(const T* g, const T* x, const T* w, T m, T r, bool c, T* dx, T* dw, T* db, int64_t n) {               \
    norm_grad_row<T>(g, x, w, m, r, c, dx, dw, db, n);                                                                       \
  }                                                                                                                          \
  void pair_sums_##S(const T* g, const T* x, int64_t n, T* a, T* b) { pair_sums<T>(g, x, n, a, b); }                           \
  void combine_##S(const T* g, const T* x, T a, T b, T c, T* y, int64_t n) { combine<T>(g, x, a, b, c, y, n); }
NORM_ENTRIES(float, f32)
NORM_ENTRIES(double, f64)
#undef NORM_ENTRIES

}  // namespace HWY_NAMESPACE
}  // namespace transformers::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace transformers::kernels {
#define NORM_EXPORTS(T, S)                                                                                                   \
  HWY_EXPORT(moments_##S);                                                                                                   \
  HWY_EXPORT(sum_squares_##S);                                                                                               \
  HWY_EXPORT(norm_row_##S);                                                                                                  \
  HWY_EXPORT(norm_grad_row_##S);                                                                                             \
  HWY_EXPORT(pair_sums_##S);                                                                                                 \
  HWY_EXPORT(combine_##S);                                                                                                   \
  void moments(const T* x, int64_t n, T* m, T* v) noexcept { HWY_DYNAMIC_DISPATCH(moments_##S)(x, n, m, v); }                 \
  T sum_squares(const T* x, int64_t n) noexcept { return HWY_DYNAMIC_DISPATCH(sum_squares_##S)(x, n); }                       \
  void norm_row(const T* x, const T* w, const T* b, T m, T r, T* y, int64_t n) noexcept {                                     \
    HWY_DYNAMIC_DISPATCH(norm_row_##S)(x, w, b, m, r, y, n);                                                                 \
  }                                                                                                                          \
  void norm_grad_row(const T* g, const T* x, const T* w, T m, T r, bool c, T* dx, T* dw, T* db, int64_t n) noexcept {         \
    HWY_DYNAMIC_DISPATCH(norm_grad_row_##S)(g, x, w, m, r, c, dx, dw, db, n);                                                \
  }                                                                                                                          \
  void pair_sums(const T* g, const T* x, int64_t n, T* a, T* b) noexcept { HWY_DYNAMIC_DISPATCH(pair_sums_##S)(g, x, n, a, b); } \
  void combine(const T* g, const T* x, T a, T b, T c, T* y, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(combine_##S)(g, x, a, b, c, y, n); }
NORM_EXPORTS(float, f32)
NORM_EXPORTS(double, f64)
}  // namespace transformers::kernels
#endif
