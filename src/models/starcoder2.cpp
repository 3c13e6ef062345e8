// StarCoder 2: layer norms, biases, a plain MLP, an optional window. Reference: transformers/models/starcoder2/modeling_starcoder2.py.
#include "models/llama.h"

namespace transformers {
namespace {

struct Starcoder2Config : LlamaConfig {
  explicit Starcoder2Config(const Json& j)
      : LlamaConfig(with_defaults(j, {{"vocab_size", 49152}, {"hidden_size", 3072}, {"intermediate_size", 12288}, {"num_hidden_layers", 30}, {"num_attention_heads", 24},
                                      {"num_key_value_heads", 2}, {"hidden_act", "gelu_pytorch_tanh"}, {"max_position_embeddings", 4096}})) {
    attention_bias = use_bias;
    sliding_window = get("sliding_window", 0);
    embedding_dropout = get("embedding_dropout", 0.0);
  }
  bool use_bias = get("use_bias", true);
  double residual_dropout = get("residual_dropout", 0.0);
  double norm_epsilon = get("norm_epsilon", 1e-5);
  double norm_eps() const { return norm_epsilon; }
};

struct Starcoder2Attention {
  LlamaAttention attention;
  double p;
  Starcoder2Attention(const Scope& w, const Starcoder2Config& c, int64_t layer) : attention(w, c, layer), p(c.residual_dropout) {}
  Tensor operator()(const Tensor& x, const DecoderStep& s) const { return dropout(attention(x, s), s.in.dropout(p)); }
};

struct Starcoder2Mlp {
  Linear c_fc, c_proj;
  Activation act;
  double p;
  Starcoder2Mlp(const Scope& w, const Starcoder2Config& c)
      : c_fc(w / "c_fc", c.hidden_size, c.intermediate_size, c.use_bias), c_proj(w / "c_proj", c.intermediate_size, c.hidden_size, c.use_bias), act(c.hidden_act),
        p(c.residual_dropout) {}
  Tensor operator()(const Tensor& x) const { return c_proj(act(c_fc(x))); }
};

struct Starcoder2Layer {
  LayerNorm input_layernorm, post_attention_layernorm;
  Starcoder2Attention self_attn;
  Starcoder2Mlp mlp;
  Starcoder2Layer(const Scope& w, const Starcoder2Config& c, int64_t layer)
      : input_layernorm(w / "input_layernorm", c.hidden_size, c.norm_epsilon), post_attention_layernorm(w / "post_attention_layernorm", c.hidden_size, c.norm_epsilon),
        self_attn(w / "self_attn", c, layer), mlp(w / "mlp", c) {}
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const Tensor h = x + self_attn(input_layernorm(x), s);
    return h + dropout(mlp(post_attention_layernorm(h)), s.in.dropout(mlp.p));
  }
};

}  // namespace

void register_starcoder2(ModelRegistry& r) {
  add_decoder_classes(r.family("starcoder2", "model"), "Starcoder2", make<DecoderModel<Starcoder2Config, Starcoder2Layer, LayerNorm>>(), "Cst");
}

}  // namespace transformers
