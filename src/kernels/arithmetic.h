// Arithmetic of float rows, and rows between the 16-bit floats and float. Any alignment; y may be an operand.
#pragma once
#include <cstdint>

#include "transformers/dtype.h"

namespace transformers::kernels {

enum class Arith : uint8_t { add, sub, mul, div, max, min };  ///< max and min give NaN where either operand is NaN.
void arithmetic(Arith op, const float* a, const float* b, float* y, int64_t n) noexcept;
void arithmetic(Arith op, const float* a, float b, float* y, int64_t n) noexcept;
void arithmetic(Arith op, float a, const float* b, float* y, int64_t n) noexcept;

void convert(const Half* x, float* y, int64_t n) noexcept;
void convert(const BFloat16* x, float* y, int64_t n) noexcept;
void convert(const float* x, Half* y, int64_t n) noexcept;  ///< Rounds to nearest even.
void convert(const float* x, BFloat16* y, int64_t n) noexcept;

}  // namespace transformers::kernels
