// Parts of CLIP that its relatives (SigLIP, CLIPSeg, ...) share: the encoder with CLIP's names and its contrastive loss.
// B batch, T tokens, C hidden, H heads, D head size.
#pragma once
#include "models/registry.h"
#include "nn/vision.h"

namespace transformers {

struct ClipEncoderConfig {
  int64_t hidden_size, intermediate_size, num_hidden_layers, num_attention_heads;
  std::string hidden_act;
  double layer_norm_eps, attention_dropout, initializer_factor;
  bool xavier_init = false;  ///< SigLIP's initialisation instead of CLIP's.
};

struct ClipTextConfig : Config {
  using Config::Config;
  int64_t vocab_size = size("vocab_size", 49408);
  int64_t hidden_size = size("hidden_size", 512);
  int64_t intermediate_size = size("intermediate_size", 2048);
  int64_t projection_dim = size("projection_dim", 512);
  int64_t num_hidden_layers = get("num_hidden_layers", 12);
  int64_t num_attention_heads = size("num_attention_heads", 8);
  int64_t max_position_embeddings = size("max_position_embeddings", 77);
  std::string hidden_act = get("hidden_act", "quick_gelu");
  double layer_norm_eps = get("layer_norm_eps", 1e-5);
  double attention_dropout = get("attention_dropout", 0.0);
  double initializer_factor = get("initializer_factor", 1.0);
  int64_t eos_token_id = get("eos_token_id", 49407);
  ClipEncoderConfig encoder() const {
    return {hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, hidden_act, layer_norm_eps, attention_dropout, initializer_factor, false};
  }
};

struct ClipVisionConfig : Config {
  using Config::Config;
  int64_t hidden_size = size("hidden_size", 768);
  int64_t intermediate_size = size("intermediate_size", 3072);
  int64_t projection_dim = size("projection_dim", 512);
  int64_t num_hidden_layers = get("num_hidden_layers", 12);
  int64_t num_attention_heads = size("num_attention_heads", 12);
  int64_t num_channels = size("num_channels", 3);
  ImageSize image_size = image_size_of(json, "image_size", 224);
  ImageSize patch_size = image_size_of(json, "patch_size", 32);
  std::string hidden_act = get("hidden_act", "quick_gelu");
  double layer_norm_eps = get("layer_norm_eps", 1e-5);
  double attention_dropout = get("attention_dropout", 0.0);
  double initializer_range = get("initializer_range", 0.02);
  double initializer_factor = get("initializer_factor", 1.0);
  ClipEncoderConfig encoder() const {
    return {hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, hidden_act, layer_norm_eps, attention_dropout, initializer_factor, false};
  }
};

/// The part of a two-tower config: old "<key>_dict" wins over "<key>"; the config itself when it is already that part.
Json clip_part(const Json& config, const char* key);

/// What all layers of one call share.
struct ClipStep {
  const Inputs& in;
  AttentionOptions mask;
  Recorder& recorder;
};

struct ClipAttention {
  int64_t head_dim;
  double dropout;
  Linear k_proj, v_proj, q_proj, out_proj;
  ClipAttention(const Scope& w, const ClipEncoderConfig& c);
  Tensor operator()(const Tensor& x, const ClipStep& s) const;
};

struct ClipMlp {
  Linear fc1, fc2;
  Activation act;
  ClipMlp(const Scope& w, const ClipEncoderConfig& c);
  Tensor operator()(const Tensor& x) const { return fc2(act(fc1(x))); }
};

/// Pre-norm encoder layer.
struct ClipEncoderLayer {
  ClipAttention self_attn;
  LayerNorm layer_norm1, layer_norm2;
  ClipMlp mlp;
  ClipEncoderLayer(const Scope& w, const ClipEncoderConfig& c, int64_t layer);
  Tensor operator()(const Tensor& x, const ClipStep& s) const;  ///< [B, T, C] -> [B, T, C]
};

/// Runs the layers; hidden_states get every layer's input and the last layer's output.
Tensor clip_encoder(const std::vector<ClipEncoderLayer>& layers, Tensor x, const ClipStep& s);

/// CLIP's text tower below "text_model": last_hidden_state (normed), pooler_output (at the end token), hidden_states.
struct ClipTextTransformer {
  ClipTextConfig c;
  Embedding token_embedding, position_embedding;
  std::vector<ClipEncoderLayer> layers;
  LayerNorm final_layer_norm;
  ClipTextTransformer(const Scope& w, const Json& json);
  Outputs operator()(const Inputs& in) const;
};

/// CLIP's vision tower below "vision_model": last_hidden_state (not normed), pooler_output (normed token 0), hidden_states.
struct ClipVisionTransformer {
  ClipVisionConfig c;
  Tensor class_embedding;
  PatchProjection patch_embedding;
  Embedding position_embedding;
  LayerNorm pre_layrnorm, post_layernorm;
  std::vector<ClipEncoderLayer> layers;
  ClipVisionTransformer(const Scope& w, const Json& json);
  Outputs operator()(const Inputs& in) const;
};

/// Cross entropy of matching pairs in both directions: similarity [n, n].
Tensor clip_loss(const Tensor& similarity);
/// x / sqrt(sum of squares) along the last dimension.
Tensor unit_length(const Tensor& x);

}  // namespace transformers
