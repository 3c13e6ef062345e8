// Rotation of halves with Highway.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rope.cpp"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/half_inl.h"
#include "kernels/rope.h"

HWY_BEFORE_NAMESPACE();
namespace transformers::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T> void rotate(const T* x, int64_t x_stride, const float* c, const float* s, int64_t rows, int64_t half, bool backward, T* y, int64_t y_stride) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < rows; ++r, x += x_stride, y += y_stride, c += 2 * half, s += 2 * half) {
    const float *c2 = c + half, *s2 = s + half;
    // Backward takes the sine of the other half with the sign turned.
    const float *u = backward ? s2 : s, *v = backward ? s : s2;
    const float sign = backward ? -1.0f : 1.0f;
    const auto vs = hn::Set(d, sign);
    int64_t i = 0;
    for (; i + lanes <= half; i += lanes) {
      const auto x1 = load_as_float(d, x + i), x2 = load_as_float(d, x + half + i);
      const auto a = hn::Mul(vs, hn::LoadU(d, u + i)), b = hn::Mul(vs, hn::LoadU(d, v + i));
      store_float(d, hn::NegMulAdd(x2, a, hn::Mul(x1, hn::LoadU(d, c + i))), y + i);
      store_float(d, hn::MulAdd(x1, b, hn::Mul(x2, hn::LoadU(d, c2 + i))), y + half + i);
    }
    for (; i < half; ++i) {
      const float x1 = static_cast<float>(x[i]), x2 = static_cast<float>(x[half + i]);
      y[i] = T(x1 * c[i] - x2 * sign * u[i]), y[half + i] = T(x2 * c2[i] + x1 * sign * v[i]);
    }
  }
}
void rotate_any(DType type, const void* x, int64_t xs, const float* c, const float* s, int64_t rows, int64_t half, bool backward, void* y, int64_t ys) {
  if (type == DType::f32) rotate(static_cast<const float*>(x), xs, c, s, rows, half, backward, static_cast<float*>(y), ys);
  else if (type == DType::f16) rotate(static_cast<const Half*>(x), xs, c, s, rows, half, backward, static_cast<Half*>(y), ys);
  else rotate(static_cast<const BFloat16*>(x), xs, c, s, rows, half, backward, static_cast<BFloat16*>(y), ys);
}

}  // namespace HWY_NAMESPACE
}  // namespace transformers::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace transformers::kernels {
HWY_EXPORT(rotate_any);
void rotate_halves(DType type, const void* x, int64_t x_stride, const float* cos, const float* sin, int64_t rows, int64_t half, bool backward, void* y,
                   int64_t y_stride) noexcept {
  HWY_DYNAMIC_DISPATCH(rotate_any)(type, x, x_stride, cos, sin, rows, half, backward, y, y_stride);
}
}  // namespace transformers::kernels
#endif
