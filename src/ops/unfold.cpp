// unfold (im2col), its adjoint fold, and pixel shuffles.
#include "base/parallel.h"
#include "ops/conv_detail.h"
#include "ops/rows.h"

namespace transformers {
namespace {

kernels::ConvGeometry geometry(const char* op, const Shape& image, const Shape& kernel, const ConvOptions& o) {
  if (image.rank() != 4) throw ShapeError({op, ": expected [B, C, H, W], got ", image.str()});
  Shape k = kernel;
  if (k.rank() == 1) k.push_back(k[0]);
  if (k.rank() != 2) throw ShapeError({op, ": kernel ", kernel.str()});
  return detail::conv_geometry(op, image, k, o);
}

Tensor columns_of(const Tensor& x, const kernels::ConvGeometry& g) {  // accumulator type in and out
  const int64_t L = g.out_size(), rows = g.cin * g.taps();
  Tensor y = Tensor::empty({g.batch, rows, L}, x.dtype());
  TRANSFORMERS_FLOAT_SWITCH("unfold", x.dtype(), {
    if constexpr (kWide<T>)
      for (int64_t b = 0; b < g.batch; ++b) kernels::im2col(g, g.cin, x.data<T>() + b * g.cin * g.in_size(), 0, L, y.mutable_data<T>() + b * rows * L);
  })
  return y;
}
Tensor image_of(const Tensor& columns, const kernels::ConvGeometry& g) {
  Tensor x = Tensor::zeros({g.batch, g.cin, g.in[1], g.in[2]}, columns.dtype());
  const int64_t rows = g.cin * g.taps() * g.out_size();
  TRANSFORMERS_FLOAT_SWITCH("fold", x.dtype(), {
    if constexpr (kWide<T>)
      for (int64_t b = 0; b < g.batch; ++b) kernels::col2im(g, g.cin, columns.data<T>() + b * rows, x.mutable_data<T>() + b * g.cin * g.in_size());
  })
  return x;
}

}  // namespace

Tensor unfold(const Tensor& x, const Shape& kernel, const ConvOptions& o) {
  check_floating("unfold", x);
  const kernels::ConvGeometry g = geometry("unfold", x.shape(), kernel, o);
  return record(columns_of(dense_acc(x, x.dtype()), g).to(x.dtype()), "unfold", {x},
                [g, type = x.dtype()](const Tensor& grad) -> Grads { return {image_of(dense_acc(grad, type), g).to(type)}; });
}

Tensor fold(const Tensor& x, const Shape& output, const Shape& kernel, const ConvOptions& o) {
  check_floating("fold", x);
  int64_t taps = 1;
  for (int64_t i = 0; i < kernel.rank(); ++i) taps *= kernel[i];
  if (kernel.rank() == 1) taps *= taps;
  if (x.rank() != 3 || output.rank() != 2 || taps < 1 || x.dim(1) % taps != 0) throw ShapeError({"fold: x ", x.shape().str(), ", output ", output.str(), ", kernel ", kernel.str()});
  const kernels::ConvGeometry g = geometry("fold", {x.dim(0), x.dim(1) / taps, output[0], output[1]}, kernel, o);
  if (g.out_size() != x.dim(2)) throw ShapeError({"fold: expected ", g.out_size(), " columns, got ", x.dim(2)});
  return record(image_of(dense_acc(x, x.dtype()), g).to(x.dtype()), "fold", {x},
                [g, type = x.dtype()](const Tensor& grad) -> Grads { return {columns_of(dense_acc(grad, type), g).to(type)}; });
}

Tensor pixel_shuffle(const Tensor& x, int64_t r) {
  if (x.rank() != 4 || r < 1 || x.dim(1) % (r * r) != 0) throw ShapeError({"pixel_shuffle: factor ", r, " for ", x.shape().str()});
  const int64_t B = x.dim(0), C = x.dim(1) / (r * r), H = x.dim(2), W = x.dim(3);
  return x.reshape({B, C, r, r, H, W}).permute({0, 1, 4, 2, 5, 3}).reshape({B, C, H * r, W * r});
}
Tensor pixel_unshuffle(const Tensor& x, int64_t r) {
  if (x.rank() != 4 || r < 1 || x.dim(2) % r != 0 || x.dim(3) % r != 0) throw ShapeError({"pixel_unshuffle: factor ", r, " for ", x.shape().str()});
  const int64_t B = x.dim(0), C = x.dim(1), H = x.dim(2) / r, W = x.dim(3) / r;
  return x.reshape({B, C, H, r, W, r}).permute({0, 1, 3, 5, 2, 4}).reshape({B, C * r * r, H, W});
}

}  // namespace transformers
