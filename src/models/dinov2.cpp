// DINOv2. Reference: transformers/models/dinov2/modeling_dinov2.py, dinov2_with_registers/modeling_dinov2_with_registers.py.
#include "models/dinov2.h"

#include <cmath>

namespace transformers {

Dinov2Layer::Dinov2Layer(const Scope& w, const Dinov2Config& c, int64_t index)
    : layer(index), layers(c.num_hidden_layers), head_dim(divide_exactly("hidden_size", c.hidden_size, "num_attention_heads", c.num_attention_heads)),
      attention_dropout(c.attention_probs_dropout_prob), hidden_dropout(c.hidden_dropout_prob), path_dropout(c.drop_path_rate), gated(c.use_swiglu_ffn),
      norm1(w / "norm1", c.hidden_size, c.layer_norm_eps), norm2(w / "norm2", c.hidden_size, c.layer_norm_eps),
      query(w / "attention.attention.query", c.hidden_size, c.hidden_size, c.qkv_bias),
      key(w / "attention.attention.key", c.hidden_size, c.hidden_size, c.qkv_bias),
      value(w / "attention.attention.value", c.hidden_size, c.hidden_size, c.qkv_bias),
      attention_output(w / "attention.output.dense", c.hidden_size, c.hidden_size),
      layer_scale1(w.param("layer_scale1.lambda1", {c.hidden_size}, Init::fill(c.layerscale_value))),
      layer_scale2(w.param("layer_scale2.lambda1", {c.hidden_size}, Init::fill(c.layerscale_value))), act(c.hidden_act) {
  const int64_t wide = static_cast<int64_t>(static_cast<double>(c.hidden_size) * c.mlp_ratio);
  if (gated) {
    const int64_t inner = (wide * 2 / 3 + 7) / 8 * 8;
    in = Linear(w / "mlp.weights_in", c.hidden_size, 2 * inner);
    out = Linear(w / "mlp.weights_out", inner, c.hidden_size);
  } else {
    in = Linear(w / "mlp.fc1", c.hidden_size, wide);
    out = Linear(w / "mlp.fc2", wide, c.hidden_size);
  }
}

Tensor Dinov2Layer::operator()(const Tensor& x, const Inputs& inputs, Recorder& recorder) const {
  const Tensor normed = norm1(x);
  AttentionOptions o;
  o.dropout = inputs.dropout(attention_dropout);
  o.head_mask = head_mask_of(inputs, layer, layers);
  o.probabilities = recorder.attention_slot();
  const Tensor q = split_heads(query(normed), head_dim), k = split_heads(key(normed), head_dim);  // [B, H, T, D]
  const Tensor a = attention_output(merge_heads(attention(q, k, split_heads(value(normed), head_dim), o)));
  const double p = inputs.dropout(path_dropout);
  const Tensor h = drop_path(dropout(a, inputs.dropout(hidden_dropout)) * layer_scale1, p) + x;
  Tensor y = in(norm2(h));
  if (gated) {
    const std::vector<Tensor> halves = y.chunk(2, -1);
    y = silu(halves[0]) * halves[1];
  } else {
    y = act(y);
  }
  return drop_path(out(y) * layer_scale2, p) + h;
}

Dinov2Trunk::Dinov2Trunk(const Scope& w, const Json& json)
    : c(json), cls_token(w.param("embeddings.cls_token", {1, 1, c.hidden_size})),
      patches(w / "embeddings.patch_embeddings.projection", c.num_channels, c.hidden_size, c.patch_size),
      layers(make_layers<Dinov2Layer>(w / "encoder.layer", c.num_hidden_layers, c)), layernorm(w / "layernorm", c.hidden_size, c.layer_norm_eps) {
  const ImageSize grid = patch_grid(c.image_size, c.patch_size);
  position_embeddings = w.param("embeddings.position_embeddings", {1, grid.height * grid.width + 1, c.hidden_size});
  if (c.use_mask_token) mask_token = w.param("embeddings.mask_token", {1, c.hidden_size}, Init::zero());
  if (c.num_register_tokens < 0 || c.num_register_tokens > 4096) throw ConfigError({"config: num_register_tokens = ", c.num_register_tokens});
  if (c.num_register_tokens > 0) register_tokens = w.param("embeddings.register_tokens", {1, c.num_register_tokens, c.hidden_size}, Init::zero());
}

Tensor Dinov2Trunk::embed(const Inputs& in) const {  // pixels [B, 3, H, W] -> [B, 1 + registers + P, C]
  const Tensor pixels = pixels_of(in, c.num_channels, cls_token.dtype());
  const int64_t B = pixels.dim(0);
  Tensor x = patches(pixels);
  if (const Tensor& mask = in.tensor("bool_masked_pos"); mask.defined() && mask_token.defined()) x = mask_tokens(x, mask, mask_token.unsqueeze(0));
  x = cat({cls_token.expand({B, -1, -1}), x}, 1);
  Tensor positions = position_embeddings;
  if (x.dim(1) != positions.dim(1) || pixels.dim(2) != pixels.dim(3)) {
    const int64_t side = static_cast<int64_t>(std::sqrt(static_cast<double>(positions.dim(1) - 1)) + 1e-9);
    positions = resize_positions(positions, 1, {side, side}, pixels.dim(2) / c.patch_size.height, pixels.dim(3) / c.patch_size.width, register_tokens.defined());
  }
  x = x + positions;
  if (register_tokens.defined()) x = cat({x.slice(1, 0, 1), register_tokens.expand({B, -1, -1}), x.slice(1, 1, x.dim(1))}, 1);
  return dropout(x, in.dropout(c.hidden_dropout_prob));
}

std::vector<Tensor> Dinov2Trunk::operator()(const Inputs& in, Recorder& recorder) const {
  std::vector<Tensor> states{embed(in)};
  for (const Dinov2Layer& layer : layers) states.push_back(layer(states.back(), in, recorder));
  for (const Tensor& state : states) recorder.hidden(state);
  return states;
}

namespace {

struct Dinov2Model final : Model {
  Dinov2Trunk trunk;
  Dinov2Model(const Scope& w, const Json& json) : trunk(w, json) { config_ = json; }
  Outputs forward(const Inputs& in) const override {
    Recorder recorder(in);
    const Tensor x = trunk.layernorm(trunk(in, recorder).back());
    Outputs out;
    out.set("last_hidden_state", x).set("pooler_output", x.select(1, 0));
    recorder.write(out);
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

struct Dinov2Backbone final : BackboneModel {
  Dinov2Trunk trunk;
  Dinov2Backbone(const Scope& w, const Json& json) : trunk(w, json) {
    config_ = json;
    stages = BackboneStages(json, BackboneStages::standard_names(trunk.c.num_hidden_layers));
    num_features.assign(stages.names.size(), trunk.c.hidden_size);
  }
  Outputs forward(const Inputs& in) const override {
    Recorder recorder(in);
    std::vector<Tensor> maps = stages.pick(trunk(in, recorder));
    const Tensor& pixels = in.tensor("pixel_values");
    const int64_t rows = pixels.dim(2) / trunk.c.patch_size.height, columns = pixels.dim(3) / trunk.c.patch_size.width;
    for (Tensor& map : maps) {
      if (trunk.c.apply_layernorm) map = trunk.layernorm(map);
      if (trunk.c.reshape_hidden_states) map = tokens_to_map(map.slice(1, 1 + trunk.c.num_register_tokens, map.dim(1)), rows, columns);
    }
    Outputs out;
    out.set("feature_maps", Value(maps));
    recorder.write(out);
    return out;
  }
};

}  // namespace

void add_dinov2_family(ModelRegistry& r, const std::string& type, const std::string& name, const Json& defaults) {
  const auto complete = [=](const Json& config) {
    Json c = config;
    for (const auto& [key, value] : defaults.as_object())
      if (c[key].is_null()) c.set(key, value);
    return c;
  };
  const Factory model = [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> { return std::make_unique<Dinov2Model>(w, complete(c)); };
  const Factory backbone = [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> { return std::make_unique<Dinov2Backbone>(w, complete(c)); };
  const Factory classifier = [=](const Scope& w, const Json& c) {
    ImageClassifier parts;
    parts.prefix = type;
    parts.width = [](const Json& json) { return 2 * Dinov2Config(json).hidden_size; };
    parts.pool = [extra = 1 + Dinov2Config(complete(c)).num_register_tokens](const Outputs& h) {  // class token and the mean of the patches
      const Tensor& x = h.tensor("last_hidden_state");
      return cat({x.select(1, 0), mean(x.slice(1, extra, x.dim(1)), {1})}, 1);
    };
    return image_classifier(model, parts)(w, c);
  };
  r.family(type, type)
      .add(name + "Model", model, {"AutoModel"})
      .add(name + "ForImageClassification", classifier, {"AutoModelForImageClassification"})
      .add(name + "Backbone", backbone, {"AutoBackbone"});
}

void register_dinov2(ModelRegistry& r) { add_dinov2_family(r, "dinov2", "Dinov2", Json::object()); }

}  // namespace transformers
