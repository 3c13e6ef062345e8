// Scope: the one way from names to weights. It loads, checks shapes, casts, keeps quantized blocks, makes random weights
// for from_config, and records every parameter; there is no second list of names anywhere.
#pragma once
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "io/state_dict.h"
#include "transformers/model.h"

namespace transformers {

/// How a parameter starts when no checkpoint gives it (the reference's _init_weights).
struct Init {
  enum Kind { normal, zeros, ones, constant, uniform, xavier_uniform, kaiming_uniform, kaiming_normal, copy } kind = normal;
  double a = -1;         ///< normal: standard deviation (< 0: config's initializer_range); constant: value; uniform: bound.
  int64_t zero_row = -1; ///< Embedding padding row that is set to zero.
  Tensor value;          ///< copy
  static Init std(double s) { return {normal, s, -1, {}}; }
  static Init zero() { return {zeros, 0, -1, {}}; }
  static Init one() { return {ones, 0, -1, {}}; }
  static Init fill(double v) { return {constant, v, -1, {}}; }
  static Init bounded(double b) { return {uniform, b, -1, {}}; }
  static Init of(Tensor t) { return {copy, 0, -1, std::move(t)}; }
};

/// A matrix [out, in] in whatever form it is kept: dense, packed for this machine, or quantized blocks.
struct Weight;
using WeightPtr = std::shared_ptr<Weight>;

/// What is behind all scopes of one model while it is built.
struct ScopeState {
  const StateDict* checkpoint = nullptr;             ///< nullptr: from_config, everything random.
  std::string base_model_prefix;                     ///< For loading a base checkpoint into a head class and back.
  DType dtype = DType::f32;
  double init_std = 0.02;
  bool ignore_mismatched_sizes = false;
  bool keep_quantized = true;                        ///< Keep GGUF blocks for Linear weights (else dequantize).
  int64_t random_bytes = 0;                          ///< Sum of what was made without a checkpoint; bounded.
  LoadReport report;
  std::set<std::string> used;                        ///< Checkpoint names that were read.
  std::shared_ptr<std::vector<Parameter>> parameters = std::make_shared<std::vector<Parameter>>();
  std::shared_ptr<std::vector<ModuleEntry>> modules = std::make_shared<std::vector<ModuleEntry>>();
  std::shared_ptr<std::map<std::string, std::string>> tied = std::make_shared<std::map<std::string, std::string>>();
};

class Scope {
 public:
  explicit Scope(ScopeState& state, std::string path = "") : state_(&state), path_(std::move(path)) {}
  /// The scope of a submodule: w / "self_attn" / 3 ...
  Scope operator/(std::string_view name) const {
    Scope s(*state_, full(name));
    s.frozen_norms_ = frozen_norms_;
    return s;
  }
  Scope operator/(int64_t index) const { return *this / std::string_view(std::to_string(index)); }
  /// The same scope, below which every BatchNorm is built frozen (detectors fix their backbone's).
  Scope with_frozen_norms() const {
    Scope s = *this;
    s.frozen_norms_ = true;
    return s;
  }
  bool frozen_norms() const { return frozen_norms_; }
  const std::string& path() const { return path_; }
  DType dtype() const { return state_->dtype; }
  double init_std() const { return state_->init_std; }

  /// A parameter in the model's dtype. Throws CheckpointError on a wrong shape, ConfigError on a shape that cannot be.
  Tensor param(std::string_view name, const Shape& shape, const Init& init = {}) const;
  /// A tensor that is saved but not trained (running statistics); keeps integer types.
  Tensor buffer(std::string_view name, const Shape& shape, const Init& init, DType dtype = DType::f32) const;
  /// A matrix [out, in] that may stay quantized. `transposed`: stored [in, out] (GPT-2's Conv1D).
  WeightPtr weight(std::string_view name, const Shape& shape, const Init& init = {}, bool transposed = false) const;
  /// Whether the checkpoint has this name (false without a checkpoint).
  bool has(std::string_view name) const;
  /// Declares that `name` (relative) is another name of the stored parameter `target` (full): read if present, not saved.
  void tie(std::string_view name, const std::string& target) const;
  /// Records that the module at this path (or below it, at `name`) is a layer that Python prints as `text`.
  void module(std::string text, std::string_view name = "") const;
  /// Marks checkpoint names as known though unused (position_ids buffers of old checkpoints).
  void ignore(std::string_view name) const;
  std::string full(std::string_view name) const { return path_.empty() ? std::string(name) : path_ + "." + std::string(name); }
  ScopeState& state() const { return *state_; }

 private:
  const StoredTensor* lookup(const std::string& name) const;
  Tensor load(const std::string& name, const Shape& shape, const Init& init, DType dtype, bool buffer) const;
  ScopeState* state_;
  std::string path_;
  bool frozen_norms_ = false;
};

/// `count` layers named 0, 1, ...; each is built as Layer(scope / i, config, i).
template <class Layer, class C> std::vector<Layer> make_layers(const Scope& w, int64_t count, const C& config) {
  if (count < 0 || count > 4096) throw ConfigError({"config: ", count, " layers in ", w.path(), " is not a number of layers"});
  std::vector<Layer> layers;
  layers.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) layers.emplace_back(w / i, config, i);
  return layers;
}

}  // namespace transformers
