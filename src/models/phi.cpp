// Phi 1, 1.5 and 2: attention and MLP side by side, rotary positions on part of each head.
// Reference: transformers/models/phi/modeling_phi.py.
#include "models/heads.h"
#include "models/llama.h"

namespace transformers {
namespace {

struct PhiConfig : LlamaConfig {
  explicit PhiConfig(const Json& j)
      : LlamaConfig(with_defaults(j, {{"vocab_size", 51200}, {"hidden_size", 2048}, {"intermediate_size", 8192}, {"num_hidden_layers", 24}, {"hidden_act", "gelu_new"},
                                      {"partial_rotary_factor", 0.5}})) {
    embedding_dropout = get("embd_pdrop", 0.0);
  }
  double layer_norm_eps = get("layer_norm_eps", 1e-5);
  double resid_pdrop = get("resid_pdrop", 0.0);
  bool qk_layernorm = get("qk_layernorm", false);
  double norm_eps() const { return layer_norm_eps; }
};

struct PhiAttention : RopeAttention {
  Linear q_proj, k_proj, v_proj, dense;
  std::optional<LayerNorm> q_layernorm, k_layernorm;
  PhiAttention(const Scope& w, const PhiConfig& c, int64_t index)
      : RopeAttention(c, index), q_proj(w / "q_proj", c.hidden_size, c.num_attention_heads * head_dim), k_proj(w / "k_proj", c.hidden_size, c.num_key_value_heads * head_dim),
        v_proj(w / "v_proj", c.hidden_size, c.num_key_value_heads * head_dim), dense(w / "dense", c.num_attention_heads * head_dim, c.hidden_size) {
    if (!c.qk_layernorm) return;
    q_layernorm.emplace(w / "q_layernorm", head_dim, c.layer_norm_eps);
    k_layernorm.emplace(w / "k_layernorm", head_dim, c.layer_norm_eps);
  }
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    Tensor q = split_heads(q_proj(x), head_dim), k = split_heads(k_proj(x), head_dim);
    if (q_layernorm) q = (*q_layernorm)(q), k = (*k_layernorm)(k);
    return dense(attend(q, k, split_heads(v_proj(x), head_dim), s));
  }
};

struct PhiLayer {
  LayerNorm input_layernorm;
  PhiAttention self_attn;
  Linear fc1, fc2;
  Activation act;
  double resid_pdrop;
  PhiLayer(const Scope& w, const PhiConfig& c, int64_t layer)
      : input_layernorm(w / "input_layernorm", c.hidden_size, c.layer_norm_eps), self_attn(w / "self_attn", c, layer), fc1(w / "mlp" / "fc1", c.hidden_size, c.intermediate_size),
        fc2(w / "mlp" / "fc2", c.intermediate_size, c.hidden_size), act(c.hidden_act), resid_pdrop(c.resid_pdrop) {}
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const Tensor h = input_layernorm(x);
    const double p = s.in.dropout(resid_pdrop);
    return dropout(self_attn(h, s), p) + dropout(fc2(act(fc1(h))), p) + x;
  }
};

struct PhiModel final : DecoderModel<PhiConfig, PhiLayer, LayerNorm> {
  PhiModel(const Scope& w, const Json& j) : DecoderModel(w, j, {.norm = "final_layernorm"}) {}
};

}  // namespace

void register_phi(ModelRegistry& r) {
  const Factory backbone = make<PhiModel>();
  ModelFamily& family = r.family("phi", "model");
  add_decoder_classes(family, "Phi", backbone, "st");
  family.add("PhiForCausalLM", causal_lm_head(backbone, {"model", "lm_head", true, false, false}), {"AutoModelForCausalLM"});
}

}  // namespace transformers
