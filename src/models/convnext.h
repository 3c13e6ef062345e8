// ConvNeXt and ConvNeXt V2, which differ only inside the block (layer scale or global response normalisation).
// Reference: transformers/models/convnext/modeling_convnext.py, convnextv2/modeling_convnextv2.py. B batch, C channels, H x W.
#pragma once
#include "models/backbone.h"
#include "models/vision_heads.h"

namespace transformers {

struct ConvNextConfig : Config {
  using Config::Config;
  int64_t num_channels = size("num_channels", 3);
  int64_t patch_size = size("patch_size", 4);
  std::vector<int64_t> hidden_sizes = get("hidden_sizes", std::vector<int64_t>{96, 192, 384, 768});
  std::vector<int64_t> depths = get("depths", std::vector<int64_t>{3, 3, 9, 3});
  std::string hidden_act = get("hidden_act", "gelu");
  double layer_norm_eps = get("layer_norm_eps", 1e-12);
  double layer_scale_init_value = get("layer_scale_init_value", 1e-6);
  double drop_path_rate = get("drop_path_rate", 0.0);
};

/// What the two versions have inside a block.
enum class ConvNextVersion { layer_scale, response_norm };

struct ConvNextLayer {
  Conv dwconv;
  LayerNorm layernorm;
  Linear pwconv1, pwconv2;
  Activation act;
  Tensor layer_scale_parameter;    // version 1
  Tensor grn_weight, grn_bias;     // version 2
  double path_dropout;
  ConvNextLayer(const Scope& w, const ConvNextConfig& c, int64_t width, double path_dropout, ConvNextVersion version);
  Tensor operator()(const Tensor& x, const Inputs& in) const;  ///< [B, C, H, W] -> [B, C, H, W]
};

struct ConvNextStage {
  LayerNorm downsampling_norm;
  Conv downsampling;               // undefined weight in the first stage
  std::vector<ConvNextLayer> layers;
};

struct ConvNextTrunk {
  ConvNextConfig c;
  Conv patch_embeddings;
  LayerNorm layernorm;
  std::vector<ConvNextStage> stages;
  ConvNextTrunk(const Scope& w, const Json& json, ConvNextVersion version);
  /// Maps after the stem and after every stage.
  std::vector<Tensor> operator()(const Inputs& in) const;
};

/// Adds <name>Model, <name>ForImageClassification and <name>Backbone of `type`.
void add_convnext_family(ModelRegistry& r, const std::string& type, const std::string& name, ConvNextVersion version);

}  // namespace transformers
