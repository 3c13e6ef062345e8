// Private to the convolution ops: options and shapes to kernels::ConvGeometry.
#pragma once
#include "kernels/conv.h"
#include "ops/conv.h"

namespace transformers::detail {

/// Entry i of an option that has one number per spatial dimension or one for all. Throws ShapeError.
inline int64_t spatial_option(const char* op, const char* what, const Shape& v, int64_t i, int64_t rank, int64_t least) {
  if (v.rank() != 1 && v.rank() != rank) throw ShapeError({op, ": ", what, " ", v.str(), " for ", rank, " spatial dimensions"});
  const int64_t x = v.rank() == 1 ? v[0] : v[i];
  if (x < least) throw ValueError({op, ": ", what, " ", x, " is less than ", least});
  return x;
}

/// Geometry of an ordinary convolution of x [B, C, in]; kernel: spatial sizes.
kernels::ConvGeometry conv_geometry(const char* op, const Shape& x, const Shape& kernel, const ConvOptions& o);
/// Sum over everything but dim 1, in the accumulator type, as bias's dtype and shape.
Tensor channel_sums(const Tensor& g, const Tensor& bias);
/// y [B, C, ...] += bias [C] in place.
void add_channel_bias(Tensor& y, const Tensor& bias);

}  // namespace transformers::detail
