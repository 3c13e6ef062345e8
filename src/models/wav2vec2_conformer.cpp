// wav2vec 2.0 with Conformer blocks (arXiv 2005.08100). Reference:
// transformers/models/wav2vec2_conformer/modeling_wav2vec2_conformer.py. Letters as in wav2vec2.h; D head size.
#include <cmath>

#include "models/wav2vec2.h"

namespace transformers {
namespace {

// Positions F - 1 .. -(F - 1), one row each, sines and cosines in turn: [1, 2 F - 1, C].
Tensor relative_positions(int64_t F, int64_t C) {
  Tensor t = Tensor::empty({1, 2 * F - 1, C});
  float* row = t.mutable_data<float>();
  for (int64_t r = 0; r < 2 * F - 1; ++r, row += C)
    for (int64_t i = 0; i < C; ++i) {
      const float step =
          std::exp(static_cast<float>(i / 2 * 2) * static_cast<float>(-std::log(10000.0) / static_cast<double>(C)));
      const float angle = static_cast<float>(F - 1 - r) * step;
      row[i] = i % 2 == 0 ? std::sin(angle) : std::cos(angle);
    }
  return t;
}

struct FeedForward {
  Linear intermediate_dense, output_dense;
  Activation act;
  double inner_dropout, outer_dropout;
  FeedForward(const Scope& w, const Wav2Vec2Config& c)
      : intermediate_dense(w / "intermediate_dense", c.hidden_size, c.intermediate_size),
        output_dense(w / "output_dense", c.intermediate_size, c.hidden_size),
        act(c.hidden_act),
        inner_dropout(c.activation_dropout),
        outer_dropout(c.hidden_dropout) {}
  Tensor operator()(const Tensor& x, const Inputs& in) const {
    return dropout(output_dense(dropout(act(intermediate_dense(x)), in.dropout(inner_dropout))),
                   in.dropout(outer_dropout));
  }
};

struct ConvolutionModule {
  LayerNorm layer_norm;
  Conv pointwise_conv1, depthwise_conv, pointwise_conv2;
  BatchNorm batch_norm;
  Activation act;
  double p;
  ConvolutionModule(const Scope& w, const Wav2Vec2Config& c)
      : layer_norm(w / "layer_norm", c.hidden_size, 1e-5), act(c.hidden_act), p(c.get("conformer_conv_dropout", 0.1)) {
    const int64_t C = c.hidden_size, kernel = c.size("conv_depthwise_kernel_size", 31);
    if (kernel % 2 == 0)
      throw ConfigError("`config.conv_depthwise_kernel_size` should be a odd number for 'SAME' padding");
    const Init init{Init::kaiming_normal, -1, -1, {}};
    pointwise_conv1 = Conv(w / "pointwise_conv1", C, 2 * C, {1}, {}, false, init);
    depthwise_conv = Conv(w / "depthwise_conv", C, C, {kernel}, {.padding = {kernel / 2}, .groups = C}, false, init);
    batch_norm = BatchNorm(w / "batch_norm", C);
    pointwise_conv2 = Conv(w / "pointwise_conv2", C, C, {1}, {}, false, init);
  }
  Tensor operator()(const Tensor& x, const Inputs& in) const {
    const std::vector<Tensor> halves = pointwise_conv1(layer_norm(x).transpose(1, 2)).chunk(2, 1);  // [B, C, F] each
    const Tensor mixed = depthwise_conv(halves[0] * sigmoid(halves[1]));
    return dropout(pointwise_conv2(act(batch_norm(mixed, in.training))), in.dropout(p)).transpose(1, 2);
  }
};

struct Step {
  const Inputs& in;
  AttentionOptions mask;
  Tensor positions;  ///< "relative": [1, 2 F - 1, C]
  Tensor cos, sin;   ///< "rotary": [1, F, D]
  Recorder& recorder;
};

struct SelfAttention {
  int64_t heads, head_dim;
  double p;
  Linear linear_q, linear_k, linear_v, linear_out, linear_pos;
  Tensor pos_bias_u, pos_bias_v;  ///< [H, D]
  SelfAttention(const Scope& w, const Wav2Vec2Config& c, bool relative)
      : heads(c.num_attention_heads),
        head_dim(divide_exactly("hidden_size", c.hidden_size, "num_attention_heads", heads)),
        p(c.attention_dropout),
        linear_q(w / "linear_q", c.hidden_size, c.hidden_size),
        linear_k(w / "linear_k", c.hidden_size, c.hidden_size),
        linear_v(w / "linear_v", c.hidden_size, c.hidden_size),
        linear_out(w / "linear_out", c.hidden_size, c.hidden_size) {
    if (!relative) return;
    linear_pos = Linear(w / "linear_pos", c.hidden_size, c.hidden_size, false);
    const Init init{Init::xavier_uniform, -1, -1, {}};
    pos_bias_u = w.param("pos_bias_u", {heads, head_dim}, init),
    pos_bias_v = w.param("pos_bias_v", {heads, head_dim}, init);
  }
  Tensor operator()(const Tensor& x, const Step& s) const {
    const Tensor turned = s.cos.defined() ? merge_heads(apply_rope(split_heads(x, head_dim), s.cos, s.sin)) : x;
    Tensor q = split_heads(linear_q(turned), head_dim);  // [B, H, F, D]
    const Tensor k = split_heads(linear_k(turned), head_dim), v = split_heads(linear_v(x), head_dim);
    AttentionOptions o = s.mask;
    if (linear_pos) {
      o.bias = position_scores(q + pos_bias_v.unsqueeze(1), s.positions) / std::sqrt(static_cast<double>(head_dim));
      q = q + pos_bias_u.unsqueeze(1);
    }
    o.dropout = s.in.dropout(p);
    o.probabilities = s.recorder.attention_slot();
    return linear_out(merge_heads(attention(q, k, v, o)));
  }
  // Transformer-XL's scores by distance, shifted so that row t starts at the distance t: [B, H, F, F].
  Tensor position_scores(const Tensor& q, const Tensor& positions) const {
    const int64_t B = q.dim(0), F = q.dim(2), N = 2 * F - 1;
    const Tensor keys = split_heads(linear_pos(positions.to(q.dtype())), head_dim);  // [1, H, N, D]
    const Tensor scores = matmul(q, keys.transpose(2, 3));                           // [B, H, F, N]
    const Tensor padded = pad(scores, {1, 0}).reshape({B, heads, N + 1, F});
    return padded.slice(2, 1, N + 1).reshape({B, heads, F, N}).slice(3, 0, F);
  }
};

struct ConformerLayer {
  LayerNorm ffn1_layer_norm, self_attn_layer_norm, ffn2_layer_norm, final_layer_norm;
  FeedForward ffn1, ffn2;
  SelfAttention self_attn;
  ConvolutionModule conv_module;
  double p;
  ConformerLayer(const Scope& w, const Wav2Vec2Config& c, int64_t /*layer*/)
      : ffn1_layer_norm(w / "ffn1_layer_norm", c.hidden_size, 1e-5),
        self_attn_layer_norm(w / "self_attn_layer_norm", c.hidden_size, 1e-5),
        ffn2_layer_norm(w / "ffn2_layer_norm", c.hidden_size, 1e-5),
        final_layer_norm(w / "final_layer_norm", c.hidden_size, 1e-5),
        ffn1(w / "ffn1", c),
        ffn2(w / "ffn2", c),
        self_attn(w / "self_attn", c, c.get("position_embeddings_type", "relative") == "relative"),
        conv_module(w / "conv_module", c),
        p(c.attention_dropout) {}
  Tensor operator()(Tensor x, const Step& s) const {  // [B, F, C]
    x = ffn1(ffn1_layer_norm(x), s.in) * 0.5 + x;
    x = dropout(self_attn(self_attn_layer_norm(x), s), s.in.dropout(p)) + x;
    x = x + conv_module(x, s.in);
    return final_layer_norm(ffn2(ffn2_layer_norm(x), s.in) * 0.5 + x);
  }
};

struct ConformerEncoder final : SpeechEncoder {
  Wav2Vec2Config c;
  std::string kind;
  SpeechPositions pos_conv_embed;  // stored, and not used by the reference either
  LayerNorm layer_norm;
  std::vector<ConformerLayer> layers;
  ConformerEncoder(const Scope& w, const Wav2Vec2Config& config)
      : c(config),
        kind(c.get("position_embeddings_type", "relative")),
        pos_conv_embed(w / "pos_conv_embed", c),
        layer_norm(w / "layer_norm", c.hidden_size, c.layer_norm_eps),
        layers(make_layers<ConformerLayer>(w / "layers", c.num_hidden_layers, c)) {}

  Tensor operator()(Tensor x, const Tensor& frame_mask, const Inputs& in, Recorder& recorder) const override {
    if (frame_mask.defined()) x = masked_fill(x, logical_not(frame_mask).unsqueeze(-1), 0);
    x = dropout(x, in.dropout(c.hidden_dropout));
    const int64_t F = x.dim(1);
    Step step{in, padding_mask(frame_mask), {}, {}, {}, recorder};
    if (kind == "relative") step.positions = relative_positions(F, c.hidden_size);
    if (kind == "rotary") {
      const int64_t half = c.hidden_size / c.num_attention_heads / 2;
      const double base = c.get("rotary_embedding_base", 10000.0);
      Tensor angles = Tensor::empty({1, F, half});
      for (int64_t t = 0; t < F; ++t)
        for (int64_t i = 0; i < half; ++i)
          angles.mutable_data<float>()[t * half + i] =
              static_cast<float>(t) *
              static_cast<float>(1 / std::pow(base, static_cast<double>(i) / static_cast<double>(half)));
      const Tensor both = cat({angles, angles}, -1);
      step.cos = cos(both).to(x.dtype()), step.sin = sin(both).to(x.dtype());
    }
    for (const ConformerLayer& layer : layers) {
      recorder.hidden(x);
      if (in.training && c.layerdrop > 0 && next_uniform() < c.layerdrop) continue;
      x = layer(x, step);
    }
    x = layer_norm(x);
    recorder.hidden(x);
    return x;
  }
};

Wav2Vec2Config conformer_config(const Json& json) {
  Wav2Vec2Config c(json);
  c.adapter_attn_dim = 0;
  c.make_encoder = [](const Scope& w, const Wav2Vec2Config& config) {
    return std::make_unique<ConformerEncoder>(w, config);
  };
  return c;
}

}  // namespace

void register_wav2vec2_conformer(ModelRegistry& r) {
  ModelFamily& f = r.family("wav2vec2-conformer", "wav2vec2_conformer");
  add_speech_family(f, "Wav2Vec2Conformer", "wav2vec2_conformer", conformer_config,
                    {"ForCTC", "ForSequenceClassification", "ForAudioFrameClassification", "ForXVector"});
  f.add("Wav2Vec2ConformerForPreTraining", speech_pretraining_head("wav2vec2_conformer", conformer_config),
        {"AutoModelForPreTraining"});
}

}  // namespace transformers
