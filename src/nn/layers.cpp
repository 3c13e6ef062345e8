// Layers: construction from scopes and their forward calls.
#include "nn/layers.h"

#include <cstdio>

#include "nn/weight.h"
#include "tensor/impl.h"

namespace transformers {

std::shared_ptr<const PackedWeight> Weight::packed() const {
  if (!dense.defined() || transposed || dense.rank() != 2 || dense.dtype() == DType::f64 || !detail::is_wrapped(dense)) return nullptr;
  const std::lock_guard lock(mutex_);
  if (packed_from_ != dense.impl()) packed_ = std::make_shared<const PackedWeight>(dense), packed_from_ = dense.impl();
  return packed_;
}

Tensor Weight::linear(const Tensor& x, const Tensor& bias) const {
  if (blocks) return linear_blocks(x, blocks, bias);
  constexpr int64_t kFewRows = 4;  // below, streaming the plain weight is as fast and needs no copy
  const bool many = x.numel() > kFewRows * x.dim(-1);
  if (many && x.dtype() == dense.dtype() && !needs_grad({x, dense, bias}))
    if (const auto fast = packed()) return linear_fused(x, *fast, bias);
  return transformers::linear(x, transposed ? dense.t() : dense, bias);
}
Tensor Weight::rows(const Tensor& ids, int64_t padding_idx) const {
  return blocks ? block_matrix_rows(*blocks, ids) : embedding(ids, dense, padding_idx);
}
Tensor Weight::values() const { return blocks ? block_matrix_values(*blocks) : transposed ? dense.t().contiguous() : dense; }

// How Python prints layers (their extra_repr).
static const char* flag(bool b) { return b ? "True" : "False"; }
static std::string tuple(const Shape& s) {
  std::string text;
  for (int64_t d : s) text += (text.empty() ? "" : ", ") + std::to_string(d);
  return "(" + text + (s.rank() == 1 ? ",)" : ")");
}
static std::string real(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", v);
  return text;
}
std::string linear_text(int64_t in, int64_t out, bool bias) {
  return cat({"Linear(in_features=", in, ", out_features=", out, ", bias=", flag(bias), ")"});
}

Linear::Linear(const Scope& w, int64_t in, int64_t out, bool bias, const Init& init, const Init& bias_init)
    : weight_(w.weight("weight", {out, in}, init)) {
  w.module(linear_text(in, out, bias));
  if (bias) bias_ = w.param("bias", {out}, bias_init);
}
Linear Linear::conv1d(const Scope& w, int64_t in, int64_t out, bool bias, const Init& init) {
  Linear l;
  l.weight_ = w.weight("weight", {out, in}, init, /*transposed=*/true);
  w.module(cat({"Conv1D(nf=", out, ", nx=", in, ")"}));
  if (bias) l.bias_ = w.param("bias", {out}, Init::zero());
  return l;
}
void Linear::keep(int64_t dim, const Tensor& index, const Model::Replace& replace) {
  if (weight_->blocks) throw UnsupportedError("a matrix kept in quantized blocks cannot lose rows; load it dequantized");
  replace(weight_->dense, index_select(weight_->dense, weight_->transposed ? 1 - dim : dim, index).contiguous());
  if (dim == 0 && bias_.defined()) replace(bias_, index_select(bias_, 0, index).contiguous());
}
Tensor Linear::operator()(const Tensor& x) const { return weight_->linear(x, bias_); }

Embedding::Embedding(const Scope& w, int64_t count, int64_t width, int64_t padding_idx, const Init& init)
    : name_(w.full("weight")), count_(count), padding_idx_(padding_idx) {
  Init i = init;
  if (padding_idx >= 0) i.zero_row = padding_idx;
  weight_ = w.weight("weight", {count, width}, i);
  w.module(cat({"Embedding(", count, ", ", width, padding_idx >= 0 ? cat({", padding_idx=", padding_idx}) : std::string(), ")"}));
}
Tensor Embedding::operator()(const Tensor& ids) const { return weight_->rows(ids, padding_idx_); }

LayerNorm::LayerNorm(const Scope& w, int64_t width, double e, bool has_bias) : weight(w.param("weight", {width}, Init::one())), eps(e) {
  w.module(cat({"LayerNorm(", tuple({width}), ", eps=", real(e), ", elementwise_affine=True)"}));
  if (has_bias) bias = w.param("bias", {width}, Init::zero());
}
RmsNorm::RmsNorm(const Scope& w, int64_t width, double e, double o)
    : weight(w.param("weight", {width}, o != 0 ? Init::zero() : Init::one())), eps(e), offset(o) {
  w.module(cat({"RMSNorm(", tuple({width}), ", eps=", real(e), ")"}));
}
GroupNorm::GroupNorm(const Scope& w, int64_t g, int64_t channels, double e, bool affine) : groups(g), eps(e) {
  w.module(cat({"GroupNorm(", g, ", ", channels, ", eps=", real(e), ", affine=", flag(affine), ")"}));
  if (affine) weight = w.param("weight", {channels}, Init::one()), bias = w.param("bias", {channels}, Init::zero());
}
BatchNorm::BatchNorm(const Scope& w, int64_t channels, double e, bool f) : eps(w.frozen_norms() ? 1e-5 : e), frozen(f || w.frozen_norms()) {
  w.module(cat({"BatchNorm2d(", channels, ", eps=", real(eps), ", momentum=", real(momentum), ", affine=True, track_running_stats=True)"}));
  if (frozen) weight = w.buffer("weight", {channels}, Init::one()), bias = w.buffer("bias", {channels}, Init::zero());
  else weight = w.param("weight", {channels}, Init::one()), bias = w.param("bias", {channels}, Init::zero());
  running_mean = w.buffer("running_mean", {channels}, Init::zero());
  running_var = w.buffer("running_var", {channels}, Init::one());
  if (!frozen) w.buffer("num_batches_tracked", {}, Init::zero(), DType::i64);
}
Tensor BatchNorm::operator()(const Tensor& x, bool training) const {
  return batch_norm(x, running_mean, running_var, weight, bias, eps, training && !frozen, momentum);
}

// "Conv2d(3, 8, kernel_size=(2, 2), stride=(2, 2))": what has its default is left out, stride aside.
static std::string conv_text(const char* name, int64_t in, int64_t out, const Shape& kernel, const ConvOptions& o, bool bias) {
  const auto wide = [&](const Shape& s) {
    Shape all = kernel;
    for (int64_t i = 0; i < all.rank(); ++i) all[i] = s[s.rank() == 1 ? 0 : i];
    return tuple(all);
  };
  const auto unless = [&](const char* key, const Shape& s, int64_t usual) {
    for (int64_t d : s)
      if (d != usual) return cat({", ", key, "=", wide(s)});
    return std::string();
  };
  return cat({name, kernel.rank(), "d(", in, ", ", out, ", kernel_size=", tuple(kernel), ", stride=", wide(o.stride), unless("padding", o.padding, 0),
              unless("dilation", o.dilation, 1), unless("output_padding", o.output_padding, 0), o.groups != 1 ? cat({", groups=", o.groups}) : std::string(),
              bias ? "" : ", bias=False", ")"});
}
static Shape with_kernel(int64_t a, int64_t b, const Shape& kernel) {
  Shape s{a, b};
  for (int64_t k : kernel) s.push_back(k);
  return s;
}
Conv::Conv(const Scope& w, int64_t in, int64_t out, const Shape& kernel, const ConvOptions& o, bool has_bias, const Init& init) : options(o) {
  if (o.groups < 1 || in % o.groups) throw ConfigError({"config: ", in, " channels do not divide into ", o.groups, " groups at ", w.path()});
  weight = w.param("weight", with_kernel(out, in / o.groups, kernel), init);
  w.module(conv_text("Conv", in, out, kernel, o, has_bias));
  if (has_bias) bias = w.param("bias", {out}, Init::zero());
}
ConvTranspose::ConvTranspose(const Scope& w, int64_t in, int64_t out, const Shape& kernel, const ConvOptions& o, bool has_bias) : options(o) {
  weight = w.param("weight", with_kernel(in, out / o.groups, kernel));
  w.module(conv_text("ConvTranspose", in, out, kernel, o, has_bias));
  if (has_bias) bias = w.param("bias", {out}, Init::zero());
}

}  // namespace transformers
