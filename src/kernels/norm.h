// Row kernels of the normalisations (f32 and f64). Pointers to n contiguous values; no checks, no allocation.
#pragma once
#include <cstdint>

namespace transformers::kernels {

/// Mean and biased variance of a row, in two passes.
void moments(const float* x, int64_t n, float* mean, float* variance) noexcept;
void moments(const double* x, int64_t n, double* mean, double* variance) noexcept;
float sum_squares(const float* x, int64_t n) noexcept;
double sum_squares(const double* x, int64_t n) noexcept;
/// y = (x - mean) * rstd * w + b; w and b may be null.
void norm_row(const float* x, const float* w, const float* b, float mean, float rstd, float* y, int64_t n) noexcept;
void norm_row(const double* x, const double* w, const double* b, double mean, double rstd, double* y, int64_t n) noexcept;
/// dx of norm_row from g = dy; centered = whether the mean depends on x. dw += g * xhat and db += g where not null.
void norm_grad_row(const float* g, const float* x, const float* w, float mean, float rstd, bool centered, float* dx, float* dw, float* db, int64_t n) noexcept;
void norm_grad_row(const double* g, const double* x, const double* w, double mean, double rstd, bool centered, double* dx, double* dw, double* db, int64_t n) noexcept;
/// sum(g) and sum(g * x).
void pair_sums(const float* g, const float* x, int64_t n, float* sum_g, float* sum_gx) noexcept;
void pair_sums(const double* g, const double* x, int64_t n, double* sum_g, double* sum_gx) noexcept;
/// y = a * g + b * x + c; g may be null (then a is not used).
void combine(const float* g, const float* x, float a, float b, float c, float* y, int64_t n) noexcept;
void combine(const double* g, const double* x, double a, double b, double c, double* y, int64_t n) noexcept;

}  // namespace transformers::kernels
