// Normalisations. f16 and bf16 inputs are computed in f32. All differentiable in x, weight and bias.
#pragma once
#include "transformers/tensor.h"

namespace transformers {

/// Over the last dimensions given by weight's shape (or `last` dimensions when there is no weight). weight, bias may be undefined.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, int64_t last = 1);
/// x / rms(x) * (weight + weight_offset) over the last dimension. weight may be undefined. weight_offset 1 is Gemma's.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps, double weight_offset = 0);
/// layer_norm(a + b): returns {sum, normed} in one pass.
std::pair<Tensor, Tensor> add_rms_norm(const Tensor& a, const Tensor& b, const Tensor& weight, double eps, double weight_offset = 0);
/// x [B, C, ...]
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps);
Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps);
/// Inference with running statistics [C]; training = true uses the batch's and updates the running ones in place.
Tensor batch_norm(const Tensor& x, Tensor running_mean, Tensor running_var, const Tensor& weight, const Tensor& bias, double eps,
                  bool training = false, double momentum = 0.1);
/// x / max(norm(x, p) along dim, eps)
Tensor normalize(const Tensor& x, double p = 2, int64_t dim = -1, double eps = 1e-12);

}  // namespace transformers
