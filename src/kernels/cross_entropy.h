// Row kernels of cross-entropy over a vocabulary of n (f32 and f64).
#pragma once
#include <cstdint>

namespace transformers::kernels {

/// log(sum(exp(x)))
float log_sum_exp(const float* x, int64_t n) noexcept;
double log_sum_exp(const double* x, int64_t n) noexcept;
/// y = scale * exp(x - lse)
void scaled_exp(const float* x, int64_t n, float lse, float scale, float* y) noexcept;
void scaled_exp(const double* x, int64_t n, double lse, double scale, double* y) noexcept;

}  // namespace transformers::kernels
