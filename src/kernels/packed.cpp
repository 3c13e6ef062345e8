// Products with packed weights in f32 arithmetic: a strip of rows of x against a panel, sums in registers, epilogue at once.
// One template for every instruction set. M rows, N columns, K depth.
#include "kernels/packed.h"

#include <algorithm>
#include <cstring>

#include "base/cpu.h"
#include "base/parallel.h"
#include "kernels/scratch.h"
#include "kernels/vector_math.h"

namespace transformers::kernels {
namespace {

enum Layout { kF32, kBf16 };  // f16 panels are widened piece by piece and go as f32

// sums[MR][kPanel], columns [column, column + NV vectors), of x rows times one panel.
template <int B, int MR, int NV, int L>
TRANSFORMERS_INLINE void micro(int64_t k, const float* x, int64_t ldx, const void* panel, int64_t column, float* sums) {
  TRANSFORMERS_VEC(B);
  constexpr int W = Vec<B>::N;
  F acc[MR][NV] = {};
  if constexpr (L == kBf16) {
    const uint32_t* w = static_cast<const uint32_t*>(panel) + column;  // a pair of bf16 per column
    for (int64_t p = 0; p < k; p += 2, w += kPanel) {
      F low[NV], high[NV];
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        const U pair = *reinterpret_cast<const U*>(w + j * W);
        low[j] = reinterpret_cast<F>(pair << 16), high[j] = reinterpret_cast<F>(pair & 0xffff0000u);
      }
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) {
        const F a = x[i * ldx + p] - F{}, b = x[i * ldx + p + 1] - F{};  // broadcasts: v - 0 is v
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) acc[i][j] += a * low[j], acc[i][j] += b * high[j];
      }
    }
  } else {
    for (int64_t p = 0; p < k; ++p) {
      F wv[NV];
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) load_f32<B>(static_cast<const float*>(panel) + p * kPanel + column + j * W, wv[j]);
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) {
        const F a = x[i * ldx + p] - F{};
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) acc[i][j] += a * wv[j];
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) *reinterpret_cast<F*>(sums + i * kPanel + column + j * W) = acc[i][j];
}

template <int B, int MR, int NV, int L>
TRANSFORMERS_INLINE void strip_of(int64_t k, const float* x, int64_t ldx, const void* panel, float* sums) {
  for (int64_t c = 0; c < kPanel; c += NV * Vec<B>::N) micro<B, MR, NV, L>(k, x, ldx, panel, c, sums);
}

// At most MR rows.
template <int B, int MR, int NV, int L>
TRANSFORMERS_INLINE void strip(int64_t rows, int64_t k, const float* x, int64_t ldx, const void* panel, float* sums) {
  switch (rows) {
    case 1: strip_of<B, 1, NV, L>(k, x, ldx, panel, sums); break;
    case 2: strip_of<B, 2, NV, L>(k, x, ldx, panel, sums); break;
    case 3: strip_of<B, 3, NV, L>(k, x, ldx, panel, sums); break;
    case 4: strip_of<B, 4, NV, L>(k, x, ldx, panel, sums); break;
    case 5: strip_of<B, MR < 5 ? MR : 5, NV, L>(k, x, ldx, panel, sums); break;
    default: strip_of<B, MR, NV, L>(k, x, ldx, panel, sums);
  }
}

template <int B, int MR, int NV>
TRANSFORMERS_INLINE void strip_any(int layout, int64_t rows, int64_t k, const float* x, int64_t ldx, const void* panel, float* sums) {
  if (layout == kF32) strip<B, MR, NV, kF32>(rows, k, x, ldx, panel, sums);
  else strip<B, MR, NV, kBf16>(rows, k, x, ldx, panel, sums);
}

using StripFn = void (*)(int, int64_t, int64_t, const float*, int64_t, const void*, float*);
void strip_scalar(int layout, int64_t rows, int64_t k, const float* x, int64_t ldx, const void* panel, float* sums) {
  strip_any<16, 4, 2>(layout, rows, k, x, ldx, panel, sums);
}
TRANSFORMERS_TARGET_AVX2 void strip_avx2(int layout, int64_t rows, int64_t k, const float* x, int64_t ldx, const void* panel, float* sums) {
  strip_any<32, 4, 2>(layout, rows, k, x, ldx, panel, sums);
}
TRANSFORMERS_TARGET_AVX512 void strip_avx512(int layout, int64_t rows, int64_t k, const float* x, int64_t ldx, const void* panel, float* sums) {
  strip_any<64, 6, 4>(layout, rows, k, x, ldx, panel, sums);
}

template <int B> TRANSFORMERS_INLINE void finish_full(const float* sums, int64_t rows, int64_t row, int64_t column, const Epilogue& e) {
  TRANSFORMERS_VEC(B);
  constexpr int W = Vec<B>::N;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t at = (row + i) * e.ldy + column;
    for (int64_t j = 0; j < kPanel; j += W) {
      F v = *reinterpret_cast<const F*>(sums + i * kPanel + j);
      if (e.bias) v += *reinterpret_cast<const F*>(e.bias + column + j);
      switch (e.act) {
        case Act::none: break;
        case Act::relu: relu_in_place<B>(v); break;
        case Act::gelu_erf: gelu_erf_in_place<B>(v); break;
        case Act::gelu_tanh: gelu_tanh_in_place<B>(v); break;
        case Act::silu: silu_in_place<B>(v); break;
      }
      if (e.type == DType::f32) {
        if (e.residual) v += *reinterpret_cast<const F*>(static_cast<const float*>(e.residual) + at + j);
        *reinterpret_cast<F*>(static_cast<float*>(e.y) + at + j) = v;
      } else {
        if (e.residual) {
          F r;
          if (e.type == DType::bf16) load_bf16<B>(static_cast<const uint16_t*>(e.residual) + at + j, r);
          else load_f16<B>(static_cast<const uint16_t*>(e.residual) + at + j, r);
          v += r;
        }
        if (e.type == DType::bf16) store_bf16<B>(v, static_cast<uint16_t*>(e.y) + at + j);
        else for (int l = 0; l < W; ++l) static_cast<Half*>(e.y)[at + j + l] = Half(v[l]);
      }
    }
  }
}
// A strip against an f16 panel: 96 rows of the panel at a time become f32 in first-level cache.
void strip_f16(StripFn run, int64_t rows, int64_t k, const float* x, int64_t ldx, const uint16_t* panel, float* sums) {
  constexpr int64_t kPiece = 96;
  alignas(64) float wide[kPiece * kPanel], part[6 * kPanel];
  for (int64_t p = 0; p < k; p += kPiece) {
    const int64_t n = std::min(kPiece, k - p);
    widen_f16(panel + p * kPanel, n * kPanel, wide);
    run(kF32, rows, n, x + p, ldx, wide, p ? part : sums);
    if (p)
      for (int64_t i = 0; i < rows * kPanel; ++i) sums[i] += part[i];
  }
}

using FinishFn = void (*)(const float*, int64_t, int64_t, int64_t, const Epilogue&);
void finish_scalar(const float* s, int64_t rows, int64_t row, int64_t column, const Epilogue& e) { finish_full<16>(s, rows, row, column, e); }
TRANSFORMERS_TARGET_AVX2 void finish_avx2(const float* s, int64_t rows, int64_t row, int64_t column, const Epilogue& e) {
  finish_full<32>(s, rows, row, column, e);
}
TRANSFORMERS_TARGET_AVX512 void finish_avx512(const float* s, int64_t rows, int64_t row, int64_t column, const Epilogue& e) {
  finish_full<64>(s, rows, row, column, e);
}
FinishFn finish() { return cpu().avx512 ? finish_avx512 : cpu().avx2 ? finish_avx2 : finish_scalar; }

const float* as_floats(DType type, const void* x, int64_t m, int64_t k, int64_t* ldx) {
  if (type == DType::f32) return static_cast<const float*>(x);
  float* out = static_cast<float*>(scratch(Scratch::gemm_a, m * k * 4));
  for (int64_t i = 0; i < m; ++i) {
    if (type == DType::f16) { widen_f16(static_cast<const uint16_t*>(x) + i * *ldx, k, out + i * k); continue; }
    const BFloat16* row = static_cast<const BFloat16*>(x) + i * *ldx;
    for (int64_t p = 0; p < k; ++p) out[i * k + p] = row[p];
  }
  *ldx = k;
  return out;
}

}  // namespace

void finish_strip(const float* sums, int64_t rows, int64_t cols, int64_t row, int64_t column, const Epilogue& e) {
  if (cols == kPanel) return finish()(sums, rows, row, column, e);
  // The last panel: whole vectors on padded copies.
  float bias[kPanel] = {}, line[kPanel], res[kPanel] = {};
  if (e.bias) std::memcpy(bias, e.bias + column, static_cast<size_t>(cols) * 4);
  const int64_t size = size_of(e.type);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t at = ((row + i) * e.ldy + column) * size;
    if (e.residual) std::memcpy(res, static_cast<const char*>(e.residual) + at, static_cast<size_t>(cols * size));
    const Epilogue one{bias, e.act, e.residual ? res : nullptr, line, e.type, kPanel};
    finish()(sums + i * kPanel, 1, 0, 0, one);
    std::memcpy(static_cast<char*>(e.y) + at, line, static_cast<size_t>(cols * size));
  }
}

void rows_to_bf16(DType x_type, const void* x, int64_t m, int64_t k, int64_t ldx, int64_t padded, uint16_t* out) {
  parallel_for(m, std::max<int64_t>(1, 16384 / (k + 1)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      uint16_t* row = out + i * padded;
      if (x_type == DType::bf16) {
        std::memcpy(row, static_cast<const uint16_t*>(x) + i * ldx, static_cast<size_t>(k) * 2);
      } else {
        for (int64_t p = 0; p < k; ++p)
          row[p] = BFloat16(x_type == DType::f32 ? static_cast<const float*>(x)[i * ldx + p] : static_cast<float>(static_cast<const Half*>(x)[i * ldx + p])).bits;
      }
      std::fill(row + k, row + padded, uint16_t{0});
    }
  });
}

void packed_product(DType type, const void* packed, int64_t n, int64_t k, DType x_type, const void* x, int64_t m, int64_t ldx, const Epilogue& e) {
  if (m == 0 || n == 0) return;
  const int64_t panels = (n + kPanel - 1) / kPanel, depth = packed_depth(type, k);
  if (type == DType::bf16 && x_type == DType::bf16 && cpu().amx_bf16 && m > 4) {
    const uint16_t* rows = static_cast<const uint16_t*>(x);
    if (depth != k) {
      uint16_t* padded = static_cast<uint16_t*>(scratch(Scratch::gemm_a, m * depth * 2));
      rows_to_bf16(x_type, x, m, k, ldx, depth, padded);
      rows = padded, ldx = depth;
    }
    parallel_for(panels, 1, [&](int64_t begin, int64_t end) { amx_panels(static_cast<const uint16_t*>(packed), begin, end, n, depth, rows, m, ldx, e); });
    return;
  }
  const int layout = type == DType::bf16 ? kBf16 : kF32;
  const StripFn run = cpu().avx512 ? strip_avx512 : cpu().avx2 ? strip_avx2 : strip_scalar;
  const int64_t mr = cpu().avx512 ? 6 : 4;
  int64_t used = k;
  const float* rows = as_floats(x_type, x, m, k, &ldx);
  if (layout == kBf16 && k % 2) {  // pairs: one more zero
    float* padded = static_cast<float*>(scratch(Scratch::gemm_b, m * (k + 1) * 4));
    for (int64_t i = 0; i < m; ++i) std::memcpy(padded + i * (k + 1), rows + i * ldx, static_cast<size_t>(k) * 4), padded[i * (k + 1) + k] = 0;
    rows = padded, used = k + 1, ldx = used;
  }
  // Tasks: blocks of rows that stay in the second-level cache, times panels.
  int64_t block = std::max<int64_t>(mr, std::min<int64_t>(m, (256 * 1024 / (k + 1) + mr - 1) / mr * mr));
  while (panels * ((m + block - 1) / block) < 2 * num_threads() && block > 4 * mr) block = (block / 2 + mr - 1) / mr * mr;
  const int64_t blocks = (m + block - 1) / block;
  const int64_t grain = std::max<int64_t>(1, (1 << 16) / (block * kPanel * k + 1));
  parallel_for(panels * blocks, grain, [&](int64_t begin, int64_t end) {
    alignas(64) float sums[6 * kPanel];
    for (int64_t t = begin; t < end; ++t) {
      const int64_t panel = t % panels, first = t / panels * block, last = std::min(m, first + block);
      const char* w = static_cast<const char*>(packed) + panel * kPanel * depth * size_of(type);
      float* wide = nullptr;  // many rows: the whole f16 panel once
      if (type == DType::f16 && last - first > mr) {
        wide = static_cast<float*>(scratch(Scratch::widened, depth * kPanel * 4));
        widen_f16(reinterpret_cast<const uint16_t*>(w), depth * kPanel, wide);
      }
      for (int64_t i = first; i < last; i += mr) {
        const int64_t r = std::min(mr, last - i);
        if (type == DType::f16 && !wide) strip_f16(run, r, used, rows + i * ldx, ldx, reinterpret_cast<const uint16_t*>(w), sums);
        else run(layout, r, used, rows + i * ldx, ldx, wide ? static_cast<const void*>(wide) : w, sums);
        finish_strip(sums, r, std::min(kPanel, n - panel * kPanel), i, panel * kPanel, e);
      }
    }
  });
}

}  // namespace transformers::kernels
