// linear: x W^T + b over the last dimension.
#include <algorithm>

#include "base/parallel.h"
#include "kernels/gemv.h"
#include "ops/matmul.h"

namespace transformers {
namespace {

void add_rows(Tensor& y, const Tensor& bias_in) {
  const Tensor bias = bias_in.detach().contiguous();
  const int64_t n = bias.numel(), rows = n ? y.numel() / n : 0;
  TRANSFORMERS_FLOAT_SWITCH("linear", y.dtype(), {
    T* out = y.mutable_data<T>();
    const T* b = bias.data<T>();
    parallel_for(rows, std::max<int64_t>(1, 32768 / (n + 1)), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < n; ++j) out[i * n + j] = T(out[i * n + j] + b[j]);
    });
  })
}

// A decode step: one to a few rows, where the weight's own bytes are what costs.
bool few_rows(const Tensor& x, const Tensor& weight) {
  return x.dim(0) >= 1 && x.dim(0) <= kernels::kGemvRows && x.dtype() != DType::f64 && x.dtype() <= DType::bf16 && weight.strides()[1] == 1;
}
Tensor product_of_few_rows(const Tensor& x_in, const Tensor& weight, const Tensor& bias_in) {
  const Tensor x = x_in.to(DType::f32).contiguous(), bias = bias_in.defined() ? bias_in.detach().to(DType::f32).contiguous() : Tensor();
  Tensor y = Tensor::empty({x.dim(0), weight.dim(0)});
  kernels::gemv(weight.dtype(), weight.raw(), weight.strides()[0], x.data<float>(), x.dim(0), weight.dim(0), weight.dim(1),
                bias.defined() ? bias.data<float>() : nullptr, y.mutable_data<float>());
  return y.to(x_in.dtype());
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (!x.defined() || !weight.defined()) throw ValueError("linear: an operand is undefined");
  if (weight.rank() != 2 || x.rank() < 1 || x.dim(-1) != weight.dim(1) || (bias.defined() && !(bias.shape() == Shape{weight.dim(0)})))
    throw ShapeError({"linear: expected x [..., in], weight [out, in] and bias [out], got ", x.shape().str(), ", ", weight.shape().str(),
                      bias.defined() ? ", " + bias.shape().str() : std::string()});
  if (x.dtype() != weight.dtype() || (bias.defined() && bias.dtype() != x.dtype()))
    throw DTypeError({"linear: operands must have one dtype, got ", name_of(x.dtype()), " and ", name_of(weight.dtype())});
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.dim(0);
  const int64_t in = weight.dim(1), rows = x.rank() == 1 ? 1 : Shape(x.shape().begin(), x.shape().size() - 1).numel();
  Tensor y;
  {
    NoGrad no_grad;
    const Tensor flat = x.detach().reshape({rows, in});
    if (few_rows(flat, weight)) {
      y = product_of_few_rows(flat, weight.detach(), bias).reshape(shape);
    } else {
      // f16 has no product of its own here; the bias is added before rounding.
      const bool half = x.dtype() == DType::f16;
      y = matmul(half ? flat.to(DType::f32) : flat, (half ? weight.detach().to(DType::f32) : weight.detach()).t());
      if (bias.defined()) add_rows(y, half ? bias.detach().to(DType::f32) : bias);
      y = y.to(x.dtype()).reshape(shape);
    }
  }
  const Tensor b = bias.defined() ? bias : Tensor();
  std::vector<Tensor> inputs{x, weight};
  if (bias.defined()) inputs.push_back(bias);
  return record(y, "linear", inputs, [x, weight, b](const Tensor& g) -> Grads {
    const int64_t out = weight.dim(0), in = weight.dim(1);
    const Tensor flat = g.reshape({g.numel() / std::max<int64_t>(1, out), out});
    Grads grads(b.defined() ? 3 : 2);
    if (x.requires_grad()) grads[0] = matmul(flat, weight.detach()).reshape(x.shape());
    if (weight.requires_grad()) grads[1] = matmul(flat.t(), x.detach().reshape({flat.dim(0), in}));
    if (b.defined() && b.requires_grad()) grads[2] = sum_to(flat, b.shape());
    return grads;
  });
}

}  // namespace transformers
