// Vectors of floats as the compilers have them, and the functions that epilogues need. All force-inlined, so that each
// caller's target decides the instructions. Polynomials fitted for this file (least maximum error).
#pragma once
#include <cstdint>

#include "kernels/target.h"

namespace transformers::kernels {

template <int Bytes> struct Vec {
  typedef float F __attribute__((vector_size(Bytes), aligned(4), may_alias));
  typedef int32_t I __attribute__((vector_size(Bytes), aligned(4), may_alias));
  typedef uint32_t U __attribute__((vector_size(Bytes), aligned(4), may_alias));
  typedef uint16_t H __attribute__((vector_size(Bytes / 2), aligned(2), may_alias));
  static constexpr int N = Bytes / 4;
};

#define TRANSFORMERS_VEC(B) \
  using F [[maybe_unused]] = typename Vec<B>::F; \
  using I [[maybe_unused]] = typename Vec<B>::I; \
  using U [[maybe_unused]] = typename Vec<B>::U; \
  using H [[maybe_unused]] = typename Vec<B>::H

/// e^x; about 1e-38 below -87, 1.6e38 above 88. Relative error about 2e-7.
template <int B> TRANSFORMERS_INLINE void exp_in_place(typename Vec<B>::F& x) {
  TRANSFORMERS_VEC(B);
  const F least = -87.3f - F{}, most = 88.0f - F{};
  x = x < least ? least : x;
  x = x > most ? most : x;
  const F magic = 12582912.0f - F{};  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const F shifted = x * 1.44269504f + magic;
  const F whole = shifted - magic;
  const F t = (x - whole * 0.693359375f) * 1.44269504f + whole * 3.0613187e-4f;  // log2: x / ln 2 - n, in two steps
  F p = 0.00015478017736539972f - F{};
  p = p * t + 0.0013400431669659016f, p = p * t + 0.009617994531196017f, p = p * t + 0.055503272157582155f;
  p = p * t + 0.24022651504895612f, p = p * t + 0.6931472067096512f, p = p * t + 1.0f;
  x = reinterpret_cast<F>(reinterpret_cast<I>(p) + (reinterpret_cast<I>(shifted) << 23));  // the magic's low bits are n
}

/// x / (1 + e^-x)
template <int B> TRANSFORMERS_INLINE void silu_in_place(typename Vec<B>::F& x) {
  TRANSFORMERS_VEC(B);
  F e = -x;
  exp_in_place<B>(e);
  x = x / (e + 1.0f);
}

/// x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 = x sigmoid(2 u)
template <int B> TRANSFORMERS_INLINE void gelu_tanh_in_place(typename Vec<B>::F& x) {
  TRANSFORMERS_VEC(B);
  F e = x * (x * x * 0.044715f + 1.0f) * -1.5957691216f;
  exp_in_place<B>(e);
  x = x / (e + 1.0f);
}

/// x (1 + erf(x / sqrt 2)) / 2; the far left tail keeps its relative accuracy because erfc is what is computed there.
template <int B> TRANSFORMERS_INLINE void gelu_erf_in_place(typename Vec<B>::F& x) {
  TRANSFORMERS_VEC(B);
  const F u = x * 0.70710678f, zero = F{}, edge = 4.2f - F{}, end = 9.3f - F{};
  F t = u < zero ? -u : u;
  t = t > end ? end : t;
  const F s = u * u;
  F p = 7.88911954e-05f - F{};
  p = p * s - 8.02084128e-04f, p = p * s + 5.18953534e-03f, p = p * s - 2.68544446e-02f;
  p = p * s + 1.12836002e-01f, p = p * s - 3.76126271e-01f, p = p * s + 1.12837917f;
  const F near_zero = p * u + 1.0f;  // 1 + erf
  // log erfc(t): the fit reaches to 4.2, beyond it erfc is under 3e-9 and only has to go to zero.
  const F c = t > edge ? edge : t;
  F q = -2.16868548e-05f - F{};
  q = q * c + 4.41336433e-04f, q = q * c - 4.20456214e-03f, q = q * c + 2.52082574e-02f, q = q * c - 1.08418578e-01f;
  q = q * c - 6.33219892e-01f, q = q * c - 1.12957842f, q = q * c + 1.88040302e-04f;
  q = q - (t - c) * (t + c);
  exp_in_place<B>(q);
  const F tail = u < zero ? q : 2.0f - q;
  x = x * 0.5f * (t < 1.0f ? near_zero : tail);
}

template <int B> TRANSFORMERS_INLINE void relu_in_place(typename Vec<B>::F& x) {
  TRANSFORMERS_VEC(B);
  const F zero = F{};
  x = x < zero ? zero : x;  // NaN stays NaN
}

/// Widening loads.
template <int B> TRANSFORMERS_INLINE void load_f32(const float* p, typename Vec<B>::F& x) { x = *reinterpret_cast<const typename Vec<B>::F*>(p); }
template <int B> TRANSFORMERS_INLINE void load_bf16(const uint16_t* p, typename Vec<B>::F& x) {
  TRANSFORMERS_VEC(B);
  x = reinterpret_cast<F>(__builtin_convertvector(*reinterpret_cast<const H*>(p), U) << 16);
}
/// Infinities and NaN are not kept; subnormals are.
template <int B> TRANSFORMERS_INLINE void load_f16(const uint16_t* p, typename Vec<B>::F& x) {
  TRANSFORMERS_VEC(B);
  const U u = __builtin_convertvector(*reinterpret_cast<const H*>(p), U);
  const F magnitude = reinterpret_cast<F>((u & 0x7fffu) << 13) * 0x1p112f;
  x = reinterpret_cast<F>(reinterpret_cast<U>(magnitude) | ((u & 0x8000u) << 16));
}
/// Rounds to nearest even; NaN stays NaN.
template <int B> TRANSFORMERS_INLINE void store_bf16(const typename Vec<B>::F& x, uint16_t* p) {
  TRANSFORMERS_VEC(B);
  const U u = reinterpret_cast<U>(x);
  const U rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  const U nan = reinterpret_cast<U>(x != x);
  *reinterpret_cast<H*>(p) = __builtin_convertvector((rounded & ~nan) | (((u >> 16) | 0x40u) & nan), H);
}

}  // namespace transformers::kernels
