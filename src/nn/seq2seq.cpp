// The encoder-decoder frame. Reference: transformers/models/bart/modeling_bart.py.
#include "nn/seq2seq.h"

#include <cmath>

namespace transformers {

MultiHeadAttention::MultiHeadAttention(const Scope& w, const Seq2SeqSide& s, int64_t index)
    : layer(index), head_dim(s.heads > 0 && s.width % s.heads == 0 ? s.width / s.heads : 0), dropout(s.attention_dropout) {
  if (head_dim < 1) throw ConfigError({"config: width ", s.width, " is not a multiple of ", s.heads, " attention heads at ", w.path()});
  k_proj = Linear(w / "k_proj", s.width, s.width, s.bias && s.key_bias);
  v_proj = Linear(w / "v_proj", s.width, s.width, s.bias);
  q_proj = Linear(w / "q_proj", s.width, s.width, s.bias);
  out_proj = Linear(w / "out_proj", s.width, s.width, s.bias);
}

Tensor MultiHeadAttention::self(const Tensor& x, const Seq2SeqStep& s) const {
  const Tensor q = split_heads(q_proj(x), head_dim);                                   // [B, H, T, D]
  Tensor k = split_heads(k_proj(x), head_dim), v = split_heads(v_proj(x), head_dim);
  if (s.mask.causal && s.in.cache) std::tie(k, v) = s.in.cache->update(layer, k, v);   // [B, H, S, D]
  AttentionOptions o = s.mask;
  o.dropout = s.in.dropout(dropout);
  o.head_mask = head_mask_of(s.in, layer);
  o.probabilities = s.recorder.attention_slot();
  return out_proj(merge_heads(attention(q, k, v, o)));
}

Tensor MultiHeadAttention::cross(const Tensor& x, const Seq2SeqStep& s) const {
  const Tensor q = split_heads(q_proj(x), head_dim);
  Tensor k, v;
  if (s.in.cache) std::tie(k, v) = s.in.cache->cross(layer);
  if (!k.defined()) {
    k = split_heads(k_proj(s.encoder), head_dim), v = split_heads(v_proj(s.encoder), head_dim);
    if (s.in.cache) k = k.contiguous(), v = v.contiguous(), s.in.cache->set_cross(layer, k, v);
  }
  AttentionOptions o = s.cross_mask;
  o.dropout = s.in.dropout(dropout);
  o.head_mask = head_mask_of(s.in, layer, "cross_attn_head_mask");
  o.probabilities = s.recorder.cross_slot();
  return out_proj(merge_heads(attention(q, k, v, o)));
}

Seq2SeqLayer::Seq2SeqLayer(const Scope& w, const Seq2SeqSide& s, int64_t index)
    : side(s), self_attn(w / "self_attn", s, index), self_attn_layer_norm(w / "self_attn_layer_norm", s.width, s.layer_norm_eps), act(s.activation) {
  if (s.cross_attention) {
    encoder_attn.emplace(w / "encoder_attn", s, index);
    encoder_attn_layer_norm = LayerNorm(w / "encoder_attn_layer_norm", s.width, s.layer_norm_eps);
  }
  fc1 = Linear(w / "fc1", s.width, s.ffn, s.bias);
  fc2 = Linear(w / "fc2", s.ffn, s.width, s.bias);
  final_layer_norm = LayerNorm(w / "final_layer_norm", s.width, s.layer_norm_eps);
}

Tensor Seq2SeqLayer::operator()(const Tensor& input, const Seq2SeqStep& s) const {
  // One block: norm before or after, dropout, residual.
  const auto block = [&](const Tensor& x, const LayerNorm& norm, const auto& f) {
    const Tensor y = x + dropout(f(side.pre_norm ? norm(x) : x), s.in.dropout(side.dropout));
    return side.pre_norm ? y : norm(y);
  };
  Tensor x = block(input, self_attn_layer_norm, [&](const Tensor& h) { return self_attn.self(h, s); });
  if (encoder_attn && (s.encoder.defined() || (s.in.cache && s.in.cache->cross(self_attn.layer).first.defined())))
    x = block(x, encoder_attn_layer_norm, [&](const Tensor& h) { return encoder_attn->cross(h, s); });
  return block(x, final_layer_norm, [&](const Tensor& h) { return fc2(dropout(act(fc1(h)), s.in.dropout(side.activation_dropout))); });
}

Tensor shift_tokens_right(const Tensor& ids, int64_t pad, int64_t start) {
  const int64_t B = ids.dim(0), T = ids.dim(1);
  const Tensor first = Tensor::full({B, 1}, static_cast<double>(start), DType::i64);
  const Tensor shifted = cat({first, ids.slice(1, 0, T - 1)}, 1);
  return masked_fill(shifted, eq(shifted, -100), static_cast<double>(pad));
}

Tensor sinusoids_of(const Tensor& positions, int64_t width, int64_t zero_row) {
  const std::vector<int64_t> p = positions.to_ints();
  Shape shape = positions.shape();
  shape.push_back(width);
  Tensor t = Tensor::zeros(shape);  // an odd width ends in a zero
  const int64_t half = width / 2;
  const float step = static_cast<float>(std::log(10000.0) / static_cast<double>(half - 1));
  float* row = t.mutable_data<float>();
  for (size_t n = 0; n < p.size(); ++n, row += width)
    for (int64_t i = 0; i < half && p[n] != zero_row; ++i) {
      const float angle = static_cast<float>(p[n]) * std::exp(static_cast<float>(i) * -step);
      row[i] = std::sin(angle), row[half + i] = std::cos(angle);
    }
  return t;
}

Inputs decoder_inputs(const Inputs& in) {
  Inputs d;
  d.output_hidden_states = in.output_hidden_states, d.output_attentions = in.output_attentions;
  d.training = in.training, d.cache = in.cache;
  d.set("input_ids", in.tensor("decoder_input_ids")).set("inputs_embeds", in.tensor("decoder_inputs_embeds"));
  d.set("attention_mask", in.tensor("decoder_attention_mask")).set("position_ids", in.tensor("decoder_position_ids"));
  d.set("head_mask", in.tensor("decoder_head_mask")).set("cross_attn_head_mask", in.tensor("cross_attn_head_mask"));
  return d;
}

Outputs seq2seq_outputs(const Outputs& encoder, const Outputs& decoder) {
  Outputs out;
  out.set("last_hidden_state", decoder.tensor("last_hidden_state"));
  if (const Value* v = decoder.find("hidden_states")) out.set("decoder_hidden_states", *v);
  if (const Value* v = decoder.find("attentions")) out.set("decoder_attentions", *v);
  if (const Value* v = decoder.find("cross_attentions")) out.set("cross_attentions", *v);
  out.set("encoder_last_hidden_state", encoder.tensor("last_hidden_state"));
  if (const Value* v = encoder.find("hidden_states")) out.set("encoder_hidden_states", *v);
  if (const Value* v = encoder.find("attentions")) out.set("encoder_attentions", *v);
  return out;
}

}  // namespace transformers
