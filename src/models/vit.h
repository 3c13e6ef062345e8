// Parts of ViT that its variants (DeiT, YOLOS, ViT-MSN, ViT-MAE, ...) share.
// B batch, T tokens (extra ones and patches), C hidden, H heads, D head size.
#pragma once
#include "models/vision_heads.h"

namespace transformers {

struct VitConfig : Config {
  using Config::Config;
  int64_t hidden_size = size("hidden_size", 768);
  int64_t num_hidden_layers = get("num_hidden_layers", 12);
  int64_t num_attention_heads = size("num_attention_heads", 12);
  int64_t intermediate_size = size("intermediate_size", 3072);
  std::string hidden_act = get("hidden_act", "gelu");
  double hidden_dropout_prob = get("hidden_dropout_prob", 0.0);
  double attention_probs_dropout_prob = get("attention_probs_dropout_prob", 0.0);
  double layer_norm_eps = get("layer_norm_eps", 1e-12);
  int64_t num_channels = size("num_channels", 3);
  bool qkv_bias = get("qkv_bias", true);
  int64_t encoder_stride = get("encoder_stride", 16);
  int64_t pooler_output_size = size("pooler_output_size", hidden_size);
  std::string pooler_act = get("pooler_act", "tanh");
  ImageSize image_size = image_size_of(json, "image_size", 224);
  ImageSize patch_size = image_size_of(json, "patch_size", 16);
};

/// What all layers of one call share.
struct VitStep {
  const Inputs& in;
  Recorder& recorder;
  int64_t layers;
};

/// Pre-norm encoder layer with ViT's names.
struct VitLayer {
  int64_t layer, head_dim;
  double hidden_dropout, attention_dropout;
  Linear query, key, value, attention_output, intermediate, output;
  LayerNorm layernorm_before, layernorm_after;
  Activation act;
  VitLayer(const Scope& w, const VitConfig& c, int64_t layer);
  Tensor operator()(const Tensor& x, const VitStep& s) const;  ///< [B, T, C] -> [B, T, C]
};

/// Runs the layers; hidden_states get every layer's input and the last layer's output.
Tensor vit_encoder(const std::vector<VitLayer>& layers, Tensor x, const Inputs& in, Recorder& recorder);

/// Token 0 -> Linear -> activation: [B, T, C] -> [B, pooler_output_size].
struct VitPooler {
  Linear dense;
  Activation act;
  VitPooler(const Scope& w, const VitConfig& c) : dense(w / "dense", c.hidden_size, c.pooler_output_size), act(c.pooler_act) {}
  Tensor operator()(const Tensor& x) const { return act(dense(x.select(1, 0))); }
};

/// What a member of the family has besides patches and positions.
struct VitParts {
  std::vector<std::string> tokens{"cls_token"};  ///< Learned tokens before the patches, by their names.
  bool pooler = false, mask_token = false;
};

struct VitEmbeddings {
  std::vector<Tensor> tokens;  // [1, 1, C] each
  Tensor mask_token, position_embeddings;
  PatchProjection patches;
  ImageSize image, patch;
  int64_t channels;
  double p;
  VitEmbeddings(const Scope& w, const VitConfig& c, const VitParts& parts);
  Tensor operator()(const Inputs& in) const;  ///< pixels [B, 3, H, W] -> [B, tokens + P, C]
};

struct VitModel final : Model {
  VitConfig c;
  VitEmbeddings embeddings;
  std::vector<VitLayer> layers;
  LayerNorm layernorm;
  std::optional<VitPooler> pooler;
  VitModel(const Scope& w, const Json& json, const VitParts& parts);
  Outputs forward(const Inputs& in) const override;
  const char* main_input_name() const override { return "pixel_values"; }
};
Factory vit_model(const VitParts& parts);

/// Masked image modeling: tokens first .. T - last (exclusive) of the backbone below `prefix` make the picture.
Factory vit_masked_image_model(const std::string& prefix, const VitParts& parts, int64_t first, int64_t last);
/// The classifier over token 0 of the backbone below `prefix`.
Factory vit_classifier(const std::string& prefix, const VitParts& parts);

}  // namespace transformers
