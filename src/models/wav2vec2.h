// wav2vec 2.0: the speech encoder that its siblings (HuBERT, WavLM, UniSpeech, data2vec audio) share.
// Reference: transformers/models/wav2vec2/modeling_wav2vec2.py. B batch, L samples, F frames, C hidden, E width of the last
// convolution, H heads, G code books, V codes in each.
#pragma once
#include <optional>

#include "models/registry.h"
#include "nn/seq2seq.h"

namespace transformers {

struct Wav2Vec2Config : Config {
  explicit Wav2Vec2Config(const Json& j);
  int64_t hidden_size = size("hidden_size", 768);
  int64_t num_hidden_layers = get("num_hidden_layers", 12);
  int64_t num_attention_heads = size("num_attention_heads", 12);
  int64_t intermediate_size = size("intermediate_size", 3072);
  std::string hidden_act = get("hidden_act", "gelu");
  double hidden_dropout = get("hidden_dropout", 0.1);
  double activation_dropout = get("activation_dropout", 0.1);
  double attention_dropout = get("attention_dropout", 0.1);
  double feat_proj_dropout = get("feat_proj_dropout", 0.0);
  double layerdrop = get("layerdrop", 0.1);
  double layer_norm_eps = get("layer_norm_eps", 1e-5);
  std::string feat_extract_norm = get("feat_extract_norm", "group");
  std::string feat_extract_activation = get("feat_extract_activation", "gelu");
  std::vector<int64_t> conv_dim = get("conv_dim", std::vector<int64_t>{512, 512, 512, 512, 512, 512, 512});
  std::vector<int64_t> conv_stride = get("conv_stride", std::vector<int64_t>{5, 2, 2, 2, 2, 2, 2});
  std::vector<int64_t> conv_kernel = get("conv_kernel", std::vector<int64_t>{10, 3, 3, 3, 3, 2, 2});
  bool conv_bias = get("conv_bias", false);
  int64_t num_conv_pos_embeddings = size("num_conv_pos_embeddings", 128);
  int64_t num_conv_pos_embedding_groups = size("num_conv_pos_embedding_groups", 16);
  bool do_stable_layer_norm = get("do_stable_layer_norm", false);
  bool apply_spec_augment = get("apply_spec_augment", true);
  double mask_time_prob = get("mask_time_prob", 0.05);
  int64_t mask_time_length = get("mask_time_length", 10);
  int64_t mask_time_min_masks = get("mask_time_min_masks", 2);
  double mask_feature_prob = get("mask_feature_prob", 0.0);
  int64_t mask_feature_length = get("mask_feature_length", 10);
  int64_t mask_feature_min_masks = get("mask_feature_min_masks", 0);
  bool add_adapter = get("add_adapter", false);
  int64_t adapter_kernel_size = size("adapter_kernel_size", 3);
  int64_t adapter_stride = size("adapter_stride", 2);
  int64_t num_adapter_layers = get("num_adapter_layers", 3);
  int64_t output_hidden_size = size("output_hidden_size", hidden_size);
  int64_t adapter_attn_dim = get("adapter_attn_dim", 0);  ///< 0: no attention adapters.
  // What siblings change after construction:
  enum class Positions { weight_norm, batch_norm, stacked } positions = Positions::weight_norm;  ///< HuBERT, data2vec.
  int64_t conv_pos_kernel_size = 0;      ///< stacked: its kernel; num_conv_pos_embeddings is the number of layers then.
  bool feat_proj_layer_norm = true;      ///< HuBERT may leave it out.
  bool returns_features = true;          ///< HuBERT has no "extract_features".
  bool always_mask_embed = false;        ///< UniSpeech-SAT has masked_spec_embed in any case.
  int64_t num_buckets = 0, max_bucket_distance = 0;  ///< > 0: WavLM's gated relative position bias.
  int64_t features() const { return conv_dim.back(); }
  /// Frames that `samples` samples give; with the adapter's strides if asked.
  int64_t frames(int64_t samples, bool with_adapter) const;
  /// Frames of every row of attention_mask [B, L] (1 = sample).
  std::vector<int64_t> frames(const Tensor& attention_mask, bool with_adapter) const;
  /// Which of `frames` positions are no padding: bool [B, frames].
  Tensor frame_mask(const Tensor& attention_mask, int64_t frames, bool with_adapter) const;
};

/// Raw samples [B, L] -> frames [B, F, E] by a pile of convolutions ("conv_layers").
struct SpeechConvolutions {
  struct Layer {
    Conv conv;
    LayerNorm layer_norm;
    GroupNorm group_norm;
  };
  std::vector<Layer> layers;
  Activation act;
  SpeechConvolutions(const Scope& w, const Wav2Vec2Config& c);
  Tensor operator()(const Tensor& samples) const;
};

/// Positions told from the neighbours: a wide grouped convolution over the frames, or several small ones.
struct SpeechPositions {
  Wav2Vec2Config::Positions kind;
  std::vector<Conv> convs;
  Tensor gain;             ///< weight_norm: [1, 1, kernel]
  BatchNorm batch_norm;
  Activation act;
  SpeechPositions(const Scope& w, const Wav2Vec2Config& c);
  Tensor operator()(const Tensor& x, bool training) const;  ///< [B, F, C] -> [B, F, C]
};

/// WavLM's relative position bias with a gate computed from the hidden states.
struct GatedPositionBias {
  int64_t heads, buckets, max_distance;
  Tensor gru_rel_pos_const;      ///< [1, H, 1, 1]
  Linear gru_rel_pos_linear;
  Embedding rel_attn_embed;      ///< Layer 0 only.
  GatedPositionBias(const Scope& w, const Wav2Vec2Config& c, bool has_table);
  Tensor table(int64_t frames) const;                          ///< [1, H, F, F]
  Tensor gated(const Tensor& x, const Tensor& table) const;    ///< [B, H, F, F]
};

struct Wav2Vec2Layer {
  Wav2Vec2Config c;
  MultiHeadAttention attention;
  LayerNorm layer_norm;
  Linear intermediate_dense, output_dense;
  LayerNorm final_layer_norm;
  Activation act;
  std::optional<GatedPositionBias> position_bias;
  LayerNorm adapter_norm;         ///< The language adapters of MMS: norm, down, ReLU, up.
  Linear adapter_down, adapter_up;
  Wav2Vec2Layer(const Scope& w, const Wav2Vec2Config& c, int64_t layer);
  Tensor operator()(const Tensor& x, const Seq2SeqStep& s) const;
  Tensor attend(const Tensor& x, const Seq2SeqStep& s) const;
};

struct Wav2Vec2Encoder {
  Wav2Vec2Config c;
  SpeechPositions pos_conv_embed;
  LayerNorm layer_norm;
  std::vector<Wav2Vec2Layer> layers;
  Wav2Vec2Encoder(const Scope& w, const Wav2Vec2Config& c);
  /// x [B, F, C], frame_mask bool [B, F] or undefined.
  Tensor operator()(Tensor x, const Tensor& frame_mask, const Inputs& in, Recorder& recorder) const;
};

/// Shortens the output: projection, then convolutions with gates.
struct Wav2Vec2Adapter {
  Linear proj;
  LayerNorm proj_layer_norm;
  std::vector<Conv> convs;
  double layerdrop;
  Wav2Vec2Adapter(const Scope& w, const Wav2Vec2Config& c);
  Tensor operator()(Tensor x, const Inputs& in) const;
};

/// input_values [B, L], attention_mask [B, L], mask_time_indices bool [B, F] -> last_hidden_state, extract_features.
struct Wav2Vec2Model final : Model {
  Wav2Vec2Config c;
  SpeechConvolutions feature_extractor;
  LayerNorm feature_norm;
  Linear feature_projection;
  Tensor masked_spec_embed;
  Wav2Vec2Encoder encoder;
  std::optional<Wav2Vec2Adapter> adapter;
  Wav2Vec2Model(const Scope& w, const Wav2Vec2Config& c);
  Outputs forward(const Inputs& in) const override;
  const char* main_input_name() const override { return "input_values"; }

 private:
  Tensor augmented(Tensor x, const Tensor& frame_mask, const Inputs& in) const;
};

/// The quantizer of the pre-training heads: frames [B, F, in] -> code vectors [B, F, codevector_dim] and their perplexity.
struct GumbelQuantizer {
  int64_t groups, codes, width;
  Tensor codevectors;  ///< [1, G * V, codevector_dim / G]
  Linear weight_proj;
  GumbelQuantizer(const Scope& w, const Config& c, int64_t in);
  /// mask bool [B, F] or undefined: the frames that count for the perplexity.
  std::pair<Tensor, Tensor> operator()(const Tensor& x, const Tensor& mask, const Inputs& in) const;
};

/// A parameter that starts uniformly in [0, 1) without a checkpoint.
Tensor unit_param(const Scope& w, std::string_view name, const Shape& shape);

using SpeechConfig = std::function<Wav2Vec2Config(const Json&)>;
/// Adds "<name>Model" and the named heads ("ForCTC", "ForSequenceClassification", "ForAudioFrameClassification", "ForXVector")
/// of a family whose backbone lies at `prefix`.
void add_speech_family(ModelFamily& f, const std::string& name, const std::string& prefix, const SpeechConfig& config,
                       std::initializer_list<const char*> heads);

}  // namespace transformers
