// The encoder-decoder frame of BART's family: multi-head attention with separate projections, layers with self- and
// cross-attention, pre- or post-norm. Users: bart, whisper and their siblings.
// B batch, T tokens, S cached + new tokens or encoder positions, C width, H heads, D = C / H.
#pragma once
#include <optional>

#include "nn/text.h"

namespace transformers {

/// What one side (encoder or decoder) looks like.
struct Seq2SeqSide {
  int64_t width = 0, heads = 1, ffn = 0, layers = 0;
  std::string activation = "gelu";
  double dropout = 0, attention_dropout = 0, activation_dropout = 0, layer_norm_eps = 1e-5;
  bool pre_norm = false;      ///< Norms before the blocks (Whisper, mBART) instead of after (BART).
  bool key_bias = true;       ///< Whisper's k_proj has none.
  bool bias = true;
  bool cross_attention = false;
};

/// What all layers of one call share.
struct Seq2SeqStep {
  const Inputs& in;
  AttentionOptions mask, cross_mask;
  Tensor encoder;             ///< [B, S, C] for cross-attention; undefined: that block is skipped.
  Recorder& recorder;
};

struct MultiHeadAttention {
  int64_t layer, head_dim;
  double dropout;
  Linear k_proj, v_proj, q_proj, out_proj;
  MultiHeadAttention(const Scope& w, const Seq2SeqSide& s, int64_t layer);
  Tensor self(const Tensor& x, const Seq2SeqStep& s) const;   ///< [B, T, C]; uses and fills the cache.
  Tensor cross(const Tensor& x, const Seq2SeqStep& s) const;  ///< Keys and values from s.encoder, kept in the cache.
};

struct Seq2SeqLayer {
  Seq2SeqSide side;
  MultiHeadAttention self_attn;
  LayerNorm self_attn_layer_norm;
  std::optional<MultiHeadAttention> encoder_attn;
  LayerNorm encoder_attn_layer_norm;
  Linear fc1, fc2;
  LayerNorm final_layer_norm;
  Activation act;
  Seq2SeqLayer(const Scope& w, const Seq2SeqSide& s, int64_t layer);
  Tensor operator()(const Tensor& x, const Seq2SeqStep& s) const;
};

/// Decoder inputs from labels: start token in front, the last one dropped, -100 becomes padding.
Tensor shift_tokens_right(const Tensor& ids, int64_t pad, int64_t start);
/// Rows of an endless table: sines of p / 10000^(i / (width / 2 - 1)) in the first half, cosines in the second; positions
/// int64 [B, T] -> f32 [B, T, width]; the row `zero_row` is zero (M2M100, Speech2Text).
Tensor sinusoids_of(const Tensor& positions, int64_t width, int64_t zero_row);
/// Encoder results of a call: "encoder_outputs" as given, else what `run` makes.
template <class F> Outputs encoder_outputs_or(const Inputs& in, F&& run) {
  if (const Value* given = in.find("encoder_outputs")) {
    Outputs out;
    if (given->is_tensor()) out.set("last_hidden_state", *given);
    else if (given->is_list()) out.set("last_hidden_state", given->list().at(0));
    else static_cast<Named&>(out) = given->named();
    return out;
  }
  return run();
}
/// The inputs of the decoder side: decoder_input_ids, decoder_attention_mask ... under the names of a text model.
Inputs decoder_inputs(const Inputs& in);
/// Copies the encoder's results under their encoder_ names and the decoder's under decoder_ names.
Outputs seq2seq_outputs(const Outputs& encoder, const Outputs& decoder);

}  // namespace transformers
