// Activations by the reference's names (activations.py: ACT2FN).
#pragma once
#include <string>

#include "transformers/tensor.h"

namespace transformers {

/// One activation, found by name once and then called. Source: transformers/activations.py.
class Activation {
 public:
  Activation() = default;
  /// "gelu", "gelu_new", "gelu_python", "gelu_10", "gelu_fast", "gelu_accurate", "gelu_pytorch_tanh", "gelu_python_tanh",
  /// "quick_gelu", "silu", "swish", "relu", "relu2", "relu6", "leaky_relu", "elu", "selu", "mish", "tanh", "sigmoid",
  /// "linear", "laplace", "prelu" (fixed 0.25), "hardswish", "softplus", "softsign", "xielu"... Unknown: ConfigError
  /// with the nearest names.
  explicit Activation(const std::string& name);
  Tensor operator()(const Tensor& x) const { return fn_(x); }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  Tensor (*fn_)(const Tensor&) = nullptr;
};

/// xIELU (arXiv 2411.13010) with its learned parameters alpha_p and alpha_n [1], before their softplus.
Tensor xielu(const Tensor& x, const Tensor& alpha_p, const Tensor& alpha_n, double beta = 0.5, double eps = -1e-6);

}  // namespace transformers
