// StableLM: layer norms, partial rotary positions, optional per-head norms and parallel residual.
// Reference: transformers/models/stablelm/modeling_stablelm.py. H heads, D head size.
#include "models/llama.h"

namespace transformers {
namespace {

struct StableLmConfig : LlamaConfig {
  explicit StableLmConfig(const Json& j)
      : LlamaConfig(with_defaults(j, {{"vocab_size", 50304}, {"hidden_size", 2560}, {"intermediate_size", 6912}, {"num_key_value_heads", 32}, {"max_position_embeddings", 4096},
                                      {"partial_rotary_factor", 0.25}})) {
    qkv_only_bias = get("use_qkv_bias", false);
  }
  double layer_norm_eps = get("layer_norm_eps", 1e-5);
  double hidden_dropout = get("hidden_dropout", 0.0);
  bool qk_layernorm = get("qk_layernorm", false);
  bool use_parallel_residual = get("use_parallel_residual", false);
  double norm_eps() const { return layer_norm_eps; }
};

/// A layer norm without bias for every head.
struct PerHeadNorm {
  std::vector<Tensor> weights;  // H of [D]
  double eps;
  PerHeadNorm(const Scope& w, int64_t heads, int64_t head_dim, double e) : eps(e) {
    for (int64_t h = 0; h < heads; ++h) weights.push_back((w / "norms" / h).param("weight", {head_dim}, Init::one()));
  }
  Tensor operator()(const Tensor& x) const { return layer_norm(x, {}, {}, eps) * stack(weights, 0).unsqueeze(1); }  // [B, H, T, D]
};

struct StableLmAttention : LlamaAttention {
  std::optional<PerHeadNorm> q_layernorm, k_layernorm;
  StableLmAttention(const Scope& w, const StableLmConfig& c, int64_t index) : LlamaAttention(w, c, index) {
    if (!c.qk_layernorm) return;
    q_layernorm.emplace(w / "q_layernorm", c.num_attention_heads, head_dim, c.layer_norm_eps);
    k_layernorm.emplace(w / "k_layernorm", c.num_key_value_heads, head_dim, c.layer_norm_eps);
  }
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    Tensor q = split_heads(q_proj(x), head_dim), k = split_heads(k_proj(x), head_dim);
    if (q_layernorm) q = (*q_layernorm)(q), k = (*k_layernorm)(k);
    return o_proj(attend(q, k, split_heads(v_proj(x), head_dim), s));
  }
};

struct StableLmLayer {
  LayerNorm input_layernorm;
  std::optional<LayerNorm> post_attention_layernorm;
  StableLmAttention self_attn;
  LlamaMlp mlp;
  double hidden_dropout;
  StableLmLayer(const Scope& w, const StableLmConfig& c, int64_t layer)
      : input_layernorm(w / "input_layernorm", c.hidden_size, c.layer_norm_eps), self_attn(w / "self_attn", c, layer), mlp(w / "mlp", c), hidden_dropout(c.hidden_dropout) {
    if (!c.use_parallel_residual) post_attention_layernorm.emplace(w / "post_attention_layernorm", c.hidden_size, c.layer_norm_eps);
  }
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const Tensor n = input_layernorm(x), h = x + self_attn(n, s);
    return h + dropout(mlp(post_attention_layernorm ? (*post_attention_layernorm)(h) : n), s.in.dropout(hidden_dropout));
  }
};

}  // namespace

void register_stablelm(ModelRegistry& r) {
  add_decoder_classes(r.family("stablelm", "model"), "StableLm", make<DecoderModel<StableLmConfig, StableLmLayer, LayerNorm>>(), "cst");
}

}  // namespace transformers
