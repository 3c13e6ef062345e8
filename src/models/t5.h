// Parts of T5 that its siblings (mT5, UMT5, ...) share. Reference: transformers/models/t5/modeling_t5.py.
// B batch, T queries, S keys, C width, H heads, D key size.
#pragma once
#include "models/heads.h"
#include "nn/seq2seq.h"

namespace transformers {

struct T5Config : Config {
  using Config::Config;
  int64_t vocab_size = size("vocab_size", 32128);
  int64_t d_model = size("d_model", 512);
  int64_t d_kv = size("d_kv", 64);
  int64_t d_ff = size("d_ff", 2048);
  int64_t num_layers = get("num_layers", 6);
  int64_t num_decoder_layers = get("num_decoder_layers", num_layers);
  int64_t num_heads = size("num_heads", 8);
  int64_t relative_attention_num_buckets = size("relative_attention_num_buckets", 32);
  int64_t relative_attention_max_distance = size("relative_attention_max_distance", 128);
  double dropout_rate = get("dropout_rate", 0.1);
  double classifier_dropout = get("classifier_dropout", 0.0);
  double layer_norm_epsilon = get("layer_norm_epsilon", 1e-6);
  double initializer_factor = get("initializer_factor", 1.0);
  std::string feed_forward_proj = get("feed_forward_proj", "relu");
  bool tie_word_embeddings = get("tie_word_embeddings", true);
  int64_t pad_token_id = get("pad_token_id", 0);
  int64_t eos_token_id = get("eos_token_id", 1);
  int64_t decoder_start_token_id = get("decoder_start_token_id", pad_token_id);
  bool bias_everywhere = false;  ///< UMT5: every block has its own relative_attention_bias (set after construction).
  bool gated() const { return feed_forward_proj.rfind("gated-", 0) == 0; }
  std::string activation() const;
};

struct T5Step {
  const Inputs& in;
  AttentionOptions mask, cross_mask;  ///< mask.bias holds the relative position bias [1, H, T, S] of blocks without their own.
  Tensor buckets;                     ///< int64 [T, S]: rows of relative_attention_bias.
  Tensor encoder;
  Recorder& recorder;
};

struct T5Attention {
  int64_t layer, head_dim;
  double dropout_rate;
  Linear q, k, v, o;
  Embedding relative_attention_bias;  ///< Block 0 only, or all of them.
  T5Attention(const Scope& w, const T5Config& c, int64_t layer, bool has_bias);
  Tensor operator()(const Tensor& x, const T5Step& s, bool cross) const;
  Tensor position_bias(const Tensor& buckets) const;  ///< [1, H, T, S]
};

struct T5FeedForward {
  Linear wi, wi_0, wi_1, wo;
  Activation act;
  double dropout_rate;
  T5FeedForward(const Scope& w, const T5Config& c);
  Tensor operator()(const Tensor& x, const Inputs& in) const;
};

struct T5Block {
  RmsNorm attention_norm, cross_norm, ff_norm;
  T5Attention attention;
  std::optional<T5Attention> cross_attention;
  T5FeedForward ff;
  double dropout_rate;
  T5Block(const Scope& w, const T5Config& c, int64_t layer, bool is_decoder);
  Tensor operator()(const Tensor& x, const T5Step& s) const;
};

struct T5Stack {
  T5Config c;
  bool is_decoder;
  Embedding embed_tokens;
  std::vector<T5Block> blocks;
  RmsNorm final_layer_norm;
  T5Stack(const Scope& w, const T5Config& c, bool is_decoder, const Embedding& table);
  Outputs operator()(const Inputs& in) const;
  Tensor buckets(int64_t queries, int64_t keys) const;  ///< int64 [T, S], by the distance from query to key.
};

struct T5Model : Model {
  T5Config c;
  Embedding shared;
  T5Stack encoder, decoder;
  T5Model(const Scope& w, const T5Config& c);
  Outputs forward(const Inputs& in) const override;
  Outputs encode(const Inputs& in) const override;
  bool is_encoder_decoder() const override { return true; }
  const Embedding* input_embeddings() const override { return &shared; }
};

/// Registers all classes of a T5-like family under names beginning with `name`.
void add_t5_family(ModelFamily& f, const std::string& name, const std::function<T5Config(const Json&)>& config);

}  // namespace transformers
