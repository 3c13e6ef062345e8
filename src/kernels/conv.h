// Convolution in 1 to 3 spatial dimensions, always seen as 3 (missing ones are 1). Layouts as PyTorch's, contiguous:
// x [B, Cin, in], w [Cout, Cin / groups, k], y [B, Cout, out]. Transposed convolution is backward_data.
#pragma once
#include <cstdint>

#include "transformers/dtype.h"

namespace transformers::kernels {

struct ConvGeometry {
  int64_t batch = 1, cin = 1, cout = 1, groups = 1;
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, k[3] = {1, 1, 1};
  int64_t stride[3] = {1, 1, 1}, pad[3] = {}, dilation[3] = {1, 1, 1};
  int64_t in_size() const { return in[0] * in[1] * in[2]; }
  int64_t out_size() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return k[0] * k[1] * k[2]; }
};

/// Own path for f32 and f64: im2col and products, direct loops where a group has one input channel. All overwrite their result.
template <class T> void conv_forward(const ConvGeometry& g, const T* x, const T* w, T* y);
template <class T> void conv_backward_data(const ConvGeometry& g, const T* gy, const T* w, T* gx);
template <class T> void conv_backward_weight(const ConvGeometry& g, const T* x, const T* gy, T* gw);

/// Columns [l0, l1) of the matrix [channels * taps, out_size] made of patches of x [channels, in]; out-of-range is 0.
template <class T> void im2col(const ConvGeometry& g, int64_t channels, const T* x, int64_t l0, int64_t l1, T* columns);
/// The adjoint: adds all columns into x.
template <class T> void col2im(const ConvGeometry& g, int64_t channels, const T* columns, T* x);

/// One output plane of a depthwise convolution with stride[2] = 1; the input plane is zero-padded on all sides, its rows are
/// `row` and its planes `plane` apart, with kDepthwiseSlack readable values after the last.
inline constexpr int64_t kDepthwiseSlack = 64;
void depthwise_plane(const ConvGeometry& g, const float* padded, int64_t row, int64_t plane, const float* w, float* y) noexcept;

/// oneDNN forward (f32, bf16), bias may be null; false when it has no fast kernel here (nothing was written then).
bool conv_onednn(DType type, const ConvGeometry& g, const void* x, const void* w, const void* bias, void* y);

}  // namespace transformers::kernels
