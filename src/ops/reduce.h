// Reductions and scans. A dims list may hold negative numbers; {} means all dimensions.
#pragma once
#include "transformers/tensor.h"

namespace transformers {

Tensor sum(const Tensor& x, const Shape& dims = {}, bool keepdim = false);   ///< Integers and bool give int64.
Tensor mean(const Tensor& x, const Shape& dims = {}, bool keepdim = false);  ///< Floating only.
/// Variance and standard deviation; correction 1 is the unbiased estimate.
Tensor var(const Tensor& x, const Shape& dims = {}, int64_t correction = 1, bool keepdim = false);
Tensor std_dev(const Tensor& x, const Shape& dims = {}, int64_t correction = 1, bool keepdim = false);
Tensor prod(const Tensor& x, int64_t dim, bool keepdim = false);
Tensor amax(const Tensor& x, const Shape& dims = {}, bool keepdim = false);  ///< Gradient is shared evenly by ties.
Tensor amin(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
struct ValuesIndices { Tensor values, indices; };  ///< indices are int64.
ValuesIndices max(const Tensor& x, int64_t dim, bool keepdim = false);  ///< First index among equals. values differentiable.
ValuesIndices min(const Tensor& x, int64_t dim, bool keepdim = false);
Tensor argmax(const Tensor& x, int64_t dim = -1, bool keepdim = false);
Tensor argmin(const Tensor& x, int64_t dim = -1, bool keepdim = false);
Tensor any(const Tensor& x, const Shape& dims = {}, bool keepdim = false);  ///< bool
Tensor all(const Tensor& x, const Shape& dims = {}, bool keepdim = false);  ///< bool
Tensor logsumexp(const Tensor& x, int64_t dim, bool keepdim = false);
Tensor norm(const Tensor& x, double p = 2, const Shape& dims = {}, bool keepdim = false);  ///< p may be infinite.
Tensor cumsum(const Tensor& x, int64_t dim);
Tensor cumprod(const Tensor& x, int64_t dim);

/// Softmax of `x` along `dim`. f16 and bf16 are accumulated in f32. Differentiable.
Tensor softmax(const Tensor& x, int64_t dim = -1);
Tensor log_softmax(const Tensor& x, int64_t dim = -1);

}  // namespace transformers
