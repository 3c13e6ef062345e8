// Products with weights packed once: y[M, N] = act(x[M, K] w[N, K]^T + bias) + residual.
// Layouts: panels of 64 columns of the product (rows of w), zero padded, K running inside:
//   f32, f16  [N/64][K][64]          bf16  [N/64][K/2][64][2] (K padded to a multiple of 32)
#pragma once
#include <cstdint>

#include "transformers/dtype.h"

namespace transformers::kernels {

constexpr int64_t kPanel = 64;

enum class Act : uint8_t { none, relu, gelu_erf, gelu_tanh, silu };

/// What happens to a product before it is stored.
struct Epilogue {
  const float* bias = nullptr;     ///< [N]
  Act act = Act::none;
  const void* residual = nullptr;  ///< [M, N], of the type of y, row stride ldy
  void* y = nullptr;
  DType type = DType::f32;         ///< f32, f16 or bf16
  int64_t ldy = 0;
};

int64_t packed_depth(DType type, int64_t k);  ///< K as padded
int64_t packed_bytes(DType type, int64_t n, int64_t k);
/// w: [n, k] of `type`, row stride ldw; out: packed_bytes, 64-byte aligned.
void pack_weight(DType type, const void* w, int64_t n, int64_t k, int64_t ldw, void* out);
/// Row `row` of the packed weight as f32 [k].
void unpack_row(DType type, const void* packed, int64_t k, int64_t row, float* out);

/// x: [m, k] f32, f16 or bf16, row stride ldx. A bf16 x with a bf16 weight uses bf16 hardware where there is some; all
/// else is computed in f32.
void packed_product(DType type, const void* packed, int64_t n, int64_t k, DType x_type, const void* x, int64_t m, int64_t ldx, const Epilogue& e);

/// Rows of a strip [rows][kPanel] of sums through the epilogue to y + row * ldy + column.
void finish_strip(const float* sums, int64_t rows, int64_t cols, int64_t row, int64_t column, const Epilogue& e);
/// n half-precision values to f32, by the machine's instruction where it has one.
void widen_f16(const uint16_t* in, int64_t n, float* out);
/// AMX: x bf16 [m, k padded to 32], row stride ldx, weight in the bf16 layout. Panels [begin, end).
void amx_panels(const uint16_t* packed, int64_t begin, int64_t end, int64_t n, int64_t k, const uint16_t* x, int64_t m, int64_t ldx, const Epilogue& e);
/// x to bf16 rows padded with zeros to `padded`.
void rows_to_bf16(DType x_type, const void* x, int64_t m, int64_t k, int64_t ldx, int64_t padded, uint16_t* out);

}  // namespace transformers::kernels
