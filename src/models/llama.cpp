// Llama 1-3 decoder. Reference: transformers/models/llama/modeling_llama.py.
#include "models/llama.h"

#include "models/heads.h"

namespace transformers {

int64_t LlamaConfig::window(int64_t layer) const {
  if (layer_types.empty()) return sliding_window;
  if (layer >= static_cast<int64_t>(layer_types.size())) throw ConfigError({"config: layer_types has ", layer_types.size(), " entries for ", num_hidden_layers, " layers"});
  return layer_types[static_cast<size_t>(layer)] == "sliding_attention" ? sliding_window : 0;
}

RopeAttention::RopeAttention(const LlamaConfig& c, int64_t index)
    : layer(index), head_dim(c.head_dim), window(c.window(index)), scale(c.attention_scale), softcap(c.attention_softcap), dropout(c.attention_dropout),
      interleaved(c.interleaved_rope) {
  divide_exactly("num_attention_heads", c.num_attention_heads, "num_key_value_heads", c.num_key_value_heads);
}

Tensor RopeAttention::attend(const Tensor& q_in, const Tensor& k_in, const Tensor& v, const DecoderStep& s) const {
  const auto rotate = [&](const Tensor& x) { return s.rope.cos.defined() ? apply_rope(x, s.rope.cos, s.rope.sin, interleaved) : x; };
  const Tensor q = rotate(q_in), k = rotate(k_in);
  const auto [keys, values] = s.cache ? s.cache->update(layer, k, v) : std::pair(k, v);  // [B, K, S, D]
  AttentionOptions o = s.mask;
  o.window = window;
  o.scale = scale;
  o.softcap = softcap;
  o.dropout = s.in.dropout(dropout);
  o.head_mask = head_mask_of(s.in, layer);
  o.probabilities = s.recorder.attention_slot();
  return merge_heads(attention(q, keys, values, o));
}

LlamaAttention::LlamaAttention(const Scope& w, const LlamaConfig& c, int64_t index)
    : RopeAttention(c, index), q_proj(w / "q_proj", c.hidden_size, c.num_attention_heads * head_dim, c.qkv_bias()),
      k_proj(w / "k_proj", c.hidden_size, c.num_key_value_heads * head_dim, c.qkv_bias()),
      v_proj(w / "v_proj", c.hidden_size, c.num_key_value_heads * head_dim, c.qkv_bias()),
      o_proj(w / "o_proj", c.num_attention_heads * head_dim, c.hidden_size, c.attention_bias) {
  if (!c.qk_norm) return;
  q_norm.emplace(w / "q_norm", head_dim, c.rms_norm_eps);
  k_norm.emplace(w / "k_norm", head_dim, c.rms_norm_eps);
}

Tensor LlamaAttention::operator()(const Tensor& x, const DecoderStep& s) const {      // [B, T, C] -> [B, T, C]
  Tensor q = split_heads(q_proj(x), head_dim), k = split_heads(k_proj(x), head_dim);  // [B, H, T, D], [B, K, T, D]
  if (q_norm) q = (*q_norm)(q), k = (*k_norm)(k);
  return o_proj(attend(q, k, split_heads(v_proj(x), head_dim), s));
}

LlamaMlp::LlamaMlp(const Scope& w, const LlamaConfig& c)
    : gate_proj(w / "gate_proj", c.hidden_size, c.intermediate_size, c.mlp_bias),
      up_proj(w / "up_proj", c.hidden_size, c.intermediate_size, c.mlp_bias),
      down_proj(w / "down_proj", c.intermediate_size, c.hidden_size, c.mlp_bias), act(c.hidden_act) {}

void add_decoder_classes(ModelFamily& family, const std::string& name, const Factory& backbone, const std::string& heads) {
  family.add(name + "Model", backbone, {"AutoModel"});
  for (const char head : heads) {
    const HeadNames lm{"model", "lm_head", false, false, head == 'C'};
    if (head == 'c' || head == 'C') family.add(name + "ForCausalLM", causal_lm_head(backbone, lm), {"AutoModelForCausalLM"});
    if (head == 's') family.add(name + "ForSequenceClassification", last_token_classifier(backbone), {"AutoModelForSequenceClassification"});
    if (head == 't') family.add(name + "ForTokenClassification", token_classifier(backbone, {"model", "score"}), {"AutoModelForTokenClassification"});
    if (head == 'q') family.add(name + "ForQuestionAnswering", question_answering_head(backbone, {"model", "qa_outputs"}), {"AutoModelForQuestionAnswering"});
  }
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
