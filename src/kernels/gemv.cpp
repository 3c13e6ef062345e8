// Few rows of x times a weight: dot products of several weight rows at once, so that loads of x are shared and several
// streams are read. M rows of x, N rows of w, K depth.
#include "kernels/gemv.h"

#include <algorithm>

#include "base/cpu.h"
#include "base/parallel.h"
#include "kernels/packed.h"
#include "kernels/vector_math.h"

namespace transformers::kernels {
namespace {

// sums[NR][MR] += dots of NR weight rows with MR rows of x over k values.
template <int B, int MR, int NR, bool Bf16>
TRANSFORMERS_INLINE void dots(const void* w, int64_t ldw, const float* x, int64_t ldx, int64_t k, float* sums) {
  TRANSFORMERS_VEC(B);
  constexpr int W = Vec<B>::N;
  F acc[NR][MR] = {};
  int64_t p = 0;
  for (; p + W <= k; p += W) {
    F xv[MR];
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) load_f32<B>(x + i * ldx + p, xv[i]);
#pragma GCC unroll 4
    for (int j = 0; j < NR; ++j) {
      F wv;
      if constexpr (Bf16) load_bf16<B>(static_cast<const uint16_t*>(w) + j * ldw + p, wv);
      else load_f32<B>(static_cast<const float*>(w) + j * ldw + p, wv);
#pragma GCC unroll 4
      for (int i = 0; i < MR; ++i) acc[j][i] += wv * xv[i];
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < NR; ++j)
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) {
      float s = 0;
      for (int l = 0; l < W; ++l) s += acc[j][i][l];
      for (int64_t q = p; q < k; ++q) {
        float v;
        if constexpr (Bf16) {
          const uint32_t bits = uint32_t{static_cast<const uint16_t*>(w)[j * ldw + q]} << 16;
          __builtin_memcpy(&v, &bits, 4);
        } else {
          v = static_cast<const float*>(w)[j * ldw + q];
        }
        s += v * x[i * ldx + q];
      }
      sums[j * MR + i] += s;
    }
}

template <int B, int NR, bool Bf16>
TRANSFORMERS_INLINE void dots_m(int64_t m, const void* w, int64_t ldw, const float* x, int64_t ldx, int64_t k, float* sums) {
  switch (m) {
    case 1: dots<B, 1, NR, Bf16>(w, ldw, x, ldx, k, sums); break;
    case 2: dots<B, 2, NR, Bf16>(w, ldw, x, ldx, k, sums); break;
    case 3: dots<B, 3, NR, Bf16>(w, ldw, x, ldx, k, sums); break;
    default: dots<B, 4, NR, Bf16>(w, ldw, x, ldx, k, sums);
  }
}
template <int B, int NR>
TRANSFORMERS_INLINE void dots_any(bool bf16, int64_t rows, int64_t m, const void* w, int64_t ldw, const float* x, int64_t ldx, int64_t k, float* sums) {
  if (rows == NR) {
    if (bf16) dots_m<B, NR, true>(m, w, ldw, x, ldx, k, sums);
    else dots_m<B, NR, false>(m, w, ldw, x, ldx, k, sums);
    return;
  }
  for (int64_t j = 0; j < rows; ++j) {
    if (bf16) dots_m<B, 1, true>(m, static_cast<const uint16_t*>(w) + j * ldw, ldw, x, ldx, k, sums + j * m);
    else dots_m<B, 1, false>(m, static_cast<const float*>(w) + j * ldw, ldw, x, ldx, k, sums + j * m);
  }
}

constexpr int64_t kRows = 4;  // weight rows per call
using DotsFn = void (*)(bool, int64_t, int64_t, const void*, int64_t, const float*, int64_t, int64_t, float*);
void dots_scalar(bool bf16, int64_t rows, int64_t m, const void* w, int64_t ldw, const float* x, int64_t ldx, int64_t k, float* sums) {
  dots_any<16, kRows>(bf16, rows, m, w, ldw, x, ldx, k, sums);
}
TRANSFORMERS_TARGET_AVX2 void dots_avx2(bool bf16, int64_t rows, int64_t m, const void* w, int64_t ldw, const float* x, int64_t ldx, int64_t k, float* sums) {
  dots_any<32, kRows>(bf16, rows, m, w, ldw, x, ldx, k, sums);
}
TRANSFORMERS_TARGET_AVX512 void dots_avx512(bool bf16, int64_t rows, int64_t m, const void* w, int64_t ldw, const float* x, int64_t ldx, int64_t k, float* sums) {
  dots_any<64, kRows>(bf16, rows, m, w, ldw, x, ldx, k, sums);
}

}  // namespace

void gemv(DType type, const void* w, int64_t ldw, const float* x, int64_t m, int64_t n, int64_t k, const float* bias, float* y) {
  const DotsFn run = cpu().avx512 ? dots_avx512 : cpu().avx2 ? dots_avx2 : dots_scalar;
  const int64_t tasks = (n + kRows - 1) / kRows, size = size_of(type);
  parallel_for(tasks, std::max<int64_t>(1, (1 << 16) / (kRows * k * m + 1)), [&](int64_t begin, int64_t end) {
    constexpr int64_t kPiece = 512;  // f16: widened in first-level cache
    alignas(64) float wide[kRows * kPiece];
    for (int64_t t = begin; t < end; ++t) {
      const int64_t row = t * kRows, rows = std::min(kRows, n - row);
      const char* from = static_cast<const char*>(w) + row * ldw * size;
      float sums[kRows * kGemvRows] = {};
      if (type == DType::f16) {
        for (int64_t p = 0; p < k; p += kPiece) {
          const int64_t count = std::min(kPiece, k - p);
          for (int64_t j = 0; j < rows; ++j) widen_f16(reinterpret_cast<const uint16_t*>(from) + j * ldw + p, count, wide + j * kPiece);
          run(false, rows, m, wide, kPiece, x + p, k, count, sums);
        }
      } else {
        run(type == DType::bf16, rows, m, from, ldw, x, k, k, sums);
      }
      for (int64_t j = 0; j < rows; ++j)
        for (int64_t i = 0; i < m; ++i) y[i * n + row + j] = sums[j * m + i] + (bias ? bias[row + j] : 0.0f);
    }
  });
}

}  // namespace transformers::kernels
