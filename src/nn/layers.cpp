// Layers: construction from scopes and their forward calls.
#include "nn/layers.h"

#include "nn/weight.h"

namespace transformers {

Tensor Weight::linear(const Tensor& x, const Tensor& bias) const {
  if (blocks) return linear_blocks(x, blocks, bias);
  return transformers::linear(x, transposed ? dense.t() : dense, bias);
}
Tensor Weight::rows(const Tensor& ids, int64_t padding_idx) const {
  return blocks ? block_matrix_rows(*blocks, ids) : embedding(ids, dense, padding_idx);
}
Tensor Weight::values() const { return blocks ? block_matrix_values(*blocks) : transposed ? dense.t().contiguous() : dense; }

Linear::Linear(const Scope& w, int64_t in, int64_t out, bool bias, const Init& init, const Init& bias_init)
    : weight_(w.weight("weight", {out, in}, init)) {
  if (bias) bias_ = w.param("bias", {out}, bias_init);
}
Linear Linear::conv1d(const Scope& w, int64_t in, int64_t out, bool bias, const Init& init) {
  Linear l;
  l.weight_ = w.weight("weight", {out, in}, init, /*transposed=*/true);
  if (bias) l.bias_ = w.param("bias", {out}, Init::zero());
  return l;
}
Tensor Linear::operator()(const Tensor& x) const { return weight_->linear(x, bias_); }

Embedding::Embedding(const Scope& w, int64_t count, int64_t width, int64_t padding_idx, const Init& init)
    : name_(w.full("weight")), count_(count), padding_idx_(padding_idx) {
  Init i = init;
  if (padding_idx >= 0) i.zero_row = padding_idx;
  weight_ = w.weight("weight", {count, width}, i);
}
Tensor Embedding::operator()(const Tensor& ids) const { return weight_->rows(ids, padding_idx_); }

LayerNorm::LayerNorm(const Scope& w, int64_t width, double e, bool has_bias) : weight(w.param("weight", {width}, Init::one())), eps(e) {
  if (has_bias) bias = w.param("bias", {width}, Init::zero());
}
RmsNorm::RmsNorm(const Scope& w, int64_t width, double e, double o)
    : weight(w.param("weight", {width}, o != 0 ? Init::zero() : Init::one())), eps(e), offset(o) {}
GroupNorm::GroupNorm(const Scope& w, int64_t g, int64_t channels, double e, bool affine) : groups(g), eps(e) {
  if (affine) weight = w.param("weight", {channels}, Init::one()), bias = w.param("bias", {channels}, Init::zero());
}
BatchNorm::BatchNorm(const Scope& w, int64_t channels, double e, bool f) : eps(w.frozen_norms() ? 1e-5 : e), frozen(f || w.frozen_norms()) {
  if (frozen) weight = w.buffer("weight", {channels}, Init::one()), bias = w.buffer("bias", {channels}, Init::zero());
  else weight = w.param("weight", {channels}, Init::one()), bias = w.param("bias", {channels}, Init::zero());
  running_mean = w.buffer("running_mean", {channels}, Init::zero());
  running_var = w.buffer("running_var", {channels}, Init::one());
  if (!frozen) w.buffer("num_batches_tracked", {}, Init::zero(), DType::i64);
}
Tensor BatchNorm::operator()(const Tensor& x, bool training) const {
  return batch_norm(x, running_mean, running_var, weight, bias, eps, training && !frozen, momentum);
}

static Shape with_kernel(int64_t a, int64_t b, const Shape& kernel) {
  Shape s{a, b};
  for (int64_t k : kernel) s.push_back(k);
  return s;
}
Conv::Conv(const Scope& w, int64_t in, int64_t out, const Shape& kernel, const ConvOptions& o, bool has_bias, const Init& init) : options(o) {
  if (o.groups < 1 || in % o.groups) throw ConfigError({"config: ", in, " channels do not divide into ", o.groups, " groups at ", w.path()});
  weight = w.param("weight", with_kernel(out, in / o.groups, kernel), init);
  if (has_bias) bias = w.param("bias", {out}, Init::zero());
}
ConvTranspose::ConvTranspose(const Scope& w, int64_t in, int64_t out, const Shape& kernel, const ConvOptions& o, bool has_bias) : options(o) {
  weight = w.param("weight", with_kernel(in, out / o.groups, kernel));
  if (has_bias) bias = w.param("bias", {out}, Init::zero());
}

}  // namespace transformers
