// WavLM: wav2vec 2.0 with a gated relative position bias. Reference: transformers/models/wavlm/modeling_wavlm.py.
// Letters as in wav2vec2.h.
#include <cmath>

#include "models/wav2vec2.h"

namespace transformers {

GatedPositionBias::GatedPositionBias(const Scope& w, const Wav2Vec2Config& c, bool has_table)
    : heads(c.num_attention_heads), buckets(c.num_buckets), max_distance(c.max_bucket_distance),
      gru_rel_pos_const(w.param("gru_rel_pos_const", {1, heads, 1, 1}, Init::one())),
      gru_rel_pos_linear(w / "gru_rel_pos_linear", divide_exactly("hidden_size", c.hidden_size, "num_attention_heads", heads), 8) {
  if (buckets < 4 || max_distance <= buckets / 4) throw ConfigError({"config: num_buckets ", buckets, " and max_bucket_distance ", max_distance, " leave no room for far positions"});
  if (has_table) rel_attn_embed = Embedding(w / "rel_attn_embed", buckets, heads, -1, Init::std(1));
}

Tensor GatedPositionBias::table(int64_t F) const {
  const int64_t half = buckets / 2, exact = half / 2;
  const auto bucket = [&](int64_t distance) {  // near ones exactly, far ones on a logarithmic scale, by direction
    const int64_t base = distance > 0 ? half : 0, n = std::abs(distance);
    if (n < exact) return base + n;
    const float far = std::log(static_cast<float>(n) / static_cast<float>(exact)) / static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
    return base + std::min(static_cast<int64_t>(static_cast<float>(exact) + far * static_cast<float>(half - exact)), half - 1);
  };
  std::vector<int64_t> ids;
  ids.reserve(static_cast<size_t>(F * F));
  for (int64_t t = 0; t < F; ++t)
    for (int64_t s = 0; s < F; ++s) ids.push_back(bucket(s - t));
  return rel_attn_embed(Tensor::from(ids, {F, F})).permute({2, 0, 1}).unsqueeze(0);
}

Tensor GatedPositionBias::gated(const Tensor& x, const Tensor& table) const {
  const Tensor pieces = split_heads(x, x.dim(2) / heads);  // [B, H, F, D]
  const Tensor scores = sum(gru_rel_pos_linear(pieces).reshape({x.dim(0), heads, x.dim(1), 2, 4}), {-1});
  const Tensor gates = sigmoid(scores);  // [B, H, F, 2]
  const Tensor a = gates.slice(-1, 0, 1), b = gates.slice(-1, 1, 2);
  return (a * (b * gru_rel_pos_const - 1.0) + 2.0) * table;
}

static Wav2Vec2Config wavlm_config(const Json& json) {
  Wav2Vec2Config c(json);
  c.num_buckets = c.size("num_buckets", 320), c.max_bucket_distance = c.size("max_bucket_distance", 800);
  c.adapter_attn_dim = 0;
  return c;
}

void register_wavlm(ModelRegistry& r) {
  add_speech_family(r.family("wavlm", "wavlm"), "WavLM", "wavlm", wavlm_config, {"ForCTC", "ForSequenceClassification", "ForAudioFrameClassification", "ForXVector"});
}

}  // namespace transformers
