// Layers: each owns its weights, is built from a Scope, and is called like a function.
#pragma once
#include "nn/scope.h"
#include "ops/activation.h"
#include "ops/attention.h"
#include "ops/conv.h"
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/matmul.h"
#include "ops/norm.h"
#include "ops/random.h"
#include "ops/reduce.h"

namespace transformers {

/// "Linear(in_features=10, out_features=10, bias=True)".
std::string linear_text(int64_t in, int64_t out, bool bias);

/// y = x W^T + b. W [out, in] is dense, packed or quantized; the model file does not know.
class Linear {
 public:
  Linear() = default;
  Linear(const Scope& w, int64_t in, int64_t out, bool bias = true, const Init& init = {}, const Init& bias_init = Init::zero());
  /// A layer on an existing (tied) matrix.
  Linear(WeightPtr weight, Tensor bias) : weight_(std::move(weight)), bias_(std::move(bias)) {}
  /// GPT-2's Conv1D: the matrix is stored [in, out].
  static Linear conv1d(const Scope& w, int64_t in, int64_t out, bool bias = true, const Init& init = {});
  Tensor operator()(const Tensor& x) const;  ///< [..., in] -> [..., out]
  explicit operator bool() const { return weight_ != nullptr; }
  const WeightPtr& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }
  /// Keeps some outputs (dim 0: rows of W and of b) or inputs (dim 1: columns of W). index int64 [n].
  void keep(int64_t dim, const Tensor& index, const Model::Replace& replace);

 private:
  WeightPtr weight_;
  Tensor bias_;
};

/// Rows of a table [V, C]; may share its matrix with an output Linear.
class Embedding {
 public:
  Embedding() = default;
  Embedding(const Scope& w, int64_t count, int64_t width, int64_t padding_idx = -1, const Init& init = {});
  Tensor operator()(const Tensor& ids) const;  ///< ids [...] -> [..., C]
  explicit operator bool() const { return weight_ != nullptr; }
  const WeightPtr& weight() const { return weight_; }
  const std::string& name() const { return name_; }  ///< Full name of the stored matrix, for Scope::tie.
  int64_t count() const { return count_; }

 private:
  WeightPtr weight_;
  std::string name_;
  int64_t count_ = 0, padding_idx_ = -1;
};

struct LayerNorm {
  Tensor weight, bias;
  double eps = 1e-5;
  LayerNorm() = default;
  LayerNorm(const Scope& w, int64_t width, double eps, bool bias = true);
  Tensor operator()(const Tensor& x) const { return layer_norm(x, weight, bias, eps); }
};

struct RmsNorm {
  Tensor weight;
  double eps = 1e-6, offset = 0;  ///< offset 1: Gemma's (1 + weight).
  RmsNorm() = default;
  RmsNorm(const Scope& w, int64_t width, double eps, double offset = 0);
  Tensor operator()(const Tensor& x) const { return rms_norm(x, weight, eps, offset); }
};

struct GroupNorm {
  Tensor weight, bias;
  int64_t groups = 1;
  double eps = 1e-5;
  GroupNorm() = default;
  GroupNorm(const Scope& w, int64_t groups, int64_t channels, double eps = 1e-5, bool affine = true);
  Tensor operator()(const Tensor& x) const { return group_norm(x, groups, weight, bias, eps); }
};

/// BatchNorm over [B, C, ...] with running statistics; `frozen` (DETR's) never updates or trains.
struct BatchNorm {
  Tensor weight, bias, running_mean, running_var;
  double eps = 1e-5, momentum = 0.1;
  bool frozen = false;
  BatchNorm() = default;
  BatchNorm(const Scope& w, int64_t channels, double eps = 1e-5, bool frozen = false);
  Tensor operator()(const Tensor& x, bool training = false) const;
};

/// Convolution in 1, 2 or 3 dimensions by the rank of `kernel`.
struct Conv {
  Tensor weight, bias;
  ConvOptions options;
  Conv() = default;
  Conv(const Scope& w, int64_t in, int64_t out, const Shape& kernel, const ConvOptions& options = {}, bool bias = true, const Init& init = {});
  Tensor operator()(const Tensor& x) const { return conv(x, weight, bias, options); }
};

struct ConvTranspose {
  Tensor weight, bias;
  ConvOptions options;
  ConvTranspose() = default;
  ConvTranspose(const Scope& w, int64_t in, int64_t out, const Shape& kernel, const ConvOptions& options = {}, bool bias = true);
  Tensor operator()(const Tensor& x) const { return conv_transpose(x, weight, bias, options); }
};

}  // namespace transformers
