// The base class: parameters, saving, resizing, and the default generation hooks.
#include "transformers/model.h"

#include <set>

#include "base/file.h"
#include "io/state_dict.h"
#include "nn/text.h"
#include "nn/weight.h"
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/random.h"

namespace transformers {

Outputs Model::operator()(const Inputs& in) const {
  const bool attentions = config_.get("output_attentions", false), states = config_.get("output_hidden_states", false);
  if ((!attentions || in.output_attentions) && (!states || in.output_hidden_states)) return forward(in);
  Inputs asked = in;
  asked.output_attentions |= attentions, asked.output_hidden_states |= states;
  return forward(asked);
}

MemoryEstimate estimate_memory(int64_t parameters, int64_t bits, const std::string& optimizer) {
  if (parameters < 0 || parameters > (int64_t{1} << 50)) throw ValueError({"estimate_memory: ", parameters, " is not a number of parameters"});
  if (bits < 1 || bits > 64) throw ValueError({"estimate_memory: expected 1 to 64 bits per weight, got ", bits});
  MemoryEstimate m;
  m.weights = (parameters * bits + 7) / 8;
  if (optimizer.empty()) return m;
  static const std::pair<const char*, int64_t> states[] = {{"adam", 8}, {"adamw", 8}, {"adamw_8bit", 2}, {"sgd", 4}, {"adafactor", 4}};
  for (const auto& [name, bytes] : states)
    if (optimizer == name) {
      m.optimizer = parameters * bytes, m.gradients = parameters * 4;
      return m;
    }
  throw ValueError({"estimate_memory: optimizer \"", optimizer, "\" is none of adam, adamw, adamw_8bit, sgd, adafactor"});
}

int64_t Model::num_parameters(bool only_trainable, bool exclude_embeddings) const {
  int64_t n = 0;
  for (const Parameter& p : parameters()) {
    if (p.buffer || (only_trainable && !p.tensor.requires_grad())) continue;
    if (exclude_embeddings && input_embeddings() && p.name == input_embeddings()->name()) continue;
    n += p.shape.numel();
  }
  return n;
}
int64_t Model::get_memory_footprint() const {
  int64_t bytes = 0;
  for (const Parameter& p : parameters()) bytes += p.stored_bytes;
  return bytes;
}
void Model::set_requires_grad(bool value) {
  for (Parameter& p : mutable_parameters()) {
    if (p.buffer || (value && p.frozen)) continue;
    if (!p.tensor.defined()) {
      if (value) continue;  // quantized: frozen
    } else {
      p.tensor.set_requires_grad(value);
    }
  }
}
void Model::zero_grad() {
  for (Parameter& p : mutable_parameters())
    if (p.tensor.defined()) p.tensor.set_grad({});
}

static int64_t parse_size(const std::string& text) {
  char* end = nullptr;
  const double v = std::strtod(text.c_str(), &end);
  const std::string unit = end;
  static const std::pair<const char*, double> units[] = {{"", 1}, {"B", 1}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"KiB", 1024.}, {"MiB", 1048576.}, {"GiB", 1073741824.}};
  for (const auto& [name, factor] : units)
    if (unit == name && v > 0) return static_cast<int64_t>(v * factor);
  throw ValueError({"max_shard_size: expected a size such as \"5GB\" or \"200MB\", got \"", text, "\""});
}

void Model::save_pretrained(const std::string& folder, const std::string& max_shard_size) const {
  const int64_t shard = parse_size(max_shard_size);
  make_directories(folder);
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const Parameter& p : parameters()) {
    if (!p.tensor.defined()) throw UnsupportedError({"save_pretrained: ", p.name, " is kept in quantized blocks; load with dtype float32 and dequantized weights to save safetensors"});
    tensors.emplace_back(p.name, p.tensor.detach());
  }
  save_checkpoint(folder, tensors, shard);
  Json config = config_;
  config.set("architectures", Json(Json::Array{Json(class_name_)}));
  config.set("dtype", name_of(dtype_));
  config.erase("torch_dtype");
  config.save(join_path(folder, "config.json"));
  if (generation_config_.is_object()) generation_config_.save(join_path(folder, "generation_config.json"));
}

static void replace_parameter(std::vector<Parameter>& parameters, Tensor& t, const Tensor& by) {
  for (Parameter& p : parameters)
    if (p.tensor.defined() && p.tensor.impl() == t.impl()) p.tensor = by, p.shape = by.shape(), p.stored_bytes = by.nbytes();
  t = by;
}

void Model::prune_heads(const std::map<int64_t, std::vector<int64_t>>& heads) {
  NoGrad no_grad;
  Json pruned = config_["pruned_heads"].is_object() ? config_["pruned_heads"] : Json::object();
  for (const auto& [layer, numbers] : heads) {
    const std::string key = std::to_string(layer);
    std::set<int64_t> all;
    for (const Json& n : pruned[key].is_array() ? pruned[key].as_array() : Json::Array{}) all.insert(n.as_int());
    std::vector<int64_t> fresh;
    for (int64_t n : numbers)
      if (all.insert(n).second) fresh.push_back(n);
    prune_attention(layer, fresh, [this](Tensor& t, const Tensor& by) {
      const bool trained = t.requires_grad();
      replace_parameter(mutable_parameters(), t, by);
      t.set_requires_grad(trained);
    });
    Json::Array list;
    for (int64_t n : all) list.push_back(Json(n));
    pruned.set(key, Json(list));
    config_.set("pruned_heads", pruned);
  }
}
void Model::prune_attention(int64_t, const std::vector<int64_t>&, const Replace&) { throw UnsupportedError({class_name_, ": heads cannot be pruned"}); }

void Model::resize_token_embeddings(int64_t size) {
  if (!input_embeddings()) throw UnsupportedError({class_name_, ": has no token embeddings to resize"});
  if (size < 1) throw ValueError({"resize_token_embeddings: size must be positive, got ", size});
  NoGrad no_grad;
  const int64_t before = input_embeddings()->weight()->out();
  const auto resize = [&](Tensor& t) {
    if (!t.defined() || t.rank() < 1 || t.dim(0) != before) return;
    Tensor bigger = t.rank() == 1 ? Tensor::zeros({size}, t.dtype()) : (randn(t.shape().with(0, size)) * config_.get("initializer_range", 0.02)).to(t.dtype());
    const int64_t keep = std::min(size, before);
    bigger.narrow(0, 0, keep).copy_(t.narrow(0, 0, keep));
    replace_parameter(mutable_parameters(), t, bigger);
  };
  const WeightPtr in = input_embeddings()->weight();
  if (in->blocks) throw UnsupportedError("resize_token_embeddings: the embedding is kept in quantized blocks");
  resize(in->dense);
  if (const Linear* out = output_embeddings()) {
    if (out->weight() != in && out->weight()->dense.defined()) resize(out->weight()->dense);
    if (out->bias().defined()) resize(const_cast<Tensor&>(out->bias()));
  }
  config_.set("vocab_size", size);
}

Outputs Model::encode(const Inputs&) const { throw UnsupportedError({class_name_, ": has no encoder"}); }
std::shared_ptr<Cache> Model::make_cache() const { return std::make_shared<Cache>(); }

Inputs Model::prepare_inputs_for_generation(const Tensor& ids, const Inputs& base, int64_t past) const {
  Inputs in;
  in.cache = base.cache;
  in.output_hidden_states = base.output_hidden_states;
  in.output_attentions = base.output_attentions;
  const int64_t T = ids.dim(1);
  const Tensor& mask = base.tensor("attention_mask");
  if (is_encoder_decoder()) {
    in.set("decoder_input_ids", ids);
    if (const Value* e = base.find("encoder_outputs")) in.set("encoder_outputs", *e);
    if (mask.defined()) in.set("attention_mask", mask);
    return in;
  }
  const Tensor& embeds = base.tensor("inputs_embeds");
  if (embeds.defined() && past == 0) in.set("inputs_embeds", embeds);
  else in.set("input_ids", ids);
  for (const char* name : {"encoder_hidden_states", "encoder_attention_mask", "head_mask"})
    if (const Value* v = base.find(name)) in.set(name, *v);
  if (const Tensor& types = base.tensor("token_type_ids"); types.defined()) {  // new tokens continue the last type
    const int64_t known = types.dim(1), total = past + T;
    const Tensor all = total > known ? cat({types, types.slice(1, known - 1, known).expand({types.dim(0), total - known})}, 1) : types;
    in.set("token_type_ids", all.slice(1, past, total));
  }
  if (mask.defined()) {
    in.set("attention_mask", mask);
    const Tensor seen = ne(mask, 0).to(DType::i64);  // position = number of seen tokens before it; padding gets 1
    const Tensor position = where(eq(mask, 0), Tensor::scalar(1, DType::i64), cumsum(seen, -1) - Tensor::scalar(1, DType::i64));
    in.set("position_ids", position.slice(1, mask.dim(1) - T, mask.dim(1)));
  }
  return in;
}

}  // namespace transformers
