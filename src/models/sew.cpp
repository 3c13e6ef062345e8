// SEW: wav2vec 2.0 whose encoder works on squeezed frames. Reference: transformers/models/sew/modeling_sew.py.
// B batch, F frames, S = F / squeeze factor, C hidden.
#include "models/wav2vec2.h"

namespace transformers {
namespace {

struct SewEncoder final : SpeechEncoder {
  Wav2Vec2Config c;
  SpeechPositions pos_conv_embed;
  LayerNorm layer_norm;
  std::vector<Wav2Vec2Layer> layers;
  Linear upsample;
  Activation act;
  SewEncoder(const Scope& w, const Wav2Vec2Config& config)
      : c(config),
        pos_conv_embed(w / "pos_conv_embed", c),
        layer_norm(w / "layer_norm", c.hidden_size, c.layer_norm_eps),
        layers(make_layers<Wav2Vec2Layer>(w / "layers", c.num_hidden_layers, c)),
        upsample(w / "upsample.projection", c.hidden_size, c.hidden_size * c.squeeze_factor),
        act(c.feat_extract_activation) {}

  Tensor operator()(Tensor x, const Tensor& frame_mask, const Inputs& in, Recorder& recorder) const override {
    const int64_t F = x.dim(1), S = F / c.squeeze_factor;
    if (S < 1)
      throw ValueError({"input_values: ", F, " frames are too few for a squeeze_factor of ", c.squeeze_factor});
    Tensor squeezed_mask;
    if (frame_mask.defined()) {
      x = masked_fill(x, logical_not(frame_mask).unsqueeze(-1), 0);
      const Tensor counts =
          floor_divide(sum(frame_mask, {1}, true), Tensor::scalar(static_cast<double>(c.squeeze_factor), DType::i64));
      squeezed_mask = lt(arange(S).unsqueeze(0), counts);  // [B, S]
    }
    const Tensor positions = pos_conv_embed(x, in.training);  // [B, S, C]
    const Tensor pooled = avg_pool(x.transpose(1, 2), {.kernel = {c.squeeze_factor}}).transpose(1, 2);
    x = dropout(layer_norm(pooled + positions), in.dropout(c.hidden_dropout));
    const Seq2SeqStep step{in, padding_mask(squeezed_mask), {}, {}, recorder};
    for (const Wav2Vec2Layer& layer : layers) {
      recorder.hidden(x);
      if (in.training && c.layerdrop > 0 && next_uniform() < c.layerdrop) continue;
      x = layer(x, step);
    }
    recorder.hidden(x);
    x = act(upsample(x)).reshape({x.dim(0), S * c.squeeze_factor, c.hidden_size});
    return x.dim(1) < F ? pad(x, {0, 0, 0, F - x.dim(1)}) : x;
  }
};

Wav2Vec2Config sew_config(const Json& json) {
  Wav2Vec2Config c(with_defaults(
      json, {{"conv_dim", Json(Json::Array{64, 128, 128, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512})},
             {"conv_stride", Json(Json::Array{5, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1})},
             {"conv_kernel", Json(Json::Array{10, 3, 1, 3, 1, 3, 1, 3, 1, 2, 1, 2, 1})}}));
  c.json = with_defaults(json, {{"ctc_loss_reduction", "mean"}});
  c.squeeze_factor = c.size("squeeze_factor", 2);
  c.flat_projection = true;
  c.do_stable_layer_norm = c.add_adapter = c.returns_features = false;
  c.adapter_attn_dim = 0;
  c.make_encoder = [](const Scope& w, const Wav2Vec2Config& config) { return std::make_unique<SewEncoder>(w, config); };
  return c;
}

}  // namespace

void register_sew(ModelRegistry& r) {
  add_speech_family(r.family("sew", "sew"), "SEW", "sew", sew_config, {"ForCTC", "ForSequenceClassification"});
}

}  // namespace transformers
