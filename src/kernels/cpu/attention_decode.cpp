// Attention of one query per head (decode) with Highway: keys and values stream once for all heads that share them.
#include <algorithm>
#include <type_traits>
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_decode.cpp"
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

template <class T> HWY_INLINE V load(const T* p) { return load_as_float(F(), p); }

// N rows of n values as floats: where several heads share them, 16-bit rows are widened once into the buffer.
constexpr int kGroup = 8;
constexpr int64_t kWidest = 512;
template <class T> HWY_INLINE void widen_group(const T* x, int64_t stride, int rows, int64_t n, float* buffer) {
  const F d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int r = 0; r < rows; ++r, x += stride, buffer += kWidest) {
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) hn::StoreU(load(x + i), d, buffer + i);
    for (; i < n; ++i) buffer[i] = static_cast<float>(x[i]);
  }
}

#if HWY_TARGET == HWY_SCALAR
HWY_INLINE void store_sums(V a, V b, V c, V e, float* y) { y[0] = hn::GetLane(a), y[1] = hn::GetLane(b), y[2] = hn::GetLane(c), y[3] = hn::GetLane(e); }
#else
// Adds the blocks of four lanes onto each other.
template <class D> HWY_INLINE void store_block_sum(D d, hn::Vec<D> v, float* y) {
  if constexpr (hn::MaxLanes(D()) > 4) {
    const hn::Half<D> half;
    store_block_sum(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)), y);
  } else {
    hn::StoreU(v, d, y);
  }
}
// y[0..4) = sums of a, b, c, d's lanes, by interleaved adds.
HWY_INLINE void store_sums(V a, V b, V c, V e, float* y) {
  const F d;
  const hn::Repartition<uint64_t, F> d2;
  const V ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b)), ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  const auto p = hn::BitCast(d2, ab), q = hn::BitCast(d2, ce);
  store_block_sum(d, hn::Add(hn::BitCast(d, hn::InterleaveLower(d2, p, q)), hn::BitCast(d, hn::InterleaveUpper(d2, p, q))), y);
}
#endif

// Scores of N keys for G heads from g on: keys are loaded once for all of them.
template <int N, int G, class T> HWY_INLINE void dots(const T* k, int64_t stride, const AttentionDecode& a, int64_t g, float* scores) {
  const F d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), whole = a.d / lanes * lanes;
  V sum[G][N];
  TRANSFORMERS_UNROLL for (int h = 0; h < G; ++h) TRANSFORMERS_UNROLL for (int j = 0; j < N; ++j) sum[h][j] = hn::Zero(d);
  const float* q = a.q + g * a.d;
  for (int64_t i = 0; i < whole; i += lanes) {
    V x[G];
    TRANSFORMERS_UNROLL for (int h = 0; h < G; ++h) x[h] = hn::LoadU(d, q + h * a.d + i);
    TRANSFORMERS_UNROLL for (int j = 0; j < N; ++j) {
      const V key = load(k + j * stride + i);
      TRANSFORMERS_UNROLL for (int h = 0; h < G; ++h) sum[h][j] = hn::MulAdd(x[h], key, sum[h][j]);
    }
  }
  TRANSFORMERS_UNROLL for (int h = 0; h < G; ++h) {
    float* y = scores + (g + h) * a.keys;
    if constexpr (N % 4 == 0) {
      TRANSFORMERS_UNROLL for (int j = 0; j < N; j += 4) store_sums(sum[h][j], sum[h][j + 1], sum[h][j + 2], sum[h][j + 3], y + j);
    } else {
      for (int j = 0; j < N; ++j) y[j] = hn::GetLane(hn::SumOfLanes(d, sum[h][j]));
    }
    for (int64_t i = whole; i < a.d; ++i)
      for (int j = 0; j < N; ++j) y[j] += static_cast<float>(k[j * stride + i]) * q[h * a.d + i];
  }
}
// out += p v for N keys and G heads.
template <int N, int G, class T> HWY_INLINE void add_values(const T* v, int64_t stride, const AttentionDecode& a, int64_t g, const float* p, float* out) {
  const F d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  V w[G][N];
  TRANSFORMERS_UNROLL for (int h = 0; h < G; ++h) TRANSFORMERS_UNROLL for (int j = 0; j < N; ++j) w[h][j] = hn::Set(d, p[(g + h) * a.keys + j]);
  float* y = out + g * a.dv;
  int64_t i = 0;
  for (; i + lanes <= a.dv; i += lanes) {
    V sum[G];
    TRANSFORMERS_UNROLL for (int h = 0; h < G; ++h) sum[h] = hn::LoadU(d, y + h * a.dv + i);
    TRANSFORMERS_UNROLL for (int j = 0; j < N; ++j) {
      const V value = load(v + j * stride + i);
      TRANSFORMERS_UNROLL for (int h = 0; h < G; ++h) sum[h] = hn::MulAdd(w[h][j], value, sum[h]);
    }
    TRANSFORMERS_UNROLL for (int h = 0; h < G; ++h) hn::StoreU(sum[h], d, y + h * a.dv + i);
  }
  for (; i < a.dv; ++i)
    for (int h = 0; h < G; ++h)
      for (int j = 0; j < N; ++j) y[h * a.dv + i] += p[(g + h) * a.keys + j] * static_cast<float>(v[j * stride + i]);
}
template <int N, class T> HWY_INLINE void all_dots(const T* k, int64_t stride, const AttentionDecode& a, float* scores) {
  int64_t g = 0;
  for (; g + 2 <= a.g; g += 2) dots<N, 2>(k, stride, a, g, scores);
  for (; g < a.g; ++g) dots<N, 1>(k, stride, a, g, scores);
}
template <int N, class T> HWY_INLINE void add_all_values(const T* v, int64_t stride, const AttentionDecode& a, const float* p, float* out) {
  int64_t g = 0;
  for (; g + 2 <= a.g; g += 2) add_values<N, 2>(v, stride, a, g, p, out);
  for (; g < a.g; ++g) add_values<N, 1>(v, stride, a, g, p, out);
}

template <class T> void decode(const AttentionDecode& a, float* scores, float* top, float* sum, float* out) {
  const F d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const T* k = static_cast<const T*>(a.k);
  const T* v = static_cast<const T*>(a.v);
  const bool widen = !std::is_same_v<T, float> && a.g > 1 && std::max(a.d, a.dv) <= kWidest;
  HWY_ALIGN float buffer[std::is_same_v<T, float> ? 1 : kGroup * kWidest];
  int64_t s = 0;
  for (; s + kGroup <= a.keys; s += kGroup) {
    if (widen) widen_group(k + s * a.k_stride, a.k_stride, kGroup, a.d, buffer), all_dots<kGroup>(buffer, kWidest, a, scores + s);
    else all_dots<kGroup>(k + s * a.k_stride, a.k_stride, a, scores + s);
  }
  for (; s < a.keys; ++s) all_dots<1>(k + s * a.k_stride, a.k_stride, a, scores + s);

  for (int64_t g = 0; g < a.g; ++g) {
    float* p = scores + g * a.keys;
    float most = top[g];
    if (a.softcap > 0)
      for (s = 0; s < a.keys; ++s) p[s] = a.softcap * hn::GetLane(fast_tanh(d, hn::Set(d, p[s] / a.softcap)));
    if (a.extra)
      for (s = 0; s < a.keys; ++s) p[s] += a.extra[g * a.extra_stride + s];
    if (a.visible)
      for (s = 0; s < a.keys; ++s)
        if (!a.visible[s]) p[s] = -__builtin_inff();
    for (s = 0; s < a.keys; ++s) most = std::max(most, p[s]);
    const V shift = hn::Set(d, most);
    const float fix = hn::GetLane(fast_exp(d, hn::Set(d, top[g] - most)));
    V total = hn::Zero(d);
    float rest = 0;
    for (s = 0; s + lanes <= a.keys; s += lanes) {
      const V e = fast_exp(d, hn::Sub(hn::LoadU(d, p + s), shift));
      hn::StoreU(e, d, p + s);
      total = hn::Add(total, e);
    }
    for (; s < a.keys; ++s) rest += p[s] = hn::GetLane(fast_exp(d, hn::Set(d, p[s] - most)));
    top[g] = most;
    sum[g] = sum[g] * fix + hn::GetLane(hn::SumOfLanes(d, total)) + rest;
    float* y = out + g * a.dv;
    if (fix != 1)
      for (int64_t i = 0; i < a.dv; ++i) y[i] *= fix;
  }

  for (s = 0; s + kGroup <= a.keys; s += kGroup) {
    if (widen) widen_group(v + s * a.v_stride, a.v_stride, kGroup, a.dv, buffer), add_all_values<kGroup>(buffer, kWidest, a, scores + s, out);
    else add_all_values<kGroup>(v + s * a.v_stride, a.v_stride, a, scores + s, out);
  }
  for (; s < a.keys; ++s) add_all_values<1>(v + s * a.v_stride, a.v_stride, a, scores + s, out);
}

void decode_any(const AttentionDecode& a, float* scores, float* top, float* sum, float* out) {
  if (a.type == DType::f32) decode<float>(a, scores, top, sum, out);
  else if (a.type == DType::f16) decode<Half>(a, scores, top, sum, out);
  else decode<BFloat16>(a, scores, top, sum, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace transformers::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace transformers::kernels {
HWY_EXPORT(decode_any);
void attention_decode(const AttentionDecode& a, float* scores, float* top, float* sum, float* out) noexcept {
  HWY_DYNAMIC_DISPATCH(decode_any)(a, scores, top, sum, out);
}
}  // namespace transformers::kernels
#endif
