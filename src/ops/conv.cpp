// Convolution: oneDNN for f32 and bf16, own im2col loops for f64 and where oneDNN has nothing; f16 goes through f32.
// Backward by products on columns, in the accumulator type. B batch, Cin and Cout channels.
#include "base/parallel.h"
#include "kernels/norm.h"
#include "ops/conv_detail.h"
#include "ops/index.h"
#include "ops/rows.h"

namespace transformers {
namespace detail {

kernels::ConvGeometry conv_geometry(const char* op, const Shape& x, const Shape& kernel, const ConvOptions& o) {
  const int64_t rank = kernel.rank();
  if (rank < 1 || rank > 3 || x.rank() != rank + 2) throw ShapeError({op, ": x ", x.str(), " with kernel ", kernel.str(), "; 1 to 3 spatial dimensions"});
  kernels::ConvGeometry g;
  g.batch = x[0], g.cin = x[1], g.groups = o.groups;
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t d = 3 - rank + i;
    g.in[d] = x[i + 2], g.k[d] = kernel[i];
    g.stride[d] = spatial_option(op, "stride", o.stride, i, rank, 1), g.pad[d] = spatial_option(op, "padding", o.padding, i, rank, 0);
    g.dilation[d] = spatial_option(op, "dilation", o.dilation, i, rank, 1);
    if (g.k[d] < 1) throw ShapeError({op, ": kernel ", kernel.str()});
    const int64_t reach = g.in[d] + 2 * g.pad[d] - g.dilation[d] * (g.k[d] - 1) - 1;
    if (reach < 0) throw ShapeError({op, ": kernel ", kernel.str(), " does not fit into ", x.str()});
    g.out[d] = reach / g.stride[d] + 1;
  }
  return g;
}

template <class T> static void sum_channels(const T* g, int64_t batch, int64_t channels, int64_t length, double* out) {
  using A = Acc<T>;
  std::vector<A> buffer(kWide<T> ? 0 : static_cast<size_t>(length));
  for (int64_t p = 0; p < batch * channels; ++p) {
    const A* row = widen_row(g + p * length, length, buffer.data());
    A sum, squares;
    kernels::pair_sums(row, row, length, &sum, &squares);
    out[p % channels] += static_cast<double>(sum);
  }
}
Tensor channel_sums(const Tensor& grad, const Tensor& bias) {
  const Tensor g = grad.contiguous();
  Tensor sums = Tensor::zeros({g.dim(1)}, DType::f64);
  TRANSFORMERS_FLOAT_SWITCH("conv", g.dtype(), sum_channels(g.data<T>(), g.dim(0), g.dim(1), g.numel() ? g.numel() / g.dim(0) / g.dim(1) : 0, sums.mutable_data<double>()))
  return sums.to(bias.dtype()).view(bias.shape());
}

void add_channel_bias(Tensor& y, const Tensor& bias) {
  const Tensor b = dense_acc(bias, y.dtype());
  const int64_t C = y.dim(1), L = y.numel() ? y.numel() / y.dim(0) / C : 0;
  TRANSFORMERS_FLOAT_SWITCH("conv", y.dtype(), {
    using A = Acc<T>;
    T* p = y.mutable_data<T>();
    parallel_for(y.dim(0) * C, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, L)), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const A v = b.data<A>()[r % C];
        for (int64_t i = r * L; i < (r + 1) * L; ++i) p[i] = T(static_cast<A>(p[i]) + v);
      }
    });
  })
}

}  // namespace detail

namespace {

void check(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvOptions& o) {
  check_floating("conv", x);
  if (w.dtype() != x.dtype()) throw DTypeError({"conv: x is ", name_of(x.dtype()), ", the weight ", name_of(w.dtype())});
  if (w.rank() < 3 || x.rank() != w.rank()) throw ShapeError({"conv: x ", x.shape().str(), ", weight ", w.shape().str()});
  if (o.groups < 1 || x.dim(1) % o.groups != 0 || w.dim(0) % o.groups != 0 || x.dim(1) / o.groups != w.dim(1))
    throw ShapeError({"conv: x ", x.shape().str(), ", weight ", w.shape().str(), ", groups ", o.groups});
  if (bias.defined() && bias.numel() != w.dim(0)) throw ShapeError({"conv: ", bias.numel(), " biases for ", w.dim(0), " channels"});
}
Shape kernel_of(const Tensor& w) {
  Shape k;
  for (int64_t i = 2; i < w.rank(); ++i) k.push_back(w.dim(i));
  return k;
}

}  // namespace

Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& o) {
  check(x, weight, bias, o);
  kernels::ConvGeometry g = detail::conv_geometry("conv", x.shape(), kernel_of(weight), o);
  g.cout = weight.dim(0);
  Shape out{g.batch, g.cout};
  for (int64_t i = 5 - x.rank(); i < 3; ++i) out.push_back(g.out[i]);
  const DType type = x.dtype(), work = type == DType::f16 ? DType::f32 : type;
  const Tensor in = x.detach().to(work).contiguous(), w = weight.detach().to(work).contiguous();
  const Tensor b = bias.defined() ? bias.detach().to(work).contiguous() : Tensor();
  Tensor y = Tensor::empty(out, work);
  const bool simple = g.taps() == 1 && g.stride[0] * g.stride[1] * g.stride[2] == 1 && g.pad[0] + g.pad[1] + g.pad[2] == 0 && g.groups == 1 && work == DType::f32;
  const bool depthwise = g.groups == g.cin && g.groups > 1 && g.stride[2] == 1;  // own kernel: no blocked layout to pay for
  const double flops = static_cast<double>(g.out_size()) * static_cast<double>(g.taps() * g.cin / g.groups * g.cout) * static_cast<double>(g.batch);
  if (y.numel() == 0) {
  } else if (work != DType::f64 && !simple && !depthwise && flops > 2e4 && kernels::conv_onednn(work, g, in.raw(), w.raw(), b.defined() ? b.raw() : nullptr, y.mutable_raw())) {
  } else {
    if (work == DType::f64) {
      kernels::conv_forward(g, in.data<double>(), w.data<double>(), y.mutable_data<double>());
    } else {
      const Tensor x32 = in.to(DType::f32), w32 = w.to(DType::f32);
      Tensor y32 = work == DType::f32 ? y : Tensor::empty(out);
      kernels::conv_forward(g, x32.data<float>(), w32.data<float>(), y32.mutable_data<float>());
      y = y32;
    }
    if (b.defined()) detail::add_channel_bias(y, b);
  }
  return record(y.to(type), "conv", {x, weight, bias}, [=, wants_x = x.requires_grad(), wants_w = weight.requires_grad(),
                                                        kept_bias = bias.defined() && bias.requires_grad() ? bias.detach() : Tensor()](const Tensor& grad) -> Grads {
    Tensor dx, dw;
    const DType at = acc_dtype(type);
    const Tensor gy = grad.to(at).contiguous();
    if (wants_x) dx = Tensor::empty(in.shape(), at);
    if (wants_w) dw = Tensor::empty(w.shape(), at);
    const Tensor xa = in.to(at), wa = w.to(at);
    TRANSFORMERS_FLOAT_SWITCH("conv", at, {
      if constexpr (kWide<T>) {
        if (wants_x) kernels::conv_backward_data(g, gy.data<T>(), wa.data<T>(), dx.mutable_data<T>());
        if (wants_w) kernels::conv_backward_weight(g, xa.data<T>(), gy.data<T>(), dw.mutable_data<T>());
      }
    })
    return {wants_x ? dx.to(type) : dx, wants_w ? dw.to(type) : dw, kept_bias.defined() ? detail::channel_sums(grad, kept_bias) : Tensor()};
  });
}

Tensor pad_same(const Tensor& x, const Shape& kernel, const Shape& dilation) {
  const int64_t rank = x.rank() - 2;
  if (rank < 1 || kernel.rank() != rank) throw ShapeError({"pad_same: kernel ", kernel.str(), " for ", x.shape().str()});
  Shape pads;
  for (int64_t i = rank - 1; i >= 0; --i) {
    const int64_t total = detail::spatial_option("pad_same", "dilation", dilation, i, rank, 1) * (kernel[i] - 1);
    pads.push_back(total / 2), pads.push_back(total - total / 2);
  }
  return pad(x, pads);
}

}  // namespace transformers
