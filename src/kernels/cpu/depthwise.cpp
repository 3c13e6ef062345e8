// One plane of a depthwise convolution with stride 1 along the last dimension, from a zero-padded copy of its input.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/depthwise.cpp"
#include "kernels/cpu/simd.h"
#include "kernels/conv.h"

HWY_BEFORE_NAMESPACE();
namespace transformers::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// N vectors of one output row in registers over all taps.
template <int N> HWY_INLINE void columns(const ConvGeometry& g, const float* x, int64_t row, int64_t plane, const float* w, float* y) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<decltype(d)> sum[N];
  TRANSFORMERS_UNROLL for (int i = 0; i < N; ++i) sum[i] = hn::Zero(d);
  for (int64_t a = 0; a < g.k[0]; ++a)
    for (int64_t b = 0; b < g.k[1]; ++b) {
      const float* in = x + a * g.dilation[0] * plane + b * g.dilation[1] * row;
      for (int64_t c = 0; c < g.k[2]; ++c, in += g.dilation[2]) {
        const auto tap = hn::Set(d, *w++);
        TRANSFORMERS_UNROLL for (int i = 0; i < N; ++i) sum[i] = hn::MulAdd(tap, hn::LoadU(d, in + i * lanes), sum[i]);
      }
    }
  TRANSFORMERS_UNROLL for (int i = 0; i < N; ++i) hn::StoreU(sum[i], d, y + i * lanes);
}

void plane_rows(const ConvGeometry& g, const float* x, int64_t row, int64_t plane, const float* w, float* y) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), width = g.out[2];
  HWY_ALIGN float tail[HWY_MAX_BYTES / 4];
  for (int64_t z = 0; z < g.out[0]; ++z)
    for (int64_t r = 0; r < g.out[1]; ++r, y += width) {
      const float* in = x + z * g.stride[0] * plane + r * g.stride[1] * row;
      int64_t i = 0;
      for (; i + 4 * lanes <= width; i += 4 * lanes) columns<4>(g, in + i, row, plane, w, y + i);
      for (; i + lanes <= width; i += lanes) columns<1>(g, in + i, row, plane, w, y + i);
      if (i < width) {  // the padded copy has room for a whole vector
        columns<1>(g, in + i, row, plane, w, tail);
        for (int64_t j = i; j < width; ++j) y[j] = tail[j - i];
      }
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace transformers::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace transformers::kernels {
HWY_EXPORT(plane_rows);
void depthwise_plane(const ConvGeometry& g, const float* padded, int64_t row, int64_t plane, const float* w, float* y) noexcept {
  HWY_DYNAMIC_DISPATCH(plane_rows)(g, padded, row, plane, w, y);
}
}  // namespace transformers::kernels
#endif
