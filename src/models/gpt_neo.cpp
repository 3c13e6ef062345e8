// GPT-Neo: learned positions, unscaled attention, global and local layers in turn. Reference: transformers/models/gpt_neo/modeling_gpt_neo.py.
// B batch, T new tokens, C hidden.
#include "models/heads.h"
#include "models/llama.h"

namespace transformers {
namespace {

struct GPTNeoConfig : Config {
  using Config::Config;
  int64_t vocab_size = size("vocab_size", 50257);
  int64_t max_position_embeddings = size("max_position_embeddings", 2048);
  int64_t hidden_size = size("hidden_size", 2048);
  int64_t num_layers = get("num_layers", 24);
  int64_t num_heads = size("num_heads", 16);
  int64_t intermediate_size = has("intermediate_size") ? size("intermediate_size", 1) : 4 * hidden_size;
  int64_t window_size = size("window_size", 256);
  std::string activation_function = get("activation_function", "gelu_new");
  double resid_dropout = get("resid_dropout", 0.0);
  double embed_dropout = get("embed_dropout", 0.0);
  double attention_dropout = get("attention_dropout", 0.0);
  double layer_norm_epsilon = get("layer_norm_epsilon", 1e-5);
  int64_t head_dim = divide_exactly("hidden_size", hidden_size, "num_heads", num_heads);

  /// attention_types [[["global", "local"], 12]]: a pattern and how often it repeats.
  bool is_local(int64_t layer) const {
    if (!has("attention_types")) return layer % 2 == 1;
    int64_t i = layer;
    for (const Json& item : json["attention_types"].as_array()) {
      const Json& pattern = item.at(size_t{0});
      const int64_t length = static_cast<int64_t>(pattern.size()), times = item.at(1).as_int();
      if (length > 0 && times > 0 && i / length < times) return pattern.at(static_cast<size_t>(i % length)).as_string() == "local";
      i -= length * std::max<int64_t>(times, 0);
    }
    throw ConfigError({"config: attention_types says nothing of layer ", layer});
  }
};

struct GPTNeoBlock : RopeAttention {
  LayerNorm ln_1, ln_2;
  Linear q_proj, k_proj, v_proj, out_proj, c_fc, c_proj;
  Activation act;
  double resid_dropout;
  GPTNeoBlock(const Scope& w, const GPTNeoConfig& c, int64_t index)
      : RopeAttention(index, c.head_dim, c.attention_dropout), ln_1(w / "ln_1", c.hidden_size, c.layer_norm_epsilon), ln_2(w / "ln_2", c.hidden_size, c.layer_norm_epsilon),
        act(c.activation_function), resid_dropout(c.resid_dropout) {
    const Scope a = w / "attn" / "attention";
    q_proj = Linear(a / "q_proj", c.hidden_size, c.hidden_size, false);
    k_proj = Linear(a / "k_proj", c.hidden_size, c.hidden_size, false);
    v_proj = Linear(a / "v_proj", c.hidden_size, c.hidden_size, false);
    out_proj = Linear(a / "out_proj", c.hidden_size, c.hidden_size);
    c_fc = Linear(w / "mlp" / "c_fc", c.hidden_size, c.intermediate_size);
    c_proj = Linear(w / "mlp" / "c_proj", c.intermediate_size, c.hidden_size);
    scale = 1;
    if (c.is_local(index)) window = c.window_size;
    for (const char* buffer : {"bias", "masked_bias"}) a.ignore(buffer);
  }
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const double p = s.in.dropout(resid_dropout);
    const Tensor n = ln_1(x);
    const Tensor a = out_proj(attend(split_heads(q_proj(n), head_dim), split_heads(k_proj(n), head_dim), split_heads(v_proj(n), head_dim), s));
    const Tensor h = transformers::dropout(a, p) + x;
    return h + transformers::dropout(c_proj(act(c_fc(ln_2(h)))), p);
  }
};

struct GPTNeoModel final : Model {
  GPTNeoConfig c;
  Embedding wte, wpe;
  std::vector<GPTNeoBlock> h;
  LayerNorm ln_f;
  GPTNeoModel(const Scope& w, const Json& json)
      : c(json), wte(w / "wte", c.vocab_size, c.hidden_size), wpe(w / "wpe", c.max_position_embeddings, c.hidden_size), h(make_layers<GPTNeoBlock>(w / "h", c.num_layers, c)),
        ln_f(w / "ln_f", c.hidden_size, c.layer_norm_epsilon) {
    config_ = json;
  }
  Outputs forward(const Inputs& in) const override {  // ids [B, T] -> last_hidden_state [B, T, C]
    Tensor x = embeds_or(in, wte);
    x = x + wpe(positions_of(in, x.dim(1)));
    if (const Tensor& types = in.tensor("token_type_ids"); types.defined()) x = x + wte(types);
    x = dropout(x, in.dropout(c.embed_dropout));
    Recorder recorder(in);
    const DecoderStep step{in, {}, causal_mask(in.tensor("attention_mask")), in.cache.get(), recorder};
    for (const GPTNeoBlock& block : h) {
      recorder.hidden(x);
      x = block(x, step);
    }
    x = ln_f(x);
    recorder.hidden(x);
    Outputs out;
    out.set("last_hidden_state", x);
    recorder.write(out);
    return out;
  }
  const Embedding* input_embeddings() const override { return &wte; }
};

}  // namespace

void register_gpt_neo(ModelRegistry& r) {
  const Factory backbone = make<GPTNeoModel>();
  r.family("gpt_neo", "transformer")
      .add("GPTNeoModel", backbone, {"AutoModel"})
      .add("GPTNeoForCausalLM", causal_lm_head(backbone, {"transformer", "lm_head", false, false, true}), {"AutoModelForCausalLM", "AutoModelWithLMHead"})
      .add("GPTNeoForSequenceClassification", last_token_classifier(backbone, {"transformer", "score", false, false, false}), {"AutoModelForSequenceClassification"})
      .add("GPTNeoForTokenClassification", token_classifier(backbone, {.prefix = "transformer", .dropout_field = "classifier_dropout"}), {"AutoModelForTokenClassification"})
      .add("GPTNeoForQuestionAnswering", question_answering_head(backbone, {"transformer", "qa_outputs"}), {"AutoModelForQuestionAnswering"});
}

}  // namespace transformers
