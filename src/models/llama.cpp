// Llama 1-3 decoder. Reference: transformers/models/llama/modeling_llama.py.
#include "models/llama.h"

#include "models/heads.h"

namespace transformers {

LlamaAttention::LlamaAttention(const Scope& w, const LlamaConfig& c, int64_t index)
    : layer(index), head_dim(c.head_dim), scale(c.attention_scale), dropout(c.attention_dropout),
      q_proj(w / "q_proj", c.hidden_size, c.num_attention_heads * head_dim, c.qkv_bias()),
      k_proj(w / "k_proj", c.hidden_size, c.num_key_value_heads * head_dim, c.qkv_bias()),
      v_proj(w / "v_proj", c.hidden_size, c.num_key_value_heads * head_dim, c.qkv_bias()),
      o_proj(w / "o_proj", c.num_attention_heads * head_dim, c.hidden_size, c.attention_bias) {
  divide_exactly("num_attention_heads", c.num_attention_heads, "num_key_value_heads", c.num_key_value_heads);
}

Tensor LlamaAttention::operator()(const Tensor& x, const DecoderStep& s) const {             // [B, T, C] -> [B, T, C]
  const Tensor q = apply_rope(split_heads(q_proj(x), head_dim), s.rope.cos, s.rope.sin);     // [B, H, T, D]
  const Tensor k = apply_rope(split_heads(k_proj(x), head_dim), s.rope.cos, s.rope.sin);     // [B, K, T, D]
  const Tensor v = split_heads(v_proj(x), head_dim);                                         // [B, K, T, D]
  const auto [keys, values] = s.cache ? s.cache->update(layer, k, v) : std::pair(k, v);      // [B, K, S, D]
  AttentionOptions o = s.mask;
  o.scale = scale;
  o.dropout = s.in.dropout(dropout);
  o.probabilities = s.recorder.attention_slot();
  return o_proj(merge_heads(attention(q, keys, values, o)));
}

LlamaMlp::LlamaMlp(const Scope& w, const LlamaConfig& c)
    : gate_proj(w / "gate_proj", c.hidden_size, c.intermediate_size, c.mlp_bias),
      up_proj(w / "up_proj", c.hidden_size, c.intermediate_size, c.mlp_bias),
      down_proj(w / "down_proj", c.intermediate_size, c.hidden_size, c.mlp_bias), act(c.hidden_act) {}

LlamaLayer::LlamaLayer(const Scope& w, const LlamaConfig& c, int64_t index)
    : input_layernorm(w / "input_layernorm", c.hidden_size, c.rms_norm_eps),
      post_attention_layernorm(w / "post_attention_layernorm", c.hidden_size, c.rms_norm_eps),
      self_attn(w / "self_attn", c, index), mlp(w / "mlp", c) {}

Tensor LlamaLayer::operator()(const Tensor& x, const DecoderStep& s) const {
  const Tensor h = x + self_attn(input_layernorm(x), s);
  return h + mlp(post_attention_layernorm(h));
}

LlamaModel::LlamaModel(const Scope& w, const Json& json)
    : c(json), embed_tokens(w / "embed_tokens", c.vocab_size, c.hidden_size, json.get("pad_token_id", -1)),
      layers(make_layers<LlamaLayer>(w / "layers", c.num_hidden_layers, c)), norm(w / "norm", c.hidden_size, c.rms_norm_eps),
      rotary(json, c.head_dim) {
  config_ = json;
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) w.ignore("layers." + std::to_string(i) + ".self_attn.rotary_emb.inv_freq");
}

Outputs LlamaModel::forward(const Inputs& in) const {  // ids [B, T] -> last_hidden_state [B, T, C]
  Tensor x = embeds_or(in, embed_tokens);
  Recorder recorder(in);
  const DecoderStep step{in, rotary.at(positions_of(in, x.dim(1))), causal_mask(in.tensor("attention_mask"), c.sliding_window),
                         in.cache.get(), recorder};
  for (const LlamaLayer& layer : layers) {
    recorder.hidden(x);
    x = layer(x, step);
  }
  x = norm(x);
  recorder.hidden(x);  // as in the reference, the last of hidden_states is the normed one
  Outputs out;
  out.set("last_hidden_state", x);
  recorder.write(out);
  return out;
}

void register_llama(ModelRegistry& r) {
  const Factory backbone = make<LlamaModel>();
  r.family("llama", "model")
      .add("LlamaModel", backbone, {"AutoModel", "AutoModelForTextEncoding"})
      .add("LlamaForCausalLM", causal_lm_head(backbone), {"AutoModelForCausalLM"})
      .add("LlamaForSequenceClassification", last_token_classifier(backbone), {"AutoModelForSequenceClassification"})
      .add("LlamaForTokenClassification", token_classifier(backbone, {"model", "score"}), {"AutoModelForTokenClassification"})
      .add("LlamaForQuestionAnswering", question_answering_head(backbone, {"transformer", "qa_outputs"}), {"AutoModelForQuestionAnswering"}, "transformer");
}

}  // namespace transformers
