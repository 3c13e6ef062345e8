// Parts of Swin that its variants (Donut's encoder, MaskFormer's backbone) share.
// B batch, N tokens of a map h x w, C channels, M window side, H heads.
#pragma once
#include "models/registry.h"
#include "nn/vision.h"

namespace transformers {

struct SwinConfig : Config {
  using Config::Config;
  ImageSize image_size = image_size_of(json, "image_size", 224);
  ImageSize patch_size = image_size_of(json, "patch_size", 4);
  int64_t num_channels = size("num_channels", 3);
  int64_t embed_dim = size("embed_dim", 96);
  std::vector<int64_t> depths = get("depths", std::vector<int64_t>{2, 2, 6, 2});
  std::vector<int64_t> num_heads = get("num_heads", std::vector<int64_t>{3, 6, 12, 24});
  int64_t window_size = size("window_size", 7);
  double mlp_ratio = get("mlp_ratio", 4.0);
  bool qkv_bias = get("qkv_bias", true);
  double hidden_dropout_prob = get("hidden_dropout_prob", 0.0);
  double attention_probs_dropout_prob = get("attention_probs_dropout_prob", 0.0);
  double drop_path_rate = get("drop_path_rate", 0.1);
  std::string hidden_act = get("hidden_act", "gelu");
  bool use_absolute_embeddings = get("use_absolute_embeddings", false);
  double layer_norm_eps = get("layer_norm_eps", 1e-5);
  int64_t encoder_stride = get("encoder_stride", 32);
  /// Channels of stage i; throws ConfigError when the lists do not fit each other.
  int64_t width(size_t stage) const;
  int64_t last_width() const { return width(depths.size() - 1); }
};

struct SwinLayer {
  int64_t head_dim, window, shift;
  double attention_dropout, hidden_dropout, path_dropout;
  LayerNorm layernorm_before, layernorm_after;
  Tensor relative_position_bias_table, relative_position_index;
  Linear query, key, value, attention_output, intermediate, output;
  Activation act;
  SwinLayer(const Scope& w, const SwinConfig& c, int64_t width, int64_t heads, int64_t shift, double path_dropout);
  /// x [B, h * w, C]. always_partition: shift even where one window covers the map (backbones).
  Tensor operator()(const Tensor& x, ImageSize map, const Inputs& in, const Tensor& head_mask, Tensor* probabilities, bool always_partition) const;

 private:
  AttentionOptions options(int64_t height, int64_t width, int64_t batch, int64_t shifted, int64_t side) const;
};

struct SwinPatchMerging {
  LayerNorm norm;
  Linear reduction;
  SwinPatchMerging(const Scope& w, int64_t width);
  Tensor operator()(const Tensor& x, ImageSize map) const;  ///< [B, h * w, C] -> [B, ceil(h/2) * ceil(w/2), 2 C]
};

struct SwinStage {
  std::vector<SwinLayer> blocks;
  std::optional<SwinPatchMerging> downsample;
};

/// Tokens of one point of the network with the size of their map.
struct SwinMap {
  Tensor tokens;  // [B, h * w, C]
  ImageSize size;
  Tensor map() const { return tokens_to_map(tokens, size.height, size.width); }
};

struct SwinEmbeddings {
  PatchProjection patches;
  LayerNorm norm;
  Tensor mask_token, position_embeddings;
  ImageSize patch;
  int64_t channels;
  double p;
  SwinEmbeddings(const Scope& w, const SwinConfig& c, bool use_mask_token);
  SwinMap operator()(const Inputs& in) const;
};

/// Embeddings and stages below one scope ("embeddings", "encoder.layers").
struct SwinTrunk {
  SwinConfig c;
  SwinEmbeddings embeddings;
  std::vector<SwinStage> stages;
  SwinTrunk(const Scope& w, const Json& json, bool use_mask_token = false);
  struct Result {
    SwinMap last;
    std::vector<SwinMap> maps;         ///< After the embeddings and after every stage.
    std::vector<Tensor> attentions;    ///< Of the last block of every stage, when asked for.
  };
  /// before_downsampling: the maps are taken before the patches of a stage are merged.
  Result operator()(const Inputs& in, bool before_downsampling = false, bool always_partition = false) const;
};

/// Sets hidden_states and, unless `maps` is false, reshaped_hidden_states; and attentions.
void write_swin_states(Outputs& out, const Inputs& in, const SwinTrunk::Result& r, bool maps = true);

}  // namespace transformers
