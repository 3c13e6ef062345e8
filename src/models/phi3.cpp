// Phi 3: Llama with fused projections. Reference: transformers/models/phi3/modeling_phi3.py.
#include "models/llama.h"

namespace transformers {
namespace {

struct Phi3Config : LlamaConfig {
  explicit Phi3Config(const Json& j)
      : LlamaConfig(with_defaults(j, {{"vocab_size", 32064}, {"hidden_size", 3072}, {"intermediate_size", 8192}, {"max_position_embeddings", 4096},
                                      {"original_max_position_embeddings", 4096}, {"rms_norm_eps", 1e-5}, {"pad_token_id", 32000}})) {
    sliding_window = get("sliding_window", 0);
  }
  double resid_pdrop = get("resid_pdrop", 0.0);
};

struct Phi3Attention : RopeAttention {
  int64_t q_size, kv_size;
  Linear qkv_proj, o_proj;
  Phi3Attention(const Scope& w, const Phi3Config& c, int64_t index)
      : RopeAttention(c, index), q_size(c.num_attention_heads * head_dim), kv_size(c.num_key_value_heads * head_dim),
        qkv_proj(w / "qkv_proj", c.hidden_size, q_size + 2 * kv_size, false), o_proj(w / "o_proj", q_size, c.hidden_size, false) {}
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const Tensor qkv = qkv_proj(x);
    return o_proj(attend(split_heads(qkv.narrow(-1, 0, q_size), head_dim), split_heads(qkv.narrow(-1, q_size, kv_size), head_dim),
                         split_heads(qkv.narrow(-1, q_size + kv_size, kv_size), head_dim), s));
  }
};

struct Phi3Layer {
  RmsNorm input_layernorm, post_attention_layernorm;
  Phi3Attention self_attn;
  Linear gate_up_proj, down_proj;
  Activation act;
  double resid_pdrop;
  Phi3Layer(const Scope& w, const Phi3Config& c, int64_t layer)
      : input_layernorm(w / "input_layernorm", c.hidden_size, c.rms_norm_eps), post_attention_layernorm(w / "post_attention_layernorm", c.hidden_size, c.rms_norm_eps),
        self_attn(w / "self_attn", c, layer), gate_up_proj(w / "mlp" / "gate_up_proj", c.hidden_size, 2 * c.intermediate_size, false),
        down_proj(w / "mlp" / "down_proj", c.intermediate_size, c.hidden_size, false), act(c.hidden_act), resid_pdrop(c.resid_pdrop) {}
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const double p = s.in.dropout(resid_pdrop);
    const Tensor h = x + dropout(self_attn(input_layernorm(x), s), p);
    const std::vector<Tensor> parts = gate_up_proj(post_attention_layernorm(h)).chunk(2, -1);
    return h + dropout(down_proj(parts[1] * act(parts[0])), p);
  }
};

}  // namespace

void register_phi3(ModelRegistry& r) {
  add_decoder_classes(r.family("phi3", "model"), "Phi3", make<DecoderModel<Phi3Config, Phi3Layer>>(), "cst");
}

}  // namespace transformers
