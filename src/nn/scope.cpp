// Loading, casting and random initialisation of parameters.
#include "nn/scope.h"

#include <unistd.h>

#include <cmath>

#include "nn/weight.h"
#include "ops/random.h"

namespace transformers {

const StoredTensor* Scope::lookup(const std::string& name) const {
  if (!state_->checkpoint) return nullptr;
  const auto& tensors = state_->checkpoint->tensors;
  auto it = tensors.find(name);
  const std::string& prefix = state_->base_model_prefix;
  if (it == tensors.end() && !prefix.empty()) {  // a base checkpoint in a head class, or the other way round
    if (name.compare(0, prefix.size() + 1, prefix + ".") == 0) it = tensors.find(name.substr(prefix.size() + 1));
    else it = tensors.find(prefix + "." + name);
  }
  if (it == tensors.end()) return nullptr;
  state_->used.insert(it->first);
  return &it->second;
}

bool Scope::has(std::string_view name) const {
  const std::string n = full(name);
  if (!state_->checkpoint) return false;
  const auto& tensors = state_->checkpoint->tensors;
  const std::string& prefix = state_->base_model_prefix;
  if (tensors.count(n)) return true;
  if (prefix.empty()) return false;
  if (n.compare(0, prefix.size() + 1, prefix + ".") == 0) return tensors.count(n.substr(prefix.size() + 1)) > 0;
  return tensors.count(prefix + "." + n) > 0;
}

static int64_t physical_memory() {
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
}

static void check_size(ScopeState& state, const std::string& name, const Shape& shape, DType dtype) {
  for (int64_t d : shape)
    if (d < 0) throw ConfigError({"config: parameter ", name, " would have shape ", shape.str(), ", a negative size"});
  int64_t n = 0;
  try {
    n = shape.numel();
  } catch (const ShapeError&) {
    n = int64_t{1} << 60;
  }
  if (n > (int64_t{1} << 58) / size_of(dtype) || (state.random_bytes += n * size_of(dtype)) > physical_memory())
    throw ConfigError({"config: parameter ", name, " of shape ", shape.str(), " does not fit into memory; check the sizes in config.json"});
}

static Tensor make_random(const Shape& shape, const Init& init, double default_std) {
  switch (init.kind) {
    case Init::zeros: return Tensor::zeros(shape);
    case Init::ones: return Tensor::full(shape, 1);
    case Init::constant: return Tensor::full(shape, init.a);
    case Init::copy: return init.value.to(DType::f32).clone();
    default: break;
  }
  int64_t receptive = 1;
  for (int64_t i = 2; i < shape.rank(); ++i) receptive *= shape[i];
  const double fan_out = static_cast<double>(shape.rank() > 0 ? shape[0] * receptive : 1);
  const double fan_in = static_cast<double>(shape.rank() > 1 ? shape[1] * receptive : 1);
  const double std = init.a < 0 ? default_std : init.a;
  Tensor t = init.kind == Init::normal || init.kind == Init::kaiming_normal ? randn(shape) : rand(shape);
  float* p = t.mutable_data<float>();
  double scale = std, shift = 0;
  if (init.kind == Init::kaiming_normal) scale = std::sqrt(2 / fan_out);  // mode="fan_out", relu: what the reference uses
  if (init.kind == Init::uniform || init.kind == Init::xavier_uniform || init.kind == Init::kaiming_uniform) {
    const double bound = init.kind == Init::uniform ? init.a : init.kind == Init::xavier_uniform ? std::sqrt(6 / (fan_in + fan_out)) : 1 / std::sqrt(fan_in);
    scale = 2 * bound, shift = -bound;
  }
  for (int64_t i = 0; i < t.numel(); ++i) p[i] = static_cast<float>(p[i] * scale + shift);
  if (init.zero_row >= 0 && init.zero_row < shape[0]) t.narrow(0, init.zero_row, 1).zero_();
  return t;
}

// Blocks run along the input dimension, so a Conv1D matrix [in, out] is stored as blocks of its transpose.
static Tensor dequantized(const StoredTensor& s) {
  const Shape shape = s.transposed ? Shape{s.shape[1], s.shape[0]} : s.shape;
  const Tensor values = dequantize_blocks(*s.block_type, s.blocks, shape.rank() ? shape.back() : 1).reshape(shape);
  return s.transposed ? values.t() : values;
}

Tensor Scope::load(const std::string& name, const Shape& shape, const Init& init, DType dtype, bool buffer) const {
  const StoredTensor* stored = lookup(name);
  Tensor t;
  if (stored && !(stored->shape == shape)) {
    state_->report.mismatched_keys.push_back({name, stored->shape, shape});
    stored = nullptr;
    if (!state_->ignore_mismatched_sizes) check_size(*state_, name, shape, dtype);
  } else if (!stored && state_->checkpoint && !buffer) {
    state_->report.missing_keys.push_back(name);
  }
  if (stored) {
    t = stored->block_type ? dequantized(*stored) : stored->tensor;
    if (t.dtype() != dtype) t = t.to(dtype);
    t = t.contiguous();
  } else {
    check_size(*state_, name, shape, dtype);
    NoGrad no_grad;
    t = make_random(shape, init, state_->init_std).to(dtype);
  }
  state_->parameters->push_back({name, t, buffer, shape, t.nbytes()});
  return t;
}

Tensor Scope::param(std::string_view name, const Shape& shape, const Init& init) const {
  return load(full(name), shape, init, state_->dtype, false);
}
Tensor Scope::buffer(std::string_view name, const Shape& shape, const Init& init, DType dtype) const {
  return load(full(name), shape, init, is_floating(dtype) ? state_->dtype : dtype, true);
}

WeightPtr Scope::weight(std::string_view name, const Shape& shape, const Init& init, bool transposed) const {
  const std::string n = full(name);
  auto w = std::make_shared<Weight>();
  w->transposed = transposed;
  const StoredTensor* stored = state_->keep_quantized ? lookup(n) : nullptr;
  const Shape on_disk = transposed ? Shape{shape[1], shape[0]} : shape;
  if (stored && stored->block_type && stored->shape == on_disk && stored->transposed == transposed) {
    w->blocks = make_block_matrix(*stored->block_type, stored->blocks, shape[0], shape[1]);
    state_->parameters->push_back({n, Tensor(), false, on_disk, block_matrix_bytes(*w->blocks)});
    return w;
  }
  w->dense = load(n, on_disk, init, state_->dtype, false);
  return w;
}

void Scope::tie(std::string_view name, const std::string& target) const {
  lookup(full(name));
  (*state_->tied)[full(name)] = target;
  if (name.size() > 7 && name.substr(name.size() - 7) == ".weight") module("", name.substr(0, name.size() - 7));  // text: see Model::str
}
void Scope::module(std::string text, std::string_view name) const {
  state_->modules->push_back({name.empty() ? path_ : full(name), std::move(text)});
}
void Scope::ignore(std::string_view name) const { lookup(full(name)); }

}  // namespace transformers
