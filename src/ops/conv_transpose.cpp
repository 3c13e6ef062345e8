// Transposed convolution: the data gradient of a convolution, so its three passes are that convolution's.
#include "ops/conv_detail.h"
#include "ops/rows.h"

namespace transformers {

Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& o) {
  const char* op = "conv_transpose";
  check_floating(op, x);
  const int64_t rank = weight.rank() - 2;
  if (weight.dtype() != x.dtype()) throw DTypeError({op, ": x is ", name_of(x.dtype()), ", the weight ", name_of(weight.dtype())});
  if (rank < 1 || rank > 3 || x.rank() != rank + 2 || x.dim(1) != weight.dim(0) || o.groups < 1 || x.dim(1) % o.groups != 0)
    throw ShapeError({op, ": x ", x.shape().str(), ", weight ", weight.shape().str(), ", groups ", o.groups});
  const int64_t channels = weight.dim(1) * o.groups;
  if (bias.defined() && bias.numel() != channels) throw ShapeError({op, ": ", bias.numel(), " biases for ", channels, " channels"});

  kernels::ConvGeometry g;  // of the convolution that maps y to x
  g.batch = x.dim(0), g.cin = channels, g.cout = x.dim(1), g.groups = o.groups;
  Shape out{g.batch, channels};
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t d = 3 - rank + i;
    g.out[d] = x.dim(i + 2), g.k[d] = weight.dim(i + 2);
    g.stride[d] = detail::spatial_option(op, "stride", o.stride, i, rank, 1), g.pad[d] = detail::spatial_option(op, "padding", o.padding, i, rank, 0);
    g.dilation[d] = detail::spatial_option(op, "dilation", o.dilation, i, rank, 1);
    const int64_t extra = detail::spatial_option(op, "output_padding", o.output_padding, i, rank, 0);
    if (extra >= g.stride[d] && extra >= g.dilation[d]) throw ValueError({op, ": output_padding ", extra, " must be less than stride or dilation"});
    g.in[d] = (g.out[d] - 1) * g.stride[d] - 2 * g.pad[d] + g.dilation[d] * (g.k[d] - 1) + extra + 1;
    if (g.in[d] < 1) throw ShapeError({op, ": output size ", g.in[d], " for x ", x.shape().str()});
    out.push_back(g.in[d]);
  }

  const DType type = x.dtype(), at = acc_dtype(type);
  const Tensor in = dense_acc(x, type), w = dense_acc(weight, type);
  Tensor y = Tensor::empty(out, at);
  TRANSFORMERS_FLOAT_SWITCH(op, at, {
    if constexpr (kWide<T>) kernels::conv_backward_data(g, in.data<T>(), w.data<T>(), y.mutable_data<T>());
  })
  if (bias.defined()) detail::add_channel_bias(y, bias);
  return record(y.to(type), op, {x, weight, bias}, [=, wants_x = x.requires_grad(), wants_w = weight.requires_grad(),
                                                    kept_bias = bias.defined() && bias.requires_grad() ? bias.detach() : Tensor()](const Tensor& grad) -> Grads {
    const Tensor gy = dense_acc(grad, type);
    Tensor dx = wants_x ? Tensor::empty(in.shape(), at) : Tensor(), dw = wants_w ? Tensor::empty(w.shape(), at) : Tensor();
    TRANSFORMERS_FLOAT_SWITCH(op, at, {
      if constexpr (kWide<T>) {
        if (wants_x) kernels::conv_forward(g, gy.data<T>(), w.data<T>(), dx.mutable_data<T>());
        if (wants_w) kernels::conv_backward_weight(g, gy.data<T>(), in.data<T>(), dw.mutable_data<T>());
      }
    })
    return {wants_x ? dx.to(type) : dx, wants_w ? dw.to(type) : dw, kept_bias.defined() ? detail::channel_sums(grad, kept_bias) : Tensor()};
  });
}

}  // namespace transformers
