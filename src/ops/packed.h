// Dense weights packed once for inference, and linear with everything that can follow it fused in.
#pragma once
#include <memory>

#include "transformers/tensor.h"

namespace transformers {

/// Activations that linear_fused applies on the way out; the reference's gelu, gelu_new/gelu_pytorch_tanh, relu, silu.
enum class FusedActivation : uint8_t { none, relu, gelu_erf, gelu_tanh, silu };
/// From the reference's name ("gelu", "gelu_new", "relu", "silu", ...); none for "linear"; false when it cannot be fused.
bool fused_activation_from_name(const std::string& name, FusedActivation* out);

/// A weight [out, in] in the layout that products like best, built once and shared. No gradient flows to it.
class PackedWeight {
 public:
  /// weight: f32, f16 or bf16. Pages of a mapped file that held it are released: they come back from the file when read.
  /// Throws ShapeError, DTypeError.
  explicit PackedWeight(const Tensor& weight);
  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  DType dtype() const { return dtype_; }
  int64_t bytes() const { return data_.nbytes(); }
  const void* data() const { return data_.raw(); }
  Tensor values() const;  ///< [out, in] again, of the weight's dtype

 private:
  int64_t out_, in_;
  DType dtype_;
  Tensor data_;
};

/// activation(x W^T + bias) + residual: x [..., in] -> [..., out] of x's dtype (f32, f16, bf16). bias [out] of any float
/// type and residual [..., out] of x's dtype may be undefined. bf16 with bf16 uses the machine's bf16 units, all else is
/// computed in f32. Not differentiable: throws Error when x, bias or residual need a gradient.
Tensor linear_fused(const Tensor& x, const PackedWeight& weight, const Tensor& bias = {}, FusedActivation activation = FusedActivation::none,
                    const Tensor& residual = {});

}  // namespace transformers
