// Few rows of x times a plain row-major weight: one pass over the weight at memory speed.
#pragma once
#include <cstdint>

#include "transformers/dtype.h"

namespace transformers::kernels {

constexpr int64_t kGemvRows = 4;

/// y[m, n] = x[m, k] w[n, k]^T + bias (f32, may be null). w: f32, f16 or bf16, row stride ldw; x and y f32, contiguous;
/// m at most kGemvRows.
void gemv(DType type, const void* w, int64_t ldw, const float* x, int64_t m, int64_t n, int64_t k, const float* bias, float* y);

}  // namespace transformers::kernels
