// OPT: learned positions that skip padding, pre- or post-norm, optional projections around the stack.
// Reference: transformers/models/opt/modeling_opt.py. B batch, T new tokens, C hidden, E word_embed_proj_dim.
#include "models/heads.h"
#include "models/llama.h"

namespace transformers {
namespace {

constexpr int64_t kPositionOffset = 2;

struct OPTConfig : Config {
  using Config::Config;
  int64_t vocab_size = size("vocab_size", 50272);
  int64_t hidden_size = size("hidden_size", 768);
  int64_t num_hidden_layers = get("num_hidden_layers", 12);
  int64_t ffn_dim = size("ffn_dim", 3072);
  int64_t max_position_embeddings = size("max_position_embeddings", 2048);
  int64_t word_embed_proj_dim = size("word_embed_proj_dim", hidden_size);
  int64_t num_attention_heads = size("num_attention_heads", 12);
  int64_t pad_token_id = get("pad_token_id", 1);
  bool do_layer_norm_before = get("do_layer_norm_before", true);
  bool remove_final_layer_norm = get("_remove_final_layer_norm", false);
  bool enable_bias = get("enable_bias", true);
  bool layer_norm_elementwise_affine = get("layer_norm_elementwise_affine", true);
  double dropout = get("dropout", 0.1);
  double attention_dropout = get("attention_dropout", 0.0);
  double layerdrop = get("layerdrop", 0.0);
  double init_std = get("init_std", 0.02);
  std::string activation_function = get("activation_function", "relu");
  int64_t head_dim = divide_exactly("hidden_size", hidden_size, "num_attention_heads", num_attention_heads);
  Linear linear(const Scope& w, int64_t in, int64_t out, bool bias) const { return Linear(w, in, out, bias, Init::std(init_std)); }
  LayerNorm norm(const Scope& w) const {
    if (layer_norm_elementwise_affine) return LayerNorm(w, hidden_size, 1e-5);
    return LayerNorm();
  }
};

struct OPTLayer : RopeAttention {
  Linear q_proj, k_proj, v_proj, out_proj, fc1, fc2;
  LayerNorm self_attn_layer_norm, final_layer_norm;
  Activation act;
  double hidden_dropout;
  bool before;
  OPTLayer(const Scope& w, const OPTConfig& c, int64_t index)
      : RopeAttention(index, c.head_dim, c.attention_dropout), act(c.activation_function), hidden_dropout(c.dropout), before(c.do_layer_norm_before) {
    const Scope a = w / "self_attn";
    q_proj = c.linear(a / "q_proj", c.hidden_size, c.hidden_size, c.enable_bias);
    k_proj = c.linear(a / "k_proj", c.hidden_size, c.hidden_size, c.enable_bias);
    v_proj = c.linear(a / "v_proj", c.hidden_size, c.hidden_size, c.enable_bias);
    out_proj = c.linear(a / "out_proj", c.hidden_size, c.hidden_size, c.enable_bias);
    fc1 = c.linear(w / "fc1", c.hidden_size, c.ffn_dim, c.enable_bias);
    fc2 = c.linear(w / "fc2", c.ffn_dim, c.hidden_size, c.enable_bias);
    self_attn_layer_norm = c.norm(w / "self_attn_layer_norm");
    final_layer_norm = c.norm(w / "final_layer_norm");
  }
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const double p = s.in.dropout(hidden_dropout);
    const Tensor n = before ? self_attn_layer_norm(x) : x;
    const Tensor a = out_proj(attend(split_heads(q_proj(n), head_dim), split_heads(k_proj(n), head_dim), split_heads(v_proj(n), head_dim), s));
    Tensor h = x + transformers::dropout(a, p);
    if (!before) h = self_attn_layer_norm(h);
    h = h + transformers::dropout(fc2(act(fc1(before ? final_layer_norm(h) : h))), p);
    return before ? h : final_layer_norm(h);
  }
};

struct OPTModel final : Model {
  OPTConfig c;
  Embedding embed_tokens, embed_positions;
  Linear project_in, project_out;
  std::optional<LayerNorm> final_layer_norm;
  std::vector<OPTLayer> layers;

  OPTModel(const Scope& root, const Json& json) : OPTModel(root / "decoder", json, 0) {}
  Outputs forward(const Inputs& in) const override {  // ids [B, T] -> last_hidden_state [B, T, E]
    Tensor x = embeds_or(in, embed_tokens);
    const Tensor positions = embed_positions(position_ids(in, x.dim(1)) + static_cast<double>(kPositionOffset));
    x = (project_in ? project_in(x) : x) + positions;
    Recorder recorder(in);
    const DecoderStep step{in, {}, causal_mask(in.tensor("attention_mask")), in.cache.get(), recorder};
    for (const OPTLayer& layer : layers) {
      recorder.hidden(x);
      if (in.training && c.layerdrop > 0 && next_uniform() < c.layerdrop) continue;
      x = layer(x, step);
    }
    if (final_layer_norm) x = (*final_layer_norm)(x);
    if (project_out) x = project_out(x);
    recorder.hidden(x);
    Outputs out;
    out.set("last_hidden_state", x);
    recorder.write(out);
    return out;
  }
  const Embedding* input_embeddings() const override { return &embed_tokens; }

 private:
  OPTModel(const Scope& w, const Json& json, int)
      : c(json), embed_tokens(w / "embed_tokens", c.vocab_size, c.word_embed_proj_dim, c.pad_token_id, Init::std(c.init_std)),
        embed_positions(w / "embed_positions", c.max_position_embeddings + kPositionOffset, c.hidden_size, -1, Init::std(c.init_std)) {
    config_ = json;
    if (c.word_embed_proj_dim != c.hidden_size) {
      project_in = c.linear(w / "project_in", c.word_embed_proj_dim, c.hidden_size, false);
      project_out = c.linear(w / "project_out", c.hidden_size, c.word_embed_proj_dim, false);
    }
    if (c.do_layer_norm_before && !c.remove_final_layer_norm) final_layer_norm = c.norm(w / "final_layer_norm");
    layers = make_layers<OPTLayer>(w / "layers", c.num_hidden_layers, c);
  }
  /// Number of seen tokens before each, -1 for padding.
  static Tensor position_ids(const Inputs& in, int64_t T) {
    const Tensor& mask = in.tensor("attention_mask");
    if (in.has("position_ids") || !mask.defined()) return positions_of(in, T);
    const Tensor seen = ne(mask, 0).to(DType::i64);
    return (cumsum(seen, 1) * seen - 1.0).slice(1, mask.dim(1) - T, mask.dim(1));
  }
};

}  // namespace

void register_opt(ModelRegistry& r) {
  const Factory backbone = make<OPTModel>();
  r.family("opt", "model")
      .add("OPTModel", backbone, {"AutoModel"})
      .add("OPTForCausalLM", causal_lm_head(backbone, {"model", "lm_head", false, false, true}), {"AutoModelForCausalLM"})
      .add("OPTForSequenceClassification", last_token_classifier(backbone), {"AutoModelForSequenceClassification"})
      .add("OPTForQuestionAnswering", question_answering_head(backbone, {"model", "qa_outputs"}), {"AutoModelForQuestionAnswering"});
}

}  // namespace transformers
