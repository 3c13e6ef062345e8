// GPT-2 decoder, also with cross-attention, and its heads. Reference: transformers/models/gpt2/modeling_gpt2.py.
// B batch, T new tokens, S cached + new tokens, C hidden (n_embd), H heads, D = C / H.
#include <cmath>

#include "models/heads.h"
#include "models/summary.h"

namespace transformers {
namespace {

struct GPT2Config : Config {
  using Config::Config;
  int64_t vocab_size = size("vocab_size", 50257);
  int64_t n_positions = size("n_positions", 1024);
  int64_t n_embd = size("n_embd", 768);
  int64_t n_layer = get("n_layer", 12);
  int64_t n_head = size("n_head", 12);
  int64_t n_inner = has("n_inner") ? size("n_inner", 1) : 4 * n_embd;
  std::string activation_function = get("activation_function", "gelu_new");
  double resid_pdrop = get("resid_pdrop", 0.1);
  double embd_pdrop = get("embd_pdrop", 0.1);
  double attn_pdrop = get("attn_pdrop", 0.1);
  double layer_norm_epsilon = get("layer_norm_epsilon", 1e-5);
  double initializer_range = get("initializer_range", 0.02);
  bool scale_attn_weights = get("scale_attn_weights", true);
  bool scale_attn_by_inverse_layer_idx = get("scale_attn_by_inverse_layer_idx", false);
  bool add_cross_attention = get("add_cross_attention", false);
  int64_t head_dim = divide_exactly("n_embd", n_embd, "n_head", n_head);
  /// Projections into the residual stream start smaller, by the depth.
  Init residual_init() const { return Init::std(initializer_range / std::sqrt(2.0 * static_cast<double>(n_layer))); }
  double scale(int64_t layer) const {
    const double s = scale_attn_weights ? 1 / std::sqrt(static_cast<double>(head_dim)) : 1;
    return scale_attn_by_inverse_layer_idx ? s / static_cast<double>(layer + 1) : s;
  }
};

struct GPT2Step {
  const Inputs& in;
  AttentionOptions mask, cross_mask;
  Tensor encoder;  // [B, S, C] or undefined
  Recorder& recorder;
};

struct GPT2Attention {
  int64_t layer, head_dim, width;
  double scale, attn_pdrop, resid_pdrop;
  bool is_cross;
  Linear c_attn, q_attn, c_proj;

  GPT2Attention(const Scope& w, const GPT2Config& c, int64_t index, bool cross)
      : layer(index),
        head_dim(c.head_dim),
        width(c.n_embd),
        scale(c.scale(index)),
        attn_pdrop(c.attn_pdrop),
        resid_pdrop(c.resid_pdrop),
        is_cross(cross),
        c_attn(Linear::conv1d(w / "c_attn", c.n_embd, (cross ? 2 : 3) * c.n_embd)),
        c_proj(Linear::conv1d(w / "c_proj", c.n_embd, c.n_embd, true, c.residual_init())) {
    if (cross) q_attn = Linear::conv1d(w / "q_attn", c.n_embd, c.n_embd);
    for (const char* name : {"bias", "masked_bias"}) w.ignore(name);  // causal mask buffers of old checkpoints
  }
  Tensor operator()(const Tensor& x, const GPT2Step& s) const {  // [B, T, C] -> [B, T, C]
    Tensor q, k, v;
    Cache* cache = s.in.cache.get();
    if (is_cross) {
      q = split_heads(q_attn(x), head_dim);  // [B, H, T, D]
      if (cache) std::tie(k, v) = cache->cross(layer);
      if (!k.defined()) {
        const Tensor kv = c_attn(s.encoder);
        k = split_heads(kv.narrow(2, 0, width), head_dim), v = split_heads(kv.narrow(2, width, width), head_dim);
        if (cache) cache->set_cross(layer, k, v);
      }
    } else {
      const Tensor qkv = c_attn(x);  // [B, T, 3C]
      q = split_heads(qkv.narrow(2, 0, width), head_dim);
      k = split_heads(qkv.narrow(2, width, width), head_dim),
      v = split_heads(qkv.narrow(2, 2 * width, width), head_dim);
      if (cache) std::tie(k, v) = cache->update(layer, k, v);  // [B, H, S, D]
    }
    AttentionOptions o = is_cross ? s.cross_mask : s.mask;
    o.scale = scale;
    o.dropout = s.in.dropout(attn_pdrop);
    o.head_mask = head_mask_of(s.in, layer);
    o.probabilities = is_cross ? s.recorder.cross_slot() : s.recorder.attention_slot();
    return dropout(c_proj(merge_heads(attention(q, k, v, o))), s.in.dropout(resid_pdrop));
  }
};

struct GPT2Block {
  LayerNorm ln_1, ln_2, ln_cross_attn;
  GPT2Attention attn;
  std::optional<GPT2Attention> crossattention;
  Linear c_fc, c_proj;
  Activation act;
  double resid_pdrop;

  GPT2Block(const Scope& w, const GPT2Config& c, int64_t layer)
      : ln_1(w / "ln_1", c.n_embd, c.layer_norm_epsilon),
        ln_2(w / "ln_2", c.n_embd, c.layer_norm_epsilon),
        attn(w / "attn", c, layer, false),
        c_fc(Linear::conv1d(w / "mlp" / "c_fc", c.n_embd, c.n_inner)),
        c_proj(Linear::conv1d(w / "mlp" / "c_proj", c.n_inner, c.n_embd, true, c.residual_init())),
        act(c.activation_function),
        resid_pdrop(c.resid_pdrop) {
    if (!c.add_cross_attention) return;
    crossattention.emplace(w / "crossattention", c, layer, true);
    ln_cross_attn = LayerNorm(w / "ln_cross_attn", c.n_embd, c.layer_norm_epsilon);
  }
  Tensor operator()(const Tensor& x, const GPT2Step& s) const {
    Tensor h = attn(ln_1(x), s) + x;
    if (s.encoder.defined()) {
      if (!crossattention)
        throw ValueError("encoder_hidden_states were given, but the config has add_cross_attention = false");
      h = h + (*crossattention)(ln_cross_attn(h), s);
    }
    return h + dropout(c_proj(act(c_fc(ln_2(h)))), s.in.dropout(resid_pdrop));
  }
};

struct GPT2Model final : Model {
  GPT2Config c;
  Embedding wte, wpe;
  std::vector<GPT2Block> h;
  LayerNorm ln_f;

  GPT2Model(const Scope& w, const Json& json)
      : c(json),
        wte(w / "wte", c.vocab_size, c.n_embd),
        wpe(w / "wpe", c.n_positions, c.n_embd),
        h(make_layers<GPT2Block>(w / "h", c.n_layer, c)),
        ln_f(w / "ln_f", c.n_embd, c.layer_norm_epsilon) {
    config_ = json;
  }
  /// ids [B, T], or [B, choices, T] as the double heads take them -> last_hidden_state of ids' shape + [C].
  Outputs forward(const Inputs& in) const override {
    Inputs flat = in;
    Shape shape;
    for (const char* name : {"input_ids", "token_type_ids", "position_ids"})
      if (const Tensor& t = in.tensor(name); t.defined() && t.rank() > 2) flat.set(name, t.reshape({-1, t.dim(-1)}));
    if (const Tensor& ids = in.tensor("input_ids"); ids.defined()) shape = ids.shape();
    Tensor x = embeds_or(flat, wte);
    const int64_t T = x.dim(1);
    const Tensor& mask = in.tensor("attention_mask");
    x = x + wpe(positions_of(flat, T));
    if (const Tensor& types = flat.tensor("token_type_ids"); types.defined()) x = x + wte(types);
    x = dropout(x, in.dropout(c.embd_pdrop));
    Recorder recorder(in);
    const GPT2Step step{in, causal_mask(mask.defined() && mask.rank() < 4 ? mask.reshape({x.dim(0), -1}) : mask),
                        padding_mask(in.tensor("encoder_attention_mask")), in.tensor("encoder_hidden_states"),
                        recorder};
    for (const GPT2Block& block : h) {
      recorder.hidden(x);
      x = block(x, step);
    }
    x = ln_f(x);
    if (shape.rank() > 2) {
      shape.push_back(c.n_embd);
      x = x.reshape(shape);
    }
    recorder.hidden(x);
    Outputs out;
    out.set("last_hidden_state", x);
    recorder.write(out);
    return out;
  }
  const Embedding* input_embeddings() const override { return &wte; }
};

/// Language modelling and multiple choice (RocStories).
struct GPT2DoubleHeadsModel final : HeadModel {
  Linear lm_head;
  SequenceSummary multiple_choice_head;
  GPT2DoubleHeadsModel(const Scope& w, const Json& json)
      : HeadModel(w, json, "transformer", make<GPT2Model>()),
        lm_head(base->input_embeddings()->weight(), Tensor()),
        multiple_choice_head(w / "multiple_choice_head",
                             with_defaults(json, {{"summary_type", "cls_index"},
                                                  {"summary_use_proj", true},
                                                  {"summary_proj_to_labels", true},
                                                  {"summary_first_dropout", 0.1}}),
                             GPT2Config(json).n_embd, 1) {
    if (json.get("tie_word_embeddings", true)) w.tie("lm_head.weight", base->input_embeddings()->name());
    else lm_head = Linear(w / "lm_head", GPT2Config(json).n_embd, GPT2Config(json).vocab_size, false);
  }
  Outputs forward(const Inputs& in) const override {  // ids [B, choices, T]
    const Outputs h = base->forward(in);
    const Tensor& x = h.tensor("last_hidden_state");
    const Tensor logits = lm_head(x);                                                          // [B, choices, T, V]
    const Tensor choice = multiple_choice_head(x, in.tensor("mc_token_ids"), in).squeeze(-1);  // [B, choices]
    const Tensor& labels = in.tensor("labels");
    Outputs out;
    if (labels.defined())
      out.set("loss", causal_lm_loss(logits.reshape({-1, logits.dim(-2), logits.dim(-1)}),
                                     labels.reshape({-1, labels.dim(-1)})));
    out.set("mc_loss", token_loss(choice, in.tensor("mc_labels"))).set("logits", logits).set("mc_logits", choice);
    pass_on(out, h);
    return out;
  }
  const Linear* output_embeddings() const override { return &lm_head; }
};

}  // namespace

void register_gpt2(ModelRegistry& r) {
  const Factory backbone = make<GPT2Model>();
  r.family("gpt2", "transformer")
      .add("GPT2Model", backbone, {"AutoModel"})
      .add("GPT2LMHeadModel", causal_lm_head(backbone, {"transformer", "lm_head", false, false, true}),
           {"AutoModelForCausalLM", "AutoModelForPreTraining", "AutoModelWithLMHead"})
      .add("GPT2DoubleHeadsModel", make<GPT2DoubleHeadsModel>())
      .add("GPT2ForSequenceClassification",
           last_token_classifier(backbone, {"transformer", "score", false, false, false}),
           {"AutoModelForSequenceClassification"})
      .add("GPT2ForTokenClassification", token_classifier(backbone, {"transformer", "classifier"}),
           {"AutoModelForTokenClassification"})
      .add("GPT2ForQuestionAnswering", question_answering_head(backbone, {"transformer", "qa_outputs"}),
           {"AutoModelForQuestionAnswering"});
}

}  // namespace transformers
