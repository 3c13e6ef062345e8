// GPT-NeoX (Pythia): fused projections, partial rotary positions, parallel residual. Reference: transformers/models/gpt_neox/modeling_gpt_neox.py.
// H heads, D head size.
#include "models/heads.h"
#include "models/llama.h"

namespace transformers {
namespace {

struct GPTNeoXConfig : LlamaConfig {
  explicit GPTNeoXConfig(const Json& j)
      : LlamaConfig(with_defaults(j, {{"vocab_size", 50432}, {"hidden_size", 6144}, {"num_hidden_layers", 44}, {"num_attention_heads", 64}, {"intermediate_size", 24576},
                                      {"hidden_act", "gelu"}, {"attention_bias", true}, {"partial_rotary_factor", j.get("rotary_pct", 0.25)},
                                      {"rope_theta", j.get("rotary_emb_base", 10000.0)}})) {
    num_key_value_heads = num_attention_heads;
    embedding_dropout = hidden_dropout;
  }
  double layer_norm_eps = get("layer_norm_eps", 1e-5);
  double hidden_dropout = get("hidden_dropout", 0.0);
  bool use_parallel_residual = get("use_parallel_residual", true);
  double norm_eps() const { return layer_norm_eps; }
};

struct GPTNeoXLayer : RopeAttention {
  LayerNorm input_layernorm, post_attention_layernorm;
  Linear query_key_value, dense, dense_h_to_4h, dense_4h_to_h;
  Activation act;
  double hidden_dropout;
  bool parallel;
  GPTNeoXLayer(const Scope& w, const GPTNeoXConfig& c, int64_t index)
      : RopeAttention(c, index), input_layernorm(w / "input_layernorm", c.hidden_size, c.layer_norm_eps),
        post_attention_layernorm(w / "post_attention_layernorm", c.hidden_size, c.layer_norm_eps),
        query_key_value(w / "attention" / "query_key_value", c.hidden_size, 3 * c.hidden_size, c.attention_bias),
        dense(w / "attention" / "dense", c.hidden_size, c.hidden_size, c.attention_bias), dense_h_to_4h(w / "mlp" / "dense_h_to_4h", c.hidden_size, c.intermediate_size),
        dense_4h_to_h(w / "mlp" / "dense_4h_to_h", c.intermediate_size, c.hidden_size), act(c.hidden_act), hidden_dropout(c.hidden_dropout), parallel(c.use_parallel_residual) {}
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const Tensor qkv = split_heads(query_key_value(input_layernorm(x)), 3 * head_dim);  // [B, H, T, 3D]
    const double p = s.in.dropout(hidden_dropout);
    const Tensor h = transformers::dropout(dense(attend(qkv.narrow(-1, 0, head_dim), qkv.narrow(-1, head_dim, head_dim), qkv.narrow(-1, 2 * head_dim, head_dim), s)), p) + x;
    return transformers::dropout(dense_4h_to_h(act(dense_h_to_4h(post_attention_layernorm(parallel ? x : h)))), p) + h;
  }
};

struct GPTNeoXModel final : DecoderModel<GPTNeoXConfig, GPTNeoXLayer, LayerNorm> {
  GPTNeoXModel(const Scope& w, const Json& j) : DecoderModel(w, j, {.embedding = "embed_in", .norm = "final_layer_norm", .padding_row = false}) {}
};

}  // namespace

void register_gpt_neox(ModelRegistry& r) {
  const Factory backbone = make<GPTNeoXModel>();
  r.family("gpt_neox", "gpt_neox")
      .add("GPTNeoXModel", backbone, {"AutoModel"})
      .add("GPTNeoXForCausalLM", causal_lm_head(backbone, {"gpt_neox", "embed_out", false, false, false}), {"AutoModelForCausalLM", "AutoModelWithLMHead"})
      .add("GPTNeoXForSequenceClassification", last_token_classifier(backbone, {"gpt_neox", "score", false, false, false}), {"AutoModelForSequenceClassification"})
      .add("GPTNeoXForTokenClassification", token_classifier(backbone, {.prefix = "gpt_neox", .dropout_field = "classifier_dropout"}), {"AutoModelForTokenClassification"})
      .add("GPTNeoXForQuestionAnswering", question_answering_head(backbone, {"gpt_neox", "qa_outputs"}), {"AutoModelForQuestionAnswering"});
}

}  // namespace transformers
