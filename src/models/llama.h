// Parts of the Llama decoder that its variants (Mistral, Qwen, Gemma, ...) share.
// B batch, T new tokens, S cached + new tokens, C hidden, H query heads, K key/value heads, D head size.
#pragma once
#include "models/decoder.h"

namespace transformers {

struct LlamaConfig : Config {
  using Config::Config;
  int64_t vocab_size = size("vocab_size", 32000);
  int64_t hidden_size = size("hidden_size", 4096);
  int64_t intermediate_size = size("intermediate_size", 11008);
  int64_t num_hidden_layers = get("num_hidden_layers", 32);
  int64_t num_attention_heads = size("num_attention_heads", 32);
  int64_t num_key_value_heads = size("num_key_value_heads", num_attention_heads);
  int64_t head_dim = has("head_dim") ? size("head_dim", 1) : divide_exactly("hidden_size", hidden_size, "num_attention_heads", num_attention_heads);
  double rms_norm_eps = get("rms_norm_eps", 1e-6);
  bool attention_bias = get("attention_bias", false);
  bool mlp_bias = get("mlp_bias", false);
  double attention_dropout = get("attention_dropout", 0.0);
  std::string hidden_act = get("hidden_act", "silu");
  // What variants change after construction:
  int64_t sliding_window = 0;            ///< 0: none
  std::vector<std::string> layer_types;  ///< Which layers slide ("sliding_attention"); empty: all, when there is a window.
  double attention_scale = 0;            ///< 0: 1 / sqrt(D)
  double attention_softcap = 0;          ///< 0: none (Gemma 2)
  double embedding_scale = 1;            ///< Gemma: sqrt(C)
  double embedding_dropout = 0;
  bool interleaved_rope = false;         ///< Rotates neighbours instead of halves (GPT-J's layout).
  bool qkv_only_bias = false;            ///< Bias on q, k, v but not on o (Qwen 2).
  bool qk_norm = false;                  ///< RMS norms of every head's queries and keys (Qwen 3).
  bool qkv_bias() const { return attention_bias || qkv_only_bias; }
  double norm_eps() const { return rms_norm_eps; }
  int64_t window(int64_t layer) const;   ///< Sliding window of a layer; 0: none. Throws ConfigError when layer_types is too short.
};

/// What follows the projections: rotary positions (if the step has any), cache, attention, heads joined again.
struct RopeAttention {
  int64_t layer, head_dim, window = 0;
  double scale = 0, softcap = 0, dropout = 0;
  bool interleaved = false;
  RopeAttention(int64_t layer, int64_t head_dim, double dropout) : layer(layer), head_dim(head_dim), dropout(dropout) {}
  RopeAttention(const LlamaConfig& c, int64_t layer);
  /// q [B, H, T, D], k and v [B, K, T, D] before rotation -> [B, T, H * D].
  Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const DecoderStep& s) const;
};

struct LlamaAttention : RopeAttention {
  Linear q_proj, k_proj, v_proj, o_proj;
  std::optional<RmsNorm> q_norm, k_norm;
  LlamaAttention(const Scope& w, const LlamaConfig& c, int64_t layer);
  Tensor operator()(const Tensor& x, const DecoderStep& s) const;
};

struct LlamaMlp {
  Linear gate_proj, up_proj, down_proj;
  Activation act;
  LlamaMlp(const Scope& w, const LlamaConfig& c);
  Tensor operator()(const Tensor& x) const { return down_proj(act(gate_proj(x)) * up_proj(x)); }
};

using LlamaLayer = PreNormLayer<LlamaAttention, LlamaMlp>;
using LlamaModel = DecoderModel<LlamaConfig, LlamaLayer>;

/// Adds the classes that most decoders have: Model and, by their letters in `heads`, ForCausalLM "c" (tied to the embedding
/// by default: "C"), ForSequenceClassification "s", ForTokenClassification "t" and ForQuestionAnswering "q".
void add_decoder_classes(ModelFamily& family, const std::string& name, const Factory& backbone, const std::string& heads);

}  // namespace transformers
