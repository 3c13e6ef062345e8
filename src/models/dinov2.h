// DINOv2, with or without register tokens. Reference: transformers/models/dinov2/modeling_dinov2.py.
// B batch, T tokens (class, registers, patches), C hidden, H heads, D head size.
#pragma once
#include "models/backbone.h"
#include "models/vision_heads.h"

namespace transformers {

struct Dinov2Config : Config {
  using Config::Config;
  int64_t hidden_size = size("hidden_size", 768);
  int64_t num_hidden_layers = get("num_hidden_layers", 12);
  int64_t num_attention_heads = size("num_attention_heads", 12);
  double mlp_ratio = get("mlp_ratio", 4.0);
  std::string hidden_act = get("hidden_act", "gelu");
  double hidden_dropout_prob = get("hidden_dropout_prob", 0.0);
  double attention_probs_dropout_prob = get("attention_probs_dropout_prob", 0.0);
  double layer_norm_eps = get("layer_norm_eps", 1e-6);
  ImageSize image_size = image_size_of(json, "image_size", 224);
  ImageSize patch_size = image_size_of(json, "patch_size", 14);
  int64_t num_channels = size("num_channels", 3);
  bool qkv_bias = get("qkv_bias", true);
  double layerscale_value = get("layerscale_value", 1.0);
  double drop_path_rate = get("drop_path_rate", 0.0);
  bool use_swiglu_ffn = get("use_swiglu_ffn", false);
  bool use_mask_token = get("use_mask_token", true);
  bool apply_layernorm = get("apply_layernorm", true);
  bool reshape_hidden_states = get("reshape_hidden_states", true);
  int64_t num_register_tokens = get("num_register_tokens", 0);
};

struct Dinov2Layer {
  int64_t layer, layers, head_dim;
  double attention_dropout, hidden_dropout, path_dropout;
  bool gated;
  LayerNorm norm1, norm2;
  Linear query, key, value, attention_output, in, out;  // in, out: fc1, fc2 or weights_in, weights_out
  Tensor layer_scale1, layer_scale2;
  Activation act;
  Dinov2Layer(const Scope& w, const Dinov2Config& c, int64_t layer);
  Tensor operator()(const Tensor& x, const Inputs& inputs, Recorder& recorder) const;
};

/// Embeddings, layers and the last norm below one scope.
struct Dinov2Trunk {
  Dinov2Config c;
  Tensor cls_token, mask_token, register_tokens, position_embeddings;
  PatchProjection patches;
  std::vector<Dinov2Layer> layers;
  LayerNorm layernorm;
  Dinov2Trunk(const Scope& w, const Json& json);
  /// Result of every layer, the embeddings first (not normed).
  std::vector<Tensor> operator()(const Inputs& in, Recorder& recorder) const;
  Tensor embed(const Inputs& in) const;
};

/// Adds <name>Model, <name>ForImageClassification and <name>Backbone of `type`; `defaults` are config fields that differ.
void add_dinov2_family(ModelRegistry& r, const std::string& type, const std::string& name, const Json& defaults);

}  // namespace transformers
