// Cohere Command-R: one norm before attention and MLP side by side, rotated neighbours, scaled logits.
// Reference: transformers/models/cohere/modeling_cohere.py. H heads, D head size.
#include "models/custom_heads.h"
#include "models/llama.h"
#include "nn/weight.h"

namespace transformers {
namespace {

struct CohereConfig : LlamaConfig {
  explicit CohereConfig(const Json& j)
      : LlamaConfig(with_defaults(j, {{"vocab_size", 256000}, {"hidden_size", 8192}, {"intermediate_size", 22528}, {"num_hidden_layers", 40}, {"num_attention_heads", 64},
                                      {"max_position_embeddings", 8192}, {"pad_token_id", 0}})) {
    interleaved_rope = true;
  }
  double layer_norm_eps = get("layer_norm_eps", 1e-5);
  bool use_qk_norm = get("use_qk_norm", false);
  double norm_eps() const { return layer_norm_eps; }
};

struct CohereNorm : LayerNorm {
  CohereNorm(const Scope& w, int64_t width, double eps) : LayerNorm(w, width, eps, false) {}
};

struct CohereAttention : LlamaAttention {
  Tensor q_norm_weight, k_norm_weight;  // [H, D], one row a head
  double eps;
  CohereAttention(const Scope& w, const CohereConfig& c, int64_t index) : LlamaAttention(w, c, index), eps(c.layer_norm_eps) {
    if (!c.use_qk_norm) return;
    q_norm_weight = w.param("q_norm.weight", {c.num_attention_heads, head_dim}, Init::one());
    k_norm_weight = w.param("k_norm.weight", {c.num_key_value_heads, head_dim}, Init::one());
  }
  Tensor heads(const Linear& project, const Tensor& weight, const Tensor& x) const {  // -> [B, H, T, D]
    const Tensor y = split_heads(project(x), head_dim);
    return weight.defined() ? layer_norm(y, {}, {}, eps) * weight.unsqueeze(1) : y;
  }
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    return o_proj(attend(heads(q_proj, q_norm_weight, x), heads(k_proj, k_norm_weight, x), split_heads(v_proj(x), head_dim), s));
  }
};

struct CohereLayer {
  CohereNorm input_layernorm;
  CohereAttention self_attn;
  LlamaMlp mlp;
  CohereLayer(const Scope& w, const CohereConfig& c, int64_t layer)
      : input_layernorm(w / "input_layernorm", c.hidden_size, c.layer_norm_eps), self_attn(w / "self_attn", c, layer), mlp(w / "mlp", c) {}
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const Tensor h = input_layernorm(x);
    return x + self_attn(h, s) + mlp(h);
  }
};

struct CohereVocabulary {
  Linear decoder;
  double logit_scale;
  CohereVocabulary(const Scope& w, const Json& json, const Embedding& table) : logit_scale(json.get("logit_scale", 0.0625)) {
    if (json.get("tie_word_embeddings", true)) {
      decoder = Linear(table.weight(), Tensor());
      w.tie("lm_head.weight", table.name());
    } else {
      decoder = Linear(w / "lm_head", table.weight()->in(), table.count(), false);
    }
  }
  Tensor operator()(const Tensor& x) const { return decoder(x) * logit_scale; }
};

}  // namespace

void register_cohere(ModelRegistry& r) {
  const Factory backbone = make<DecoderModel<CohereConfig, CohereLayer, CohereNorm>>();
  r.family("cohere", "model").add("CohereModel", backbone, {"AutoModel"}).add("CohereForCausalLM", vocabulary_head<CohereVocabulary>(backbone, "model", true), {"AutoModelForCausalLM"});
}

}  // namespace transformers
