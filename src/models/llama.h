// Parts of the Llama decoder that its variants (Mistral, ...) share.
// B batch, T new tokens, S cached + new tokens, C hidden, H query heads, K key/value heads, D head size.
#pragma once
#include "models/registry.h"

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
  int64_t sliding_window = 0;    ///< 0: none
  double attention_scale = 0;    ///< 0: 1 / sqrt(D)
  bool qkv_only_bias = false;    ///< Bias on q, k, v but not on o (Qwen 2).
  bool qkv_bias() const { return attention_bias || qkv_only_bias; }
};

/// What all layers of one call share.
struct DecoderStep {
  const Inputs& in;
  RopeTable rope;
  AttentionOptions mask;
  Cache* cache;
  Recorder& recorder;
};

struct LlamaAttention {
  int64_t layer, head_dim;
  double scale, dropout;
  Linear q_proj, k_proj, v_proj, o_proj;
  LlamaAttention(const Scope& w, const LlamaConfig& c, int64_t layer);
  Tensor operator()(const Tensor& x, const DecoderStep& s) const;
};

struct LlamaMlp {
  Linear gate_proj, up_proj, down_proj;
  Activation act;
  LlamaMlp(const Scope& w, const LlamaConfig& c);
  Tensor operator()(const Tensor& x) const { return down_proj(act(gate_proj(x)) * up_proj(x)); }
};

struct LlamaLayer {
  RmsNorm input_layernorm, post_attention_layernorm;
  LlamaAttention self_attn;
  LlamaMlp mlp;
  LlamaLayer(const Scope& w, const LlamaConfig& c, int64_t layer);
  Tensor operator()(const Tensor& x, const DecoderStep& s) const;
};

/// The decoder stack. Variants derive, adjust the config in their constructor and reuse forward.
struct LlamaModel : Model {
  LlamaConfig c;
  Embedding embed_tokens;
  std::vector<LlamaLayer> layers;
  RmsNorm norm;
  Rope rotary;
  LlamaModel(const Scope& w, const Json& json);
  Outputs forward(const Inputs& in) const override;
  const Embedding* input_embeddings() const override { return &embed_tokens; }
};

}  // namespace transformers
