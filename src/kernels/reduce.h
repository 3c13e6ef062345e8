// Reductions and softmax of float rows.
#pragma once
#include <cstdint>

namespace transformers::kernels {

double sum(const float* x, int64_t n) noexcept;                             ///< Accumulated in double.
void add_to(const float* x, double* total, int64_t n) noexcept;             ///< total += x
float extreme(bool largest, const float* x, int64_t n) noexcept;            ///< NaN when any is; n > 0.
int64_t find(const float* x, int64_t n, float value) noexcept;              ///< First place of value (NaN finds NaN), or n.
void softmax(const float* x, float* y, int64_t n) noexcept;                 ///< y may be x; n > 0.
void log_softmax(const float* x, float* y, int64_t n) noexcept;
/// dx of softmax from g and its result y; of log_softmax likewise.
void softmax_grad(const float* g, const float* y, float* dx, int64_t n) noexcept;
void log_softmax_grad(const float* g, const float* y, float* dx, int64_t n) noexcept;

}  // namespace transformers::kernels
