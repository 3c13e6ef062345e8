// ConvNeXt. Reference: transformers/models/convnext/modeling_convnext.py.
#include "models/convnext.h"

namespace transformers {

// Over the channels of a map [B, C, H, W].
static Tensor map_norm(const LayerNorm& norm, const Tensor& x) { return norm(x.permute({0, 2, 3, 1})).permute({0, 3, 1, 2}); }

ConvNextLayer::ConvNextLayer(const Scope& w, const ConvNextConfig& c, int64_t width, double drop, ConvNextVersion version)
    : layernorm(w / "layernorm", width, 1e-6), pwconv1(w / "pwconv1", width, 4 * width), pwconv2(w / "pwconv2", 4 * width, width), act(c.hidden_act),
      path_dropout(drop) {
  ConvOptions o;
  o.padding = {3, 3}, o.groups = width;
  dwconv = Conv(w / "dwconv", width, width, {7, 7}, o);
  if (version == ConvNextVersion::response_norm) {
    grn_weight = w.param("grn.weight", {1, 1, 1, 4 * width}, Init::zero());
    grn_bias = w.param("grn.bias", {1, 1, 1, 4 * width}, Init::zero());
  } else if (c.layer_scale_init_value > 0) {
    layer_scale_parameter = w.param("layer_scale_parameter", {width}, Init::fill(c.layer_scale_init_value));
  }
}

Tensor ConvNextLayer::operator()(const Tensor& x, const Inputs& in) const {
  Tensor h = act(pwconv1(layernorm(dwconv(x).permute({0, 2, 3, 1}))));  // [B, H, W, 4 C]
  if (grn_weight.defined()) {
    const Tensor strength = norm(h, 2, {1, 2}, true);  // [B, 1, 1, 4 C]
    h = grn_weight * (h * (strength / (mean(strength, {-1}, true) + 1e-6))) + grn_bias + h;
  }
  h = pwconv2(h);
  if (layer_scale_parameter.defined()) h = layer_scale_parameter * h;
  return x + drop_path(h.permute({0, 3, 1, 2}), in.dropout(path_dropout));
}

ConvNextTrunk::ConvNextTrunk(const Scope& w, const Json& json, ConvNextVersion version) : c(json) {
  if (c.depths.empty() || c.hidden_sizes.size() != c.depths.size()) throw ConfigError("config: hidden_sizes and depths must have the same length");
  ConvOptions stem;
  stem.stride = {c.patch_size, c.patch_size};
  patch_embeddings = Conv(w / "embeddings.patch_embeddings", c.num_channels, c.hidden_sizes[0], {c.patch_size, c.patch_size}, stem);
  layernorm = LayerNorm(w / "embeddings.layernorm", c.hidden_sizes[0], 1e-6);
  int64_t total = 0, index = 0;
  for (const int64_t d : c.depths) {
    if (d < 1 || d > 4096) throw ConfigError({"config: depths has ", d, ", which is not a number of layers"});
    total += d;
  }
  for (size_t s = 0; s < c.depths.size(); ++s) {
    const Scope scope = w / "encoder.stages" / static_cast<int64_t>(s);
    ConvNextStage stage;
    if (s > 0) {
      ConvOptions halve;
      halve.stride = {2, 2};
      stage.downsampling_norm = LayerNorm(scope / "downsampling_layer.0", c.hidden_sizes[s - 1], 1e-6);
      stage.downsampling = Conv(scope / "downsampling_layer.1", c.hidden_sizes[s - 1], c.hidden_sizes[s], {2, 2}, halve);
    }
    for (int64_t i = 0; i < c.depths[s]; ++i, ++index) {
      const double drop = total > 1 ? c.drop_path_rate * static_cast<double>(index) / static_cast<double>(total - 1) : 0;
      stage.layers.emplace_back(scope / "layers" / i, c, c.hidden_sizes[s], drop, version);
    }
    stages.push_back(std::move(stage));
  }
}

std::vector<Tensor> ConvNextTrunk::operator()(const Inputs& in) const {
  std::vector<Tensor> maps{map_norm(layernorm, patch_embeddings(pixels_of(in, c.num_channels, patch_embeddings.weight.dtype())))};
  for (const ConvNextStage& stage : stages) {
    Tensor x = maps.back();
    if (stage.downsampling.weight.defined()) x = stage.downsampling(map_norm(stage.downsampling_norm, x));
    for (const ConvNextLayer& layer : stage.layers) x = layer(x, in);
    maps.push_back(x);
  }
  return maps;
}

namespace {

struct ConvNextModel final : Model {
  ConvNextTrunk trunk;
  LayerNorm layernorm;
  ConvNextModel(const Scope& w, const Json& json, ConvNextVersion version)
      : trunk(w, json, version), layernorm(w / "layernorm", trunk.c.hidden_sizes.back(), trunk.c.layer_norm_eps) {
    config_ = json;
  }
  Outputs forward(const Inputs& in) const override {
    const std::vector<Tensor> maps = trunk(in);
    Outputs out;
    out.set("last_hidden_state", maps.back()).set("pooler_output", layernorm(mean(maps.back(), {-2, -1})));
    if (in.output_hidden_states) out.set("hidden_states", Value(maps));
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

struct ConvNextBackbone final : BackboneModel {
  ConvNextTrunk trunk;
  std::vector<LayerNorm> norms;  // one for each map that is given out
  ConvNextBackbone(const Scope& w, const Json& json, ConvNextVersion version) : trunk(w, json, version) {
    config_ = json;
    stages = BackboneStages(json, BackboneStages::standard_names(static_cast<int64_t>(trunk.c.depths.size())));
    num_features = trunk.c.hidden_sizes;
    num_features.insert(num_features.begin(), trunk.c.hidden_sizes[0]);
    for (const int64_t i : stages.out)
      norms.emplace_back(w / "hidden_states_norms" / stages.names[static_cast<size_t>(i)], num_features[static_cast<size_t>(i)], 1e-6);
  }
  Outputs forward(const Inputs& in) const override {
    const std::vector<Tensor> maps = trunk(in);
    std::vector<Tensor> chosen = stages.pick(maps);
    for (size_t i = 0; i < chosen.size(); ++i) chosen[i] = map_norm(norms[i], chosen[i]);
    Outputs out;
    out.set("feature_maps", Value(chosen));
    if (in.output_hidden_states) out.set("hidden_states", Value(maps));
    return out;
  }
};

}  // namespace

void add_convnext_family(ModelRegistry& r, const std::string& type, const std::string& name, ConvNextVersion version) {
  const Factory model = [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> { return std::make_unique<ConvNextModel>(w, c, version); };
  const Factory backbone = [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> { return std::make_unique<ConvNextBackbone>(w, c, version); };
  ImageClassifier parts;
  parts.prefix = type;
  parts.width = [](const Json& c) { return ConvNextConfig(c).hidden_sizes.back(); };
  parts.pool = [](const Outputs& h) { return h.tensor("pooler_output"); };
  r.family(type, type)
      .add(name + "Model", model, {"AutoModel"})
      .add(name + "ForImageClassification", image_classifier(model, parts), {"AutoModelForImageClassification"})
      .add(name + "Backbone", backbone, {"AutoBackbone"});
}

void register_convnext(ModelRegistry& r) { add_convnext_family(r, "convnext", "ConvNext", ConvNextVersion::layer_scale); }

}  // namespace transformers
