// Parts of DETR that its variants (Table Transformer, MaskFormer's decoder, ...) share.
// B images, S = h * w positions of the last feature map, Q queries, C hidden, H heads, D head size.
#pragma once
#include "models/backbone.h"
#include "models/detection.h"
#include "nn/vision.h"

namespace transformers {

struct DetrConfig : Config {
  using Config::Config;
  int64_t num_channels = size("num_channels", 3);
  int64_t num_queries = size("num_queries", 100);
  int64_t d_model = size("d_model", 256);
  int64_t encoder_layers = get("encoder_layers", 6);
  int64_t encoder_ffn_dim = size("encoder_ffn_dim", 2048);
  int64_t encoder_attention_heads = size("encoder_attention_heads", 8);
  int64_t decoder_layers = get("decoder_layers", 6);
  int64_t decoder_ffn_dim = size("decoder_ffn_dim", 2048);
  int64_t decoder_attention_heads = size("decoder_attention_heads", 8);
  double encoder_layerdrop = get("encoder_layerdrop", 0.0);
  double decoder_layerdrop = get("decoder_layerdrop", 0.0);
  std::string activation_function = get("activation_function", "relu");
  double dropout = get("dropout", 0.1);
  double attention_dropout = get("attention_dropout", 0.0);
  double activation_dropout = get("activation_dropout", 0.0);
  bool auxiliary_loss = get("auxiliary_loss", false);
  std::string position_embedding_type = get("position_embedding_type", "sine");
  bool pre_norm = false;  ///< Set by the variant: norms before attention and feed-forward, one more after the encoder.
  /// The loss with this config's costs and coefficients.
  DetectionLoss loss() const;
};

/// Attention where positions are added to what queries and keys are made of, not to the values.
struct DetrAttention {
  int64_t head_dim;
  double dropout;
  Linear k_proj, v_proj, q_proj, out_proj;
  DetrAttention(const Scope& w, int64_t width, int64_t heads, double dropout);
  /// query, key: with positions; value: without. [B, T, C], [B, S, C], [B, S, C] -> [B, T, C]
  Tensor operator()(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionOptions& mask, const Inputs& in, Tensor* probabilities) const;
};

/// The feed-forward half of a layer: fc1, activation, fc2 with dropouts.
struct DetrFeedForward {
  Linear fc1, fc2;
  Activation act;
  double p, activation_p;
  DetrFeedForward(const Scope& w, const DetrConfig& c, int64_t inner);
  Tensor operator()(const Tensor& x, const Inputs& in) const;
};

struct DetrEncoderLayer {
  DetrAttention self_attn;
  LayerNorm self_attn_layer_norm, final_layer_norm;
  DetrFeedForward feed_forward;
  double p;
  bool pre_norm;
  DetrEncoderLayer(const Scope& w, const DetrConfig& c, int64_t layer);
  Tensor operator()(const Tensor& x, const Tensor& positions, const AttentionOptions& mask, const Inputs& in, Recorder& recorder) const;
};

struct DetrDecoderLayer {
  DetrAttention self_attn, encoder_attn;
  LayerNorm self_attn_layer_norm, encoder_attn_layer_norm, final_layer_norm;
  DetrFeedForward feed_forward;
  double p;
  bool pre_norm;
  DetrDecoderLayer(const Scope& w, const DetrConfig& c, int64_t layer);
  struct Memory { Tensor values, keys; AttentionOptions mask; };  ///< Encoder states without and with positions.
  Tensor operator()(const Tensor& x, const Tensor& query_positions, const Memory& memory, const Inputs& in, Recorder& recorder) const;
};

/// Sines and cosines of the (normalised) row and column of every position that the mask [B, h, w] (bool) shows:
/// [B, h * w, width], rows first.
Tensor sine_positions(const Tensor& mask, int64_t width, double temperature = 10000);
/// Learned tables of 50 rows and 50 columns.
struct LearnedPositions {
  Embedding row_embeddings, column_embeddings;
  LearnedPositions(const Scope& w, int64_t width);                    ///< width: of each half
  Tensor operator()(int64_t height, int64_t columns) const;           ///< [1, h * w, 2 * width], columns first
};

/// Backbone, encoder and decoder below one scope.
struct DetrCore {
  DetrConfig c;
  std::unique_ptr<BackboneModel> backbone;
  std::optional<LearnedPositions> learned;
  Conv input_projection;
  Embedding query_position_embeddings;
  std::vector<DetrEncoderLayer> encoder;
  std::vector<DetrDecoderLayer> decoder;
  LayerNorm layernorm, encoder_layernorm;
  DetrCore(const Scope& w, const DetrConfig& config);

  struct Result {
    std::vector<Tensor> features;   ///< Maps of the backbone.
    Tensor projected, mask;         ///< [B, C, h, w] of the last one; which positions are picture: bool [B, h, w]
    Tensor memory, queries;         ///< Encoder [B, S, C] and decoder [B, Q, C] results
    Tensor intermediate;            ///< [layers, B, Q, C] with auxiliary_loss
    Outputs states;                 ///< decoder_hidden_states, ..., encoder_last_hidden_state, ...
  };
  Result operator()(const Inputs& in) const;
};

/// Adds <name>Model and <name>ForObjectDetection. pre_norm: as in DetrConfig.
void add_detr_classes(ModelFamily& family, const std::string& name, bool pre_norm);

/// Linear layers with relu between them ("layers.0", "layers.1", ...).
struct DetrMlp {
  std::vector<Linear> layers;
  DetrMlp(const Scope& w, int64_t in, int64_t hidden, int64_t out, int64_t count);
  Tensor operator()(Tensor x) const;
};

}  // namespace transformers
