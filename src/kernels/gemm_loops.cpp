// Own blocked matrix product: panels of b and strips of a are packed, a register block of c is kept per inner loop.
// The same template makes every instruction set: compilers split or fuse the vectors as the target has them.
// M rows, N columns, K depth.
#include <algorithm>

#include "base/cpu.h"
#include "base/parallel.h"
#include "kernels/gemm.h"
#include "kernels/scratch.h"
#include "kernels/target.h"

namespace transformers::kernels {
namespace {

constexpr int64_t kDepth = 256;  // k per pass: a packed strip and panel stay in cache
constexpr int64_t kRows = 64;    // rows of a per task

template <class T, int Bytes> struct Vector {
  typedef T type __attribute__((vector_size(Bytes), aligned(alignof(T)), may_alias));
};

// c[0..rows, 0..cols] (+)= a strip [k][MR] times b panel [k][NV vectors].
template <class T, int Bytes, int MR, int NV>
TRANSFORMERS_INLINE void micro(int64_t k, const T* a, const T* b, T* c, int64_t ldc, int64_t rows, int64_t cols, bool add) {
  using V = typename Vector<T, Bytes>::type;
  constexpr int W = Bytes / sizeof(T), NR = W * NV;
  V acc[MR][NV] = {};
  for (int64_t p = 0; p < k; ++p, a += MR, b += NR) {
    V bv[NV];
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) bv[j] = *reinterpret_cast<const V*>(b + j * W);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const V av = a[i] - V{};  // a broadcast: v - 0 is v
#pragma GCC unroll 8
      for (int j = 0; j < NV; ++j) acc[i][j] += av * bv[j];
    }
  }
  if (rows == MR && cols == NR) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < NV; ++j) {
        V* out = reinterpret_cast<V*>(c + i * ldc + j * W);
        *out = add ? *out + acc[i][j] : acc[i][j];
      }
    return;
  }
  T edge[MR * NR];
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) *reinterpret_cast<V*>(edge + i * NR + j * W) = acc[i][j];
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) c[i * ldc + j] = (add ? c[i * ldc + j] : T(0)) + edge[i * NR + j];
}

// A block of rows against all panels of b. a_packed: strips of MR rows; b_packed: panels of NR columns.
template <class T, int Bytes, int MR, int NV>
TRANSFORMERS_INLINE void block(int64_t m, int64_t n, int64_t k, const T* a_packed, const T* b_packed, T* c, int64_t ldc, bool add) {
  constexpr int64_t NR = Bytes / sizeof(T) * NV;
  for (int64_t j = 0; j < n; j += NR)
    for (int64_t i = 0; i < m; i += MR)
      micro<T, Bytes, MR, NV>(k, a_packed + i * k, b_packed + j * k, c + i * ldc + j, ldc, m - i < MR ? m - i : MR, n - j < NR ? n - j : NR, add);
}

template <class T> using BlockFn = void (*)(int64_t, int64_t, int64_t, const T*, const T*, T*, int64_t, bool);
template <class T> void block_scalar(int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c, int64_t ldc, bool add) {
  block<T, 16, 4, 2>(m, n, k, a, b, c, ldc, add);
}
template <class T> TRANSFORMERS_TARGET_AVX2 void block_avx2(int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c, int64_t ldc, bool add) {
  block<T, 32, 4, 2>(m, n, k, a, b, c, ldc, add);
}
template <class T> TRANSFORMERS_TARGET_AVX512 void block_avx512(int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c, int64_t ldc, bool add) {
  block<T, 64, 8, 2>(m, n, k, a, b, c, ldc, add);
}

template <class T> struct Plan { BlockFn<T> run; int64_t mr, nr; };
template <class T> Plan<T> plan() {
  if (cpu().avx512) return {block_avx512<T>, 8, 128 / static_cast<int64_t>(sizeof(T))};
  if (cpu().avx2) return {block_avx2<T>, 4, 64 / static_cast<int64_t>(sizeof(T))};
  return {block_scalar<T>, 4, 32 / static_cast<int64_t>(sizeof(T))};
}

// Rows [0, rows) of x (strides s_row, s_col) into strips of `width` rows: [strip][k][width], zero padded.
template <class T> void pack(const T* x, int64_t s_row, int64_t s_col, int64_t rows, int64_t k, int64_t width, T* out) {
  for (int64_t i = 0; i < rows; i += width) {
    const int64_t w = std::min(width, rows - i);
    T* strip = out + i * k;
    if (w < width) std::fill(strip, strip + width * k, T(0));
    if (s_row == 1) {
      for (int64_t p = 0; p < k; ++p) std::copy_n(x + i + p * s_col, w, strip + p * width);
    } else {
      for (int64_t r = 0; r < w; ++r) {
        const T* from = x + (i + r) * s_row;
        for (int64_t p = 0; p < k; ++p) strip[p * width + r] = from[p * s_col];
      }
    }
  }
}

template <class T> void one(const Plan<T>& p, int64_t m, int64_t n, int64_t k, const Matrices& a, const Matrices& b, const T* pa, const T* pb, T* c) {
  const int64_t padded_n = (n + p.nr - 1) / p.nr * p.nr;
  for (int64_t k0 = 0; k0 < k; k0 += kDepth) {
    const int64_t depth = std::min(kDepth, k - k0);
    T* bp = static_cast<T*>(scratch(Scratch::gemm_b, padded_n * depth * static_cast<int64_t>(sizeof(T))));
    pack(pb + k0 * b.row, b.col, b.row, n, depth, p.nr, bp);
    const int64_t blocks = (m + kRows - 1) / kRows;
    parallel_for(blocks, std::max<int64_t>(1, (1 << 18) / (kRows * n * depth + 1)), [&](int64_t begin, int64_t end) {
      T* ap = static_cast<T*>(scratch(Scratch::gemm_a, kRows * depth * static_cast<int64_t>(sizeof(T))));
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = i * kRows, rows = std::min(kRows, m - row);
        pack(pa + row * a.row + k0 * a.col, a.row, a.col, rows, depth, p.mr, ap);
        p.run(rows, n, depth, ap, bp, c + row * n, n, k0 > 0);
      }
    });
  }
}

}  // namespace

template <class T> void gemm_loops(int64_t batch, int64_t m, int64_t n, int64_t k, const Matrices& a, const Matrices& b, T* c) {
  const Plan<T> p = plan<T>();
  const T* pa = static_cast<const T*>(a.data);
  const T* pb = static_cast<const T*>(b.data);
  const auto range = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) one(p, m, n, k, a, b, pa + i * a.batch, pb + i * b.batch, c + i * m * n);
  };
  if (batch < num_threads()) range(0, batch);
  else parallel_for(batch, std::max<int64_t>(1, (1 << 18) / (m * n * k + 1)), range);
}
template void gemm_loops<float>(int64_t, int64_t, int64_t, int64_t, const Matrices&, const Matrices&, float*);
template void gemm_loops<double>(int64_t, int64_t, int64_t, int64_t, const Matrices&, const Matrices&, double*);

}  // namespace transformers::kernels
