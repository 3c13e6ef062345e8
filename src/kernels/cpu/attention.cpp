// Fused attention kernels with Highway: register-tiled products, online softmax.
#include <algorithm>
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention.cpp"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/half_inl.h"
#include "kernels/cpu/math_inl.h"
#include "kernels/attention.h"

HWY_BEFORE_NAMESPACE();
namespace transformers::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F = hn::CappedTag<float, kAttentionPad>;
using V = hn::Vec<F>;

// M rows by N vectors of c in registers.
template <int M, int N>
HWY_INLINE void tile(const float* a, int64_t row, int64_t column, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t k, const float* scale) {
  const F d;
  constexpr int64_t L = static_cast<int64_t>(hn::MaxLanes(d));
  V acc[M][N];
  TRANSFORMERS_UNROLL for (int i = 0; i < M; ++i) TRANSFORMERS_UNROLL for (int j = 0; j < N; ++j)
    acc[i][j] = scale ? hn::Mul(hn::LoadU(d, c + i * ldc + j * L), hn::Set(d, scale[i])) : hn::Zero(d);
  for (int64_t p = 0; p < k; ++p, a += column, b += ldb) {
    V vb[N];
    TRANSFORMERS_UNROLL for (int j = 0; j < N; ++j) vb[j] = hn::LoadU(d, b + j * L);
    TRANSFORMERS_UNROLL for (int i = 0; i < M; ++i) {
      const V va = hn::Set(d, a[i * row]);
      TRANSFORMERS_UNROLL for (int j = 0; j < N; ++j) acc[i][j] = hn::MulAdd(va, vb[j], acc[i][j]);
    }
  }
  TRANSFORMERS_UNROLL for (int i = 0; i < M; ++i) TRANSFORMERS_UNROLL for (int j = 0; j < N; ++j) hn::StoreU(acc[i][j], d, c + i * ldc + j * L);
}

template <int N>
HWY_INLINE void panel(const float* a, int64_t row, int64_t column, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t m, int64_t k, const float* scale) {
  int64_t i = 0;
  for (; i + 6 <= m; i += 6) tile<6, N>(a + i * row, row, column, b, ldb, c + i * ldc, ldc, k, scale ? scale + i : nullptr);
  for (; i + 2 <= m; i += 2) tile<2, N>(a + i * row, row, column, b, ldb, c + i * ldc, ldc, k, scale ? scale + i : nullptr);
  for (; i < m; ++i) tile<1, N>(a + i * row, row, column, b, ldb, c + i * ldc, ldc, k, scale ? scale + i : nullptr);
}

void product(const float* a, int64_t row, int64_t column, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t m, int64_t n, int64_t k,
             const float* scale) {
  const F d;
  constexpr int64_t L = static_cast<int64_t>(hn::MaxLanes(d));
  constexpr int kWide = HWY_TARGET <= HWY_AVX3 ? 4 : 2;  // 24 accumulators of 32 registers, or 12 of 16
  int64_t j = 0;
  for (; j + kWide * L <= n; j += kWide * L) panel<kWide>(a, row, column, b + j, ldb, c + j, ldc, m, k, scale);
  for (; j + 2 * L <= n; j += 2 * L) panel<2>(a, row, column, b + j, ldb, c + j, ldc, m, k, scale);
  for (; j < n; j += L) panel<1>(a, row, column, b + j, ldb, c + j, ldc, m, k, scale);
}

// 2^x for x <= 0 with a cubic (relative error 1e-4); 0 below -125.
HWY_INLINE V rough_exp2(V x) {
  const F d;
  const hn::RebindToSigned<F> di;
  const auto live = hn::Gt(x, hn::Set(d, -125.0f));
  x = hn::Max(x, hn::Set(d, -125.0f));
  const V n = hn::Round(x), f = hn::Sub(x, n);
  V p = hn::MulAdd(f, hn::Set(d, 0.05517149f), hn::Set(d, 0.24261094f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.69326099f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.99992808f));
  return hn::IfThenElseZero(live, hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::ConvertTo(di, n)))));
}
HWY_INLINE void finish_step(int64_t q, V before, V most, V total, float* top, float* sum, float* correction) {
  const F d;
  const V fix = fast_exp(d, hn::Sub(before, most));
  hn::StoreU(most, d, top + q);
  hn::StoreU(fix, d, correction + q);
  hn::StoreU(hn::MulAdd(hn::LoadU(d, sum + q), fix, total), d, sum + q);
}

void softmax_step(float* s, int64_t keys, int64_t queries, const AttentionSoftmax& o, float* top, float* sum, float* correction) {
  const F d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const V hidden = hn::Set(d, -__builtin_inff()), cap = hn::Set(d, o.softcap), inverse = hn::Set(d, o.softcap > 0 ? 1 / o.softcap : 0);
  const V scale = hn::Set(d, o.scale);
  const bool plain = o.softcap <= 0 && !o.keys && !o.high && !o.extra;
  for (int64_t q = 0; q < queries; q += lanes) {
    float* column = s + q;
    const V before = hn::LoadU(d, top + q);
    V most = before;
    if (plain) {
      for (int64_t k = 0; k < keys; ++k) most = hn::Max(most, hn::Mul(scale, hn::LoadU(d, column + k * queries)));
    } else {
      const V low = o.high ? hn::LoadU(d, o.low + q) : hn::Zero(d), high = o.high ? hn::LoadU(d, o.high + q) : hn::Zero(d);
      for (int64_t k = 0; k < keys; ++k) {
        V x = hn::Mul(scale, hn::LoadU(d, column + k * queries));
        if (o.softcap > 0) x = hn::Mul(cap, fast_tanh(d, hn::Mul(x, inverse)));
        if (o.extra) x = hn::Add(x, hn::LoadU(d, o.extra + k * queries + q));
        if (o.high) {
          const V at = hn::Set(d, static_cast<float>(o.first_key + k));
          x = hn::IfThenElse(hn::And(hn::Lt(low, at), hn::Le(at, high)), x, hidden);
        }
        if (o.keys && !o.keys[k]) x = hidden;
        most = hn::Max(most, x);
        hn::StoreU(x, d, column + k * queries);
      }
    }
    V total = hn::Zero(d);
    if (plain && o.rough) {
      const V log2e = hn::Set(d, 1.44269504f), slope = hn::Mul(scale, log2e), shift = hn::Mul(most, log2e);
      V other = hn::Zero(d);
      int64_t k = 0;
      for (; k + 2 <= keys; k += 2) {
        float* at = column + k * queries;
        const V p = rough_exp2(hn::MulSub(slope, hn::LoadU(d, at), shift)), r = rough_exp2(hn::MulSub(slope, hn::LoadU(d, at + queries), shift));
        total = hn::Add(total, p), other = hn::Add(other, r);
        hn::StoreU(p, d, at), hn::StoreU(r, d, at + queries);
      }
      total = hn::Add(total, other);
      for (; k < keys; ++k) {
        const V p = rough_exp2(hn::MulSub(slope, hn::LoadU(d, column + k * queries), shift));
        total = hn::Add(total, p);
        hn::StoreU(p, d, column + k * queries);
      }
      finish_step(q, before, most, total, top, sum, correction);
      continue;
    }
    const V factor = plain ? scale : hn::Set(d, 1.0f);
    for (int64_t k = 0; k < keys; ++k) {
      const V p = fast_exp(d, hn::MulSub(factor, hn::LoadU(d, column + k * queries), most));
      total = hn::Add(total, p);
      hn::StoreU(p, d, column + k * queries);
    }
    finish_step(q, before, most, total, top, sum, correction);
  }
}

template <class T> HWY_INLINE V load(const T* p) { return load_as_float(F(), p); }

template <class T> void widen(const T* x, int64_t stride, int64_t rows, int64_t n, float* y, int64_t padded) {
  const F d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < rows; ++r, x += stride, y += padded) {
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) hn::StoreU(load(x + i), d, y + i);
    for (; i < n; ++i) y[i] = static_cast<float>(x[i]);
    for (; i < padded; ++i) y[i] = 0;
  }
}
void widen_any(DType type, const void* x, int64_t stride, int64_t rows, int64_t n, float* y, int64_t padded) {
  if (type == DType::f32) widen(static_cast<const float*>(x), stride, rows, n, y, padded);
  else if (type == DType::f16) widen(static_cast<const Half*>(x), stride, rows, n, y, padded);
  else widen(static_cast<const BFloat16*>(x), stride, rows, n, y, padded);
}

}  // namespace HWY_NAMESPACE
}  // namespace transformers::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace transformers::kernels {
HWY_EXPORT(product);
HWY_EXPORT(softmax_step);
HWY_EXPORT(widen_any);
void attention_product(const float* a, int64_t row, int64_t column, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t m, int64_t n,
                       int64_t k, const float* scale) noexcept {
  HWY_DYNAMIC_DISPATCH(product)(a, row, column, b, ldb, c, ldc, m, n, k, scale);
}
void attention_softmax(float* s, int64_t keys, int64_t queries, const AttentionSoftmax& o, float* top, float* sum, float* correction) noexcept {
  HWY_DYNAMIC_DISPATCH(softmax_step)(s, keys, queries, o, top, sum, correction);
}
void widen_rows(DType type, const void* x, int64_t stride, int64_t rows, int64_t n, float* y, int64_t padded) noexcept {
  HWY_DYNAMIC_DISPATCH(widen_any)(type, x, stride, rows, n, y, padded);
}
}  // namespace transformers::kernels
#endif
