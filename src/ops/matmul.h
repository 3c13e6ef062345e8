// Matrix products: oneDNN for f32 and bf16, own loops for f64 and small shapes. All differentiable.
#pragma once
#include "transformers/tensor.h"

namespace transformers {

/// torch.matmul: batch dims broadcast; rank-1 operands are treated as there. Same dtype required (DTypeError).
Tensor matmul(const Tensor& a, const Tensor& b);
/// a [B, M, K] @ b [B, K, N]
Tensor bmm(const Tensor& a, const Tensor& b);
/// beta * c + alpha * a @ b; c broadcasts.
Tensor baddbmm(const Tensor& c, const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1);
/// x [..., in] @ weight[out, in]^T + bias[out] (bias may be undefined) -> [..., out].
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
/// torch.einsum for any number of operands, with "..." and repeated labels; contraction by permute + matmul.
Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands);
Tensor outer(const Tensor& a, const Tensor& b);
/// Pairwise p-norm distances between rows: a [B, P, M], b [B, R, M] -> [B, P, R].
Tensor cdist(const Tensor& a, const Tensor& b, double p = 2);

}  // namespace transformers
