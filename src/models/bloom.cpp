// BLOOM: ALiBi instead of positions, fused projections, normed embeddings. Reference: transformers/models/bloom/modeling_bloom.py.
// B batch, T new tokens, S cached + new tokens, C hidden, H heads, D head size.
#include <cmath>

#include "models/heads.h"
#include "models/llama.h"

namespace transformers {
namespace {

struct BloomConfig : Config {
  using Config::Config;
  int64_t vocab_size = size("vocab_size", 250880);
  int64_t hidden_size = has("n_embed") ? size("n_embed", 64) : size("hidden_size", 64);
  int64_t n_layer = get("n_layer", 2);
  int64_t n_head = size("n_head", 8);
  double layer_norm_epsilon = get("layer_norm_epsilon", 1e-5);
  double hidden_dropout = get("hidden_dropout", 0.0);
  double attention_dropout = get("attention_dropout", 0.0);
  bool apply_residual_connection_post_layernorm = get("apply_residual_connection_post_layernorm", false);
  int64_t head_dim = divide_exactly("hidden_size", hidden_size, "n_head", n_head);
};

struct BloomBlock : RopeAttention {
  LayerNorm input_layernorm, post_attention_layernorm;
  Linear query_key_value, dense, dense_h_to_4h, dense_4h_to_h;
  double hidden_dropout;
  bool post_layernorm;
  BloomBlock(const Scope& w, const BloomConfig& c, int64_t index)
      : RopeAttention(index, c.head_dim, c.attention_dropout), input_layernorm(w / "input_layernorm", c.hidden_size, c.layer_norm_epsilon),
        post_attention_layernorm(w / "post_attention_layernorm", c.hidden_size, c.layer_norm_epsilon),
        query_key_value(w / "self_attention" / "query_key_value", c.hidden_size, 3 * c.hidden_size), dense(w / "self_attention" / "dense", c.hidden_size, c.hidden_size),
        dense_h_to_4h(w / "mlp" / "dense_h_to_4h", c.hidden_size, 4 * c.hidden_size), dense_4h_to_h(w / "mlp" / "dense_4h_to_h", 4 * c.hidden_size, c.hidden_size),
        hidden_dropout(c.hidden_dropout), post_layernorm(c.apply_residual_connection_post_layernorm) {}
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const double p = s.in.dropout(hidden_dropout);
    const Tensor n = input_layernorm(x), qkv = split_heads(query_key_value(n), 3 * head_dim);  // [B, H, T, 3D]
    const Tensor a = dense(attend(qkv.narrow(-1, 0, head_dim), qkv.narrow(-1, head_dim, head_dim), qkv.narrow(-1, 2 * head_dim, head_dim), s));
    const Tensor h = transformers::dropout(a, p) + (post_layernorm ? n : x);
    const Tensor m = post_attention_layernorm(h);
    return transformers::dropout(dense_4h_to_h(gelu_tanh(dense_h_to_4h(m))), p) + (post_layernorm ? m : h);
  }
};

/// Slope of every head: powers of 2^(-8 / H), with the odd powers of the next finer series for heads beyond a power of two.
std::vector<float> alibi_slopes(int64_t heads) {
  const int64_t power = int64_t{1} << static_cast<int64_t>(std::floor(std::log2(static_cast<double>(heads))));
  std::vector<float> slopes;
  const auto base = [](int64_t n) { return static_cast<float>(std::pow(2.0, -std::pow(2.0, -(std::log2(static_cast<double>(n)) - 3)))); };
  for (int64_t i = 1; i <= power; ++i) slopes.push_back(std::pow(base(power), static_cast<float>(i)));
  for (int64_t i = 1; static_cast<int64_t>(slopes.size()) < heads; i += 2) slopes.push_back(std::pow(base(2 * power), static_cast<float>(i)));
  return slopes;
}

struct BloomModel final : Model {
  BloomConfig c;
  Embedding word_embeddings;
  LayerNorm word_embeddings_layernorm, ln_f;
  std::vector<BloomBlock> h;
  BloomModel(const Scope& w, const Json& json)
      : c(json), word_embeddings(w / "word_embeddings", c.vocab_size, c.hidden_size), word_embeddings_layernorm(w / "word_embeddings_layernorm", c.hidden_size, c.layer_norm_epsilon),
        ln_f(w / "ln_f", c.hidden_size, c.layer_norm_epsilon), h(make_layers<BloomBlock>(w / "h", c.n_layer, c)) {
    config_ = json;
  }
  Outputs forward(const Inputs& in) const override {  // ids [B, T] -> last_hidden_state [B, T, C]
    Tensor x = word_embeddings_layernorm(embeds_or(in, word_embeddings));
    const Tensor& mask = in.tensor("attention_mask");
    Recorder recorder(in);
    AttentionOptions o = causal_mask(mask);
    const Tensor seen = mask.defined() ? ne(mask, 0).to(DType::f32) : Tensor::full({x.dim(0), past_length(in) + x.dim(1)}, 1);  // [B, S]
    const Tensor distance = (cumsum(seen, -1) - 1.0) * seen;
    o.bias = Tensor::from(alibi_slopes(c.n_head)).reshape({1, -1, 1, 1}) * distance.unsqueeze(1).unsqueeze(1);                  // [B, H, 1, S]
    const DecoderStep step{in, {}, o, in.cache.get(), recorder};
    for (const BloomBlock& block : h) {
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
  const Embedding* input_embeddings() const override { return &word_embeddings; }
};

}  // namespace

void register_bloom(ModelRegistry& r) {
  const Factory backbone = make<BloomModel>();
  r.family("bloom", "transformer")
      .add("BloomModel", backbone, {"AutoModel"})
      .add("BloomForCausalLM", causal_lm_head(backbone, {"transformer", "lm_head", false, false, true}), {"AutoModelForCausalLM", "AutoModelForPreTraining", "AutoModelWithLMHead"})
      .add("BloomForSequenceClassification", last_token_classifier(backbone, {"transformer", "score", false, false, false}), {"AutoModelForSequenceClassification"})
      .add("BloomForTokenClassification", token_classifier(backbone, {"transformer", "classifier"}), {"AutoModelForTokenClassification"})
      .add("BloomForQuestionAnswering", question_answering_head(backbone, {"transformer", "qa_outputs"}), {"AutoModelForQuestionAnswering"});
}

}  // namespace transformers
