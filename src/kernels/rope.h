// Rotation of the halves of rows (rotary embedding, "neox" layout).
#pragma once
#include <cstdint>

#include "transformers/dtype.h"

namespace transformers::kernels {

/// For each of `rows`: y1 = x1 c1 - x2 s1, y2 = x2 c2 + x1 s2 (backward: the transpose), x2 lying `half` after x1; cos and
/// sin [rows, 2 * half] f32. Strides in elements. f32, f16, bf16.
void rotate_halves(DType type, const void* x, int64_t x_stride, const float* cos, const float* sin, int64_t rows, int64_t half, bool backward, void* y,
                   int64_t y_stride) noexcept;

}  // namespace transformers::kernels
