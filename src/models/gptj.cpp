// GPT-J: attention and MLP side by side, neighbours rotated in the first rotary_dim columns of each head.
// Reference: transformers/models/gptj/modeling_gptj.py.
#include "models/heads.h"
#include "models/llama.h"

namespace transformers {
namespace {

/// GPT-J's field names under those that LlamaConfig reads.
Json renamed(const Json& j) {
  Json c = j;
  const int64_t width = j.get("n_embd", 4096), heads = j.get("n_head", 16);
  c.set("vocab_size", j.get("vocab_size", 50400));
  c.set("hidden_size", width);
  c.set("intermediate_size", j.get("n_inner", 4 * width));
  c.set("num_hidden_layers", j.get("n_layer", 28));
  c.set("num_attention_heads", heads);
  c.set("num_key_value_heads", heads);
  c.set("max_position_embeddings", j.get("n_positions", 2048));
  c.set("hidden_act", j.get("activation_function", "gelu_new"));
  c.set("attention_dropout", j.get("attn_pdrop", 0.0));
  for (const char* key : {"rope_scaling", "rope_theta", "head_dim"}) c.erase(key);
  return c;
}

struct GPTJConfig : LlamaConfig {
  explicit GPTJConfig(const Json& j) : LlamaConfig(renamed(j)) {
    interleaved_rope = true;
    embedding_dropout = get("embd_pdrop", 0.0);
    if (rotary_dim < 2 || rotary_dim > head_dim) throw ConfigError({"config: rotary_dim ", rotary_dim, " must be between 2 and the head size ", head_dim});
  }
  double resid_pdrop = get("resid_pdrop", 0.0);
  double layer_norm_epsilon = get("layer_norm_epsilon", 1e-5);
  int64_t rotary_dim = json.contains("rotary_dim") && json["rotary_dim"].is_null() ? head_dim : get("rotary_dim", int64_t{64});
  double norm_eps() const { return layer_norm_epsilon; }
};

struct GPTJBlock : RopeAttention {
  LayerNorm ln_1;
  Linear q_proj, k_proj, v_proj, out_proj, fc_in, fc_out;
  Activation act;
  double resid_pdrop;
  GPTJBlock(const Scope& w, const GPTJConfig& c, int64_t index)
      : RopeAttention(c, index), ln_1(w / "ln_1", c.hidden_size, c.layer_norm_epsilon), q_proj(w / "attn" / "q_proj", c.hidden_size, c.hidden_size, false),
        k_proj(w / "attn" / "k_proj", c.hidden_size, c.hidden_size, false), v_proj(w / "attn" / "v_proj", c.hidden_size, c.hidden_size, false),
        out_proj(w / "attn" / "out_proj", c.hidden_size, c.hidden_size, false), fc_in(w / "mlp" / "fc_in", c.hidden_size, c.intermediate_size),
        fc_out(w / "mlp" / "fc_out", c.intermediate_size, c.hidden_size), act(c.hidden_act), resid_pdrop(c.resid_pdrop) {}
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const Tensor h = ln_1(x);
    const double p = s.in.dropout(resid_pdrop);
    const Tensor a = out_proj(attend(split_heads(q_proj(h), head_dim), split_heads(k_proj(h), head_dim), split_heads(v_proj(h), head_dim), s));
    return transformers::dropout(a, p) + transformers::dropout(fc_out(act(fc_in(h))), p) + x;
  }
};

struct GPTJModel final : DecoderModel<GPTJConfig, GPTJBlock, LayerNorm> {
  GPTJModel(const Scope& w, const Json& j) : DecoderModel(w, j, {"wte", "h", "ln_f", false}) { rotary = Rope(10000, c.rotary_dim); }
  Outputs forward(const Inputs& in) const override {
    const Tensor& types = in.tensor("token_type_ids");
    if (!types.defined()) return DecoderModel::forward(in);
    Inputs with_types = in;  // token types are looked up in the word table
    with_types.set("inputs_embeds", embeds_or(in, embed_tokens) + embed_tokens(types));
    with_types.erase("input_ids");
    return DecoderModel::forward(with_types);
  }
};

}  // namespace

void register_gptj(ModelRegistry& r) {
  const Factory backbone = make<GPTJModel>();
  r.family("gptj", "transformer")
      .add("GPTJModel", backbone, {"AutoModel"})
      .add("GPTJForCausalLM", causal_lm_head(backbone, {"transformer", "lm_head", true, false, false}), {"AutoModelForCausalLM", "AutoModelWithLMHead"})
      .add("GPTJForSequenceClassification", with_config_defaults(last_token_classifier(backbone, {"transformer", "score", false, false, false}), {{"n_embd", 4096}}), {"AutoModelForSequenceClassification"})
      .add("GPTJForQuestionAnswering", with_config_defaults(question_answering_head(backbone, {"transformer", "qa_outputs"}), {{"n_embd", 4096}}), {"AutoModelForQuestionAnswering"});
}

}  // namespace transformers
