// Cross-entropy rows: one pass for the maximum, one for the sum; backward recomputes the probabilities.
#include <algorithm>
#include <cmath>
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/cross_entropy.cpp"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/math_inl.h"
#include "kernels/cross_entropy.h"

HWY_BEFORE_NAMESPACE();
namespace transformers::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

float lse(const float* x, int64_t n) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  float top = -__builtin_inff();
  int64_t i = 0;
  if (n >= lanes) {
    auto m0 = hn::LoadU(d, x), m1 = m0;
    for (; i + 2 * lanes <= n; i += 2 * lanes) m0 = hn::Max(m0, hn::LoadU(d, x + i)), m1 = hn::Max(m1, hn::LoadU(d, x + i + lanes));
    top = hn::GetLane(hn::MaxOfLanes(d, hn::Max(m0, m1)));
  }
  for (; i < n; ++i) top = std::max(top, x[i]);
  if (std::isinf(top)) return top;
  const auto shift = hn::Set(d, top);
  auto s0 = hn::Zero(d), s1 = s0;
  float rest = 0;
  for (i = 0; i + 2 * lanes <= n; i += 2 * lanes) {
    s0 = hn::Add(s0, fast_exp(d, hn::Sub(hn::LoadU(d, x + i), shift)));
    s1 = hn::Add(s1, fast_exp(d, hn::Sub(hn::LoadU(d, x + i + lanes), shift)));
  }
  for (; i < n; ++i) rest += std::exp(x[i] - top);
  return top + std::log(hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1))) + rest);
}

void probabilities(const float* x, int64_t n, float shift, float scale, float* y) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto vs = hn::Set(d, shift), vk = hn::Set(d, scale);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Mul(vk, fast_exp(d, hn::Sub(hn::LoadU(d, x + i), vs))), d, y + i);
  for (; i < n; ++i) y[i] = scale * std::exp(x[i] - shift);
}

}  // namespace HWY_NAMESPACE
}  // namespace transformers::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace transformers::kernels {
HWY_EXPORT(lse);
HWY_EXPORT(probabilities);
float log_sum_exp(const float* x, int64_t n) noexcept { return HWY_DYNAMIC_DISPATCH(lse)(x, n); }
double log_sum_exp(const double* x, int64_t n) noexcept {
  double top = -__builtin_inf(), sum = 0;
  for (int64_t i = 0; i < n; ++i) top = std::max(top, x[i]);
  if (std::isinf(top)) return top;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(x[i] - top);
  return top + std::log(sum);
}
void scaled_exp(const float* x, int64_t n, float shift, float scale, float* y) noexcept { HWY_DYNAMIC_DISPATCH(probabilities)(x, n, shift, scale, y); }
void scaled_exp(const double* x, int64_t n, double shift, double scale, double* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = scale * std::exp(x[i] - shift);
}
}  // namespace transformers::kernels
#endif
