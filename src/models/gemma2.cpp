// Gemma 2: norms before and after each part, soft caps, every other layer with a sliding window.
// Reference: transformers/models/gemma2/modeling_gemma2.py. C hidden.
#include <cmath>

#include "models/gemma.h"
#include "models/heads.h"

namespace transformers {
namespace {

struct Gemma2Config : LlamaConfig {
  explicit Gemma2Config(const Json& j)
      : LlamaConfig(with_defaults(j, {{"vocab_size", 256000},
                                      {"hidden_size", 2304},
                                      {"intermediate_size", 9216},
                                      {"num_hidden_layers", 26},
                                      {"num_attention_heads", 8},
                                      {"num_key_value_heads", 4},
                                      {"head_dim", 256},
                                      {"max_position_embeddings", 8192},
                                      {"sliding_window", 4096},
                                      {"attn_logit_softcapping", 50.0}})) {
    hidden_act = get("hidden_activation", "gelu_pytorch_tanh");
    sliding_window = get("sliding_window", 0);
    layer_types = get("layer_types", std::vector<std::string>{});
    if (layer_types.empty())
      for (int64_t i = 0; i < num_hidden_layers; ++i)
        layer_types.push_back(i % 2 == 0 ? "sliding_attention" : "full_attention");
    attention_softcap = get("attn_logit_softcapping", 0.0);
    attention_scale = 1 / std::sqrt(get("query_pre_attn_scalar", 256.0));
    embedding_scale = std::sqrt(static_cast<double>(hidden_size));
  }
};

struct Gemma2Layer {
  GemmaNorm input_layernorm, post_attention_layernorm, pre_feedforward_layernorm, post_feedforward_layernorm;
  LlamaAttention self_attn;
  LlamaMlp mlp;
  Gemma2Layer(const Scope& w, const Gemma2Config& c, int64_t layer)
      : input_layernorm(w / "input_layernorm", c.hidden_size, c.rms_norm_eps),
        post_attention_layernorm(w / "post_attention_layernorm", c.hidden_size, c.rms_norm_eps),
        pre_feedforward_layernorm(w / "pre_feedforward_layernorm", c.hidden_size, c.rms_norm_eps),
        post_feedforward_layernorm(w / "post_feedforward_layernorm", c.hidden_size, c.rms_norm_eps),
        self_attn(w / "self_attn", c, layer),
        mlp(w / "mlp", c) {}
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const Tensor h = x + post_attention_layernorm(self_attn(input_layernorm(x), s));
    return h + post_feedforward_layernorm(mlp(pre_feedforward_layernorm(h)));
  }
};

}  // namespace

void register_gemma2(ModelRegistry& r) {
  const Factory backbone = make<DecoderModel<Gemma2Config, Gemma2Layer, GemmaNorm>>();
  ModelFamily& family = r.family("gemma2", "model");
  add_decoder_classes(family, "Gemma2", backbone, "st");
  family.add("Gemma2ForCausalLM",
             with_config_defaults(
                 causal_lm_head(backbone, {"model", "lm_head", false, false, true}, "final_logit_softcapping"),
                 {{"final_logit_softcapping", 30.0}}),
             {"AutoModelForCausalLM"});
}

}  // namespace transformers
