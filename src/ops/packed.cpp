// PackedWeight and linear_fused on the packed kernels.
#include "ops/packed.h"

#include "base/file.h"
#include "kernels/packed.h"

namespace transformers {

bool fused_activation_from_name(const std::string& name, FusedActivation* out) {
  struct Name { const char* name; FusedActivation act; };
  static constexpr Name kNames[] = {{"gelu", FusedActivation::gelu_erf}, {"gelu_python", FusedActivation::gelu_erf},
                                    {"gelu_new", FusedActivation::gelu_tanh}, {"gelu_pytorch_tanh", FusedActivation::gelu_tanh},
                                    {"gelu_python_tanh", FusedActivation::gelu_tanh}, {"gelu_fast", FusedActivation::gelu_tanh},
                                    {"gelu_accurate", FusedActivation::gelu_tanh}, {"relu", FusedActivation::relu},
                                    {"silu", FusedActivation::silu}, {"swish", FusedActivation::silu}, {"linear", FusedActivation::none}};
  for (const Name& n : kNames)
    if (name == n.name) { *out = n.act; return true; }
  return false;
}

PackedWeight::PackedWeight(const Tensor& weight) {
  if (!weight.defined() || weight.rank() != 2) throw ShapeError({"PackedWeight: expected a weight [out, in], got ", weight.defined() ? weight.shape().str() : "nothing"});
  if (weight.dtype() != DType::f32 && weight.dtype() != DType::f16 && weight.dtype() != DType::bf16)
    throw DTypeError({"PackedWeight: expected float32, float16 or bfloat16, got ", name_of(weight.dtype())});
  out_ = weight.dim(0), in_ = weight.dim(1), dtype_ = weight.dtype();
  const Tensor w = weight.detach().strides()[1] == 1 || in_ == 1 ? weight.detach() : weight.detach().contiguous();
  data_ = Tensor::empty({kernels::packed_bytes(dtype_, out_, in_)}, DType::u8);
  kernels::pack_weight(dtype_, w.raw(), out_, in_, in_ == 1 ? 1 : w.strides()[0], data_.mutable_raw());
  if (w.is_contiguous()) release_mapped_pages(w.raw(), static_cast<size_t>(w.nbytes()));
}

Tensor PackedWeight::values() const {
  Tensor y = Tensor::empty({out_, in_});
  for (int64_t i = 0; i < out_; ++i) kernels::unpack_row(dtype_, data_.raw(), in_, i, y.mutable_data<float>() + i * in_);
  return y.to(dtype_);
}

Tensor linear_fused(const Tensor& x_in, const PackedWeight& weight, const Tensor& bias, FusedActivation activation, const Tensor& residual) {
  if (needs_grad({x_in, bias, residual})) throw Error("linear_fused: not differentiable; use linear when gradients are needed");
  const Tensor x = x_in.contiguous();
  if (x.rank() < 1 || x.dim(-1) != weight.in()) throw ShapeError({"linear_fused: expected x [..., ", weight.in(), "], got ", x.shape().str()});
  if (x.dtype() != DType::f32 && x.dtype() != DType::f16 && x.dtype() != DType::bf16)
    throw DTypeError({"linear_fused: expected float32, float16 or bfloat16, got ", name_of(x.dtype())});
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.out();
  Tensor b, r;
  if (bias.defined()) {
    if (!(bias.shape() == Shape{weight.out()})) throw ShapeError({"linear_fused: expected bias [", weight.out(), "], got ", bias.shape().str()});
    b = bias.to(DType::f32).contiguous();
  }
  if (residual.defined()) {
    if (!(residual.shape() == shape)) throw ShapeError({"linear_fused: expected residual ", shape.str(), ", got ", residual.shape().str()});
    if (residual.dtype() != x.dtype()) throw DTypeError({"linear_fused: residual must have x's dtype ", name_of(x.dtype()), ", got ", name_of(residual.dtype())});
    r = residual.contiguous();
  }
  Tensor y = Tensor::empty(shape, x.dtype());
  const int64_t rows = weight.out() ? y.numel() / weight.out() : 0;
  kernels::Epilogue e;
  e.bias = b.defined() ? b.data<float>() : nullptr;
  e.act = static_cast<kernels::Act>(activation);
  e.residual = r.defined() ? r.raw() : nullptr;
  e.y = y.mutable_raw(), e.type = x.dtype(), e.ldy = weight.out();
  kernels::packed_product(weight.dtype(), weight.data(), weight.out(), weight.in(), x.dtype(), x.raw(), rows, weight.in(), e);
  return y;
}

}  // namespace transformers
