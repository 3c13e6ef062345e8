// ResNet: basic and bottleneck residual networks. Reference: transformers/models/resnet/modeling_resnet.py.
// B batch, C channels, H x W.
#include "models/backbone.h"
#include "models/vision_heads.h"

namespace transformers {
namespace {

struct ResNetConfig : Config {
  using Config::Config;
  int64_t num_channels = size("num_channels", 3);
  int64_t embedding_size = size("embedding_size", 64);
  std::vector<int64_t> hidden_sizes = get("hidden_sizes", std::vector<int64_t>{256, 512, 1024, 2048});
  std::vector<int64_t> depths = get("depths", std::vector<int64_t>{3, 4, 6, 3});
  std::string layer_type = get("layer_type", "bottleneck");
  std::string hidden_act = get("hidden_act", "relu");
  bool downsample_in_first_stage = get("downsample_in_first_stage", false);
  bool downsample_in_bottleneck = get("downsample_in_bottleneck", false);
  bool bottleneck() const { return layer_type == "bottleneck"; }
  void check() const {
    if (layer_type != "basic" && layer_type != "bottleneck") throw ConfigError({"config: layer_type=", layer_type, " is not one of basic,bottleneck"});
    if (depths.empty() || hidden_sizes.size() != depths.size()) throw ConfigError("config: hidden_sizes and depths must have the same length");
    for (const int64_t d : depths)
      if (d < 1 || d > 4096) throw ConfigError({"config: depths has ", d, ", which is not a number of layers"});
  }
};

const Init kConvInit{Init::kaiming_normal, 0, -1, {}};

/// Convolution, batch norm, activation.
struct ConvLayer {
  Conv convolution;
  BatchNorm normalization;
  Activation act;
  bool activated;
  ConvLayer(const Scope& w, int64_t in, int64_t out, int64_t kernel, int64_t stride, const std::string& activation)
      : normalization(w / "normalization", out), activated(!activation.empty()) {
    ConvOptions o;
    o.stride = {stride, stride}, o.padding = {kernel / 2, kernel / 2};
    convolution = Conv(w / "convolution", in, out, {kernel, kernel}, o, false, kConvInit);
    if (activated) act = Activation(activation);
  }
  Tensor operator()(const Tensor& x, bool training) const {
    const Tensor y = normalization(convolution(x), training);
    return activated ? act(y) : y;
  }
};

struct ResidualLayer {
  std::optional<ConvLayer> shortcut;
  std::vector<ConvLayer> layer;
  Activation act;
  ResidualLayer(const Scope& w, const ResNetConfig& c, int64_t in, int64_t out, int64_t stride) : act(c.hidden_act) {
    if (in != out || stride != 1) shortcut.emplace(w / "shortcut", in, out, 1, stride, "");
    const Scope l = w / "layer";
    if (c.bottleneck()) {
      const int64_t reduced = out / 4;
      layer.emplace_back(l / 0, in, reduced, 1, c.downsample_in_bottleneck ? stride : 1, "relu");
      layer.emplace_back(l / 1, reduced, reduced, 3, c.downsample_in_bottleneck ? 1 : stride, "relu");
      layer.emplace_back(l / 2, reduced, out, 1, 1, "");
    } else {
      layer.emplace_back(l / 0, in, out, 3, stride, "relu");
      layer.emplace_back(l / 1, out, out, 3, 1, "");
    }
  }
  Tensor operator()(const Tensor& x, bool training) const {
    Tensor y = x;
    for (const ConvLayer& part : layer) y = part(y, training);
    return act(y + (shortcut ? (*shortcut)(x, training) : x));
  }
};

/// Stem and stages: pixels [B, C, H, W] -> maps of the stem and of every stage.
struct ResNetTrunk {
  ResNetConfig c;
  ConvLayer embedder;
  std::vector<std::vector<ResidualLayer>> stages;

  ResNetTrunk(const Scope& w, const Json& json) : c(json), embedder(w / "embedder.embedder", c.num_channels, c.embedding_size, 7, 2, c.hidden_act) {
    c.check();
    int64_t in = c.embedding_size;
    for (size_t s = 0; s < c.depths.size(); ++s) {
      const Scope layers = w / "encoder.stages" / static_cast<int64_t>(s) / "layers";
      std::vector<ResidualLayer> stage;
      for (int64_t i = 0; i < c.depths[s]; ++i) {
        const int64_t stride = i == 0 && (s > 0 || c.downsample_in_first_stage) ? 2 : 1;
        stage.emplace_back(layers / i, c, in, c.hidden_sizes[s], stride);
        in = c.hidden_sizes[s];
      }
      stages.push_back(std::move(stage));
    }
  }
  std::vector<Tensor> operator()(const Inputs& in) const {
    const Tensor pixels = pixels_of(in, c.num_channels, embedder.convolution.weight.dtype());
    PoolOptions pool;
    pool.kernel = {3, 3}, pool.stride = {2, 2}, pool.padding = {1, 1};
    std::vector<Tensor> maps{max_pool(embedder(pixels, in.training), pool)};
    for (const auto& stage : stages) {
      Tensor x = maps.back();
      for (const ResidualLayer& layer : stage) x = layer(x, in.training);
      maps.push_back(x);
    }
    return maps;
  }
};

struct ResNetModel final : Model {
  ResNetTrunk trunk;
  ResNetModel(const Scope& w, const Json& json) : trunk(w, json) { config_ = json; }
  Outputs forward(const Inputs& in) const override {
    const std::vector<Tensor> maps = trunk(in);
    Outputs out;
    out.set("last_hidden_state", maps.back()).set("pooler_output", adaptive_avg_pool(maps.back(), {1, 1}));
    if (in.output_hidden_states) out.set("hidden_states", Value(maps));
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

struct ResNetBackbone final : BackboneModel {
  ResNetTrunk trunk;
  ResNetBackbone(const Scope& w, const Json& json) : trunk(w, json) {
    config_ = json;
    stages = BackboneStages(json, BackboneStages::standard_names(static_cast<int64_t>(trunk.c.depths.size())));
    num_features = trunk.c.hidden_sizes;
    num_features.insert(num_features.begin(), trunk.c.embedding_size);
  }
  Outputs forward(const Inputs& in) const override {
    const std::vector<Tensor> maps = trunk(in);
    Outputs out;
    out.set("feature_maps", Value(stages.pick(maps)));
    if (in.output_hidden_states) out.set("hidden_states", Value(maps));
    return out;
  }
};

ImageClassifier classifier() {
  ImageClassifier parts;
  parts.prefix = "resnet", parts.output = "classifier.1", parts.torch_init = true;
  parts.width = [](const Json& c) { return ResNetConfig(c).hidden_sizes.back(); };
  parts.pool = [](const Outputs& h) { return h.tensor("pooler_output").flatten(1); };
  return parts;
}

}  // namespace

void register_resnet(ModelRegistry& r) {
  r.family("resnet", "resnet")
      .add("ResNetModel", make<ResNetModel>(), {"AutoModel"})
      .add("ResNetForImageClassification", image_classifier(make<ResNetModel>(), classifier()), {"AutoModelForImageClassification"})
      .add("ResNetBackbone", make<ResNetBackbone>(), {"AutoBackbone"});
}

}  // namespace transformers
