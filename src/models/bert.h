// Parts of the BERT encoder that its relatives (RoBERTa, ELECTRA, CamemBERT, ...) share.
// Reference: transformers/models/bert/modeling_bert.py.
// B batch, T tokens, S cached + new tokens (or the encoder's), C hidden, H heads, D = C / H, V vocabulary.
#pragma once
#include <set>

#include "models/heads.h"
#include "models/registry.h"
#include "nn/cache.h"

namespace transformers {

struct BertConfig : Config {
  using Config::Config;
  int64_t vocab_size = size("vocab_size", 30522);
  int64_t hidden_size = size("hidden_size", 768);
  int64_t intermediate_size = size("intermediate_size", 3072);
  int64_t num_hidden_layers = get("num_hidden_layers", 12);
  int64_t num_attention_heads = size("num_attention_heads", 12);
  int64_t max_position_embeddings = size("max_position_embeddings", 512);
  int64_t type_vocab_size = size("type_vocab_size", 2);
  int64_t pad_token_id = get("pad_token_id", 0);
  double layer_norm_eps = get("layer_norm_eps", 1e-12);
  double hidden_dropout_prob = get("hidden_dropout_prob", 0.1);
  double attention_probs_dropout_prob = get("attention_probs_dropout_prob", 0.1);
  std::string hidden_act = get("hidden_act", "gelu");
  std::string position_embedding_type = get("position_embedding_type", "absolute");
  bool is_decoder = get("is_decoder", false);
  bool add_cross_attention = get("add_cross_attention", false);
  bool use_cache = get("use_cache", true);
  bool tie_word_embeddings = get("tie_word_embeddings", true);
  /// The heads that are gone from a layer's self-attention, numbered as before any pruning. Throws ConfigError.
  std::set<int64_t> pruned_heads(int64_t layer) const;
  // What variants change after construction:
  int64_t embedding_size = hidden_size;  ///< Width of the tables (ELECTRA).
  bool padded_positions = false;         ///< RoBERTa: positions start after pad_token_id and skip padding.
};

/// What all layers of one call share.
struct BertStep {
  const Inputs& in;
  AttentionOptions mask, cross_mask;
  Tensor encoder;          ///< Encoder states [B, S, C] for cross-attention, or undefined.
  bool last_distance;      ///< Relative positions count from the last key for every query, as the reference does with a cache.
  Recorder& recorder;
};

/// Self- or cross-attention with its output projection, residual and norm.
struct BertAttention {
  int64_t layer, head_dim, max_positions;
  std::string position_type;
  double dropout_p, attention_dropout_p;
  Linear query, key, value, dense;
  LayerNorm norm;
  Embedding distance_embedding;
  double relative_scale;  ///< Factor on the relative positions' scores.
  std::set<int64_t> pruned;  ///< Heads that are gone, numbered as before any pruning.
  int64_t heads;             ///< Those that are left.
  BertAttention(const Scope& w, const BertConfig& c, int64_t layer, const std::string& position_type)
      : BertAttention(w / "self", w / "output", c, layer, position_type, 0) {}
  /// query, key, value in `inner`; dense and LayerNorm in `outer`. relative_scale 0: 1 / sqrt(D).
  BertAttention(const Scope& inner, const Scope& outer, const BertConfig& c, int64_t layer, const std::string& position_type, double relative_scale);
  Tensor operator()(const Tensor& x, const BertStep& s) const;     ///< [B, T, C] -> [B, T, C]
  Tensor cross(const Tensor& x, const BertStep& s) const;          ///< Keys and values from s.encoder.
  /// q [B, H, T, D], k [B, H, S, D] -> what relative_key or relative_key_query add to the scaled scores.
  Tensor relative_bias(const Tensor& q, const Tensor& k, bool last_distance) const;
  /// Removes the rows of query, key and value and the columns of dense that belong to these heads.
  void prune(const std::vector<int64_t>& heads, const Model::Replace& replace);
  Tensor finish(const Tensor& context, const Tensor& x, const Inputs& in) const;
};

struct BertLayer {
  BertAttention attention;
  std::optional<BertAttention> crossattention;
  Linear intermediate, output;
  LayerNorm norm;
  Activation act;
  double dropout_p;
  bool is_decoder;
  BertLayer(const Scope& w, const BertConfig& c, int64_t layer);
  Tensor operator()(const Tensor& x, const BertStep& s) const;
};

struct BertEncoder {
  BertConfig c;
  std::vector<BertLayer> layers;
  BertEncoder(const Scope& w, const BertConfig& c) : c(c), layers(make_layers<BertLayer>(w / "layer", c.num_hidden_layers, c)) {}
  /// x [B, T, C] with masks, cache and encoder states taken from `in`; records hidden states.
  Tensor operator()(Tensor x, const Inputs& in, Recorder& recorder) const;
  void prune(int64_t layer, const std::vector<int64_t>& heads, const Model::Replace& replace);
};

struct BertEmbeddings {
  Embedding word_embeddings, position_embeddings, token_type_embeddings;
  LayerNorm norm;
  double dropout_p;
  int64_t pad;
  bool absolute, padded_positions;
  BertEmbeddings(const Scope& w, const BertConfig& c);
  Tensor operator()(const Inputs& in) const;                      ///< -> [B, T, E]
  Tensor positions(const Inputs& in, int64_t batch, int64_t tokens) const;
};

/// The backbone. Relatives derive, passing an adjusted config.
struct BertModel : Model {
  BertConfig c;
  BertEmbeddings embeddings;
  BertEncoder encoder;
  Linear pooler;  ///< Empty without a pooling layer.
  BertModel(const Scope& w, const BertConfig& c, bool pooler);
  Outputs forward(const Inputs& in) const override;
  const Embedding* input_embeddings() const override { return &embeddings.word_embeddings; }
  void prune_attention(int64_t layer, const std::vector<int64_t>& heads, const Replace& replace) override { encoder.prune(layer, heads, replace); }
};

/// dense, activation, norm, then the (tied) decoder with its bias: -> [B, T, V].
struct BertLmHead {
  Linear transform, decoder;
  LayerNorm norm;
  Activation act;
  BertLmHead(const Scope& w, const BertConfig& c, const Embedding& table);
  Tensor operator()(const Tensor& x) const { return decoder(norm(act(transform(x)))); }
};

}  // namespace transformers
