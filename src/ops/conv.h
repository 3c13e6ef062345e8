// Convolutions, pooling, resampling. Channels first, as PyTorch. All differentiable unless said.
#pragma once
#include "transformers/tensor.h"

namespace transformers {

/// One number per spatial dimension; a single number serves all. Padding is symmetric.
struct ConvOptions {
  Shape stride{1}, padding{0}, dilation{1}, output_padding{0};  // output_padding: transposed only
  int64_t groups = 1;
};
/// x [B, Cin, *spatial], weight [Cout, Cin / groups, *kernel], bias [Cout] or undefined; 1, 2 or 3 spatial dims.
Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvOptions& o = {});
/// weight [Cin, Cout / groups, *kernel]
Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvOptions& o = {});
/// "same" padding of PyTorch for stride 1: returns x padded so that the output has x's spatial size.
Tensor pad_same(const Tensor& x, const Shape& kernel, const Shape& dilation = {1});

struct PoolOptions { Shape kernel{1}, stride{} /* = kernel */, padding{0}, dilation{1}; bool ceil_mode = false, count_include_pad = true; };
/// x [B, C, *spatial], 1, 2 or 3 spatial dims; one kernel number serves all of them.
Tensor max_pool(const Tensor& x, const PoolOptions& o);
Tensor avg_pool(const Tensor& x, const PoolOptions& o);
Tensor adaptive_avg_pool(const Tensor& x, const Shape& output);            ///< output: spatial sizes
Tensor adaptive_max_pool(const Tensor& x, const Shape& output);

enum class Interpolation { nearest, linear, bilinear, bicubic, trilinear, area, nearest_exact };
/// torch.nn.functional.interpolate to `size` (spatial). scales: the scale_factor values when they were given and are to
/// be used for the coordinates (recompute_scale_factor not set), else {}.
Tensor interpolate(const Tensor& x, const Shape& size, Interpolation mode, bool align_corners = false, bool antialias = false,
                   const std::vector<double>& scales = {});
enum class GridPadding { zeros, border, reflection };
/// x [B, C, H, W], grid [B, h, w, 2] in [-1, 1] -> [B, C, h, w]
Tensor grid_sample(const Tensor& x, const Tensor& grid, Interpolation mode = Interpolation::bilinear, GridPadding padding = GridPadding::zeros,
                   bool align_corners = false);
/// im2col: [B, C, H, W] -> [B, C * kh * kw, L]; fold is its adjoint.
Tensor unfold(const Tensor& x, const Shape& kernel, const ConvOptions& o = {});
Tensor fold(const Tensor& x, const Shape& output, const Shape& kernel, const ConvOptions& o = {});
Tensor pixel_shuffle(const Tensor& x, int64_t factor);
Tensor pixel_unshuffle(const Tensor& x, int64_t factor);

}  // namespace transformers
