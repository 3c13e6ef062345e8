// DETR's layers and position embeddings. Reference: transformers/models/detr/modeling_detr.py.
#include <cmath>

#include "models/detr.h"

namespace transformers {

DetectionLoss DetrConfig::loss() const {
  DetectionLoss l;
  l.num_labels = transformers::num_labels(json);
  l.class_cost = get("class_cost", 1.0), l.bbox_cost = get("bbox_cost", 5.0), l.giou_cost = get("giou_cost", 2.0);
  l.bbox_coefficient = get("bbox_loss_coefficient", 5.0), l.giou_coefficient = get("giou_loss_coefficient", 2.0);
  l.mask_coefficient = get("mask_loss_coefficient", 1.0), l.dice_coefficient = get("dice_loss_coefficient", 1.0);
  l.eos_coefficient = get("eos_coefficient", 0.1);
  return l;
}

DetrAttention::DetrAttention(const Scope& w, int64_t width, int64_t heads, double p)
    : head_dim(divide_exactly("d_model", width, "attention heads", heads)), dropout(p), k_proj(w / "k_proj", width, width),
      v_proj(w / "v_proj", width, width), q_proj(w / "q_proj", width, width), out_proj(w / "out_proj", width, width) {}

Tensor DetrAttention::operator()(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionOptions& mask, const Inputs& in,
                                 Tensor* probabilities) const {
  AttentionOptions o = mask;
  o.dropout = in.dropout(dropout), o.probabilities = probabilities;
  const Tensor q = split_heads(q_proj(query), head_dim), k = split_heads(k_proj(key), head_dim);
  return out_proj(merge_heads(attention(q, k, split_heads(v_proj(value), head_dim), o)));
}

DetrFeedForward::DetrFeedForward(const Scope& w, const DetrConfig& c, int64_t inner)
    : fc1(w / "fc1", c.d_model, inner), fc2(w / "fc2", inner, c.d_model), act(c.activation_function), p(c.dropout), activation_p(c.activation_dropout) {}
Tensor DetrFeedForward::operator()(const Tensor& x, const Inputs& in) const {
  return dropout(fc2(dropout(act(fc1(x)), in.dropout(activation_p))), in.dropout(p));
}

DetrEncoderLayer::DetrEncoderLayer(const Scope& w, const DetrConfig& c, int64_t)
    : self_attn(w / "self_attn", c.d_model, c.encoder_attention_heads, c.attention_dropout),
      self_attn_layer_norm(w / "self_attn_layer_norm", c.d_model, 1e-5), final_layer_norm(w / "final_layer_norm", c.d_model, 1e-5),
      feed_forward(w, c, c.encoder_ffn_dim), p(c.dropout), pre_norm(c.pre_norm) {}

Tensor DetrEncoderLayer::operator()(const Tensor& x, const Tensor& positions, const AttentionOptions& mask, const Inputs& in, Recorder& recorder) const {
  // Norms stand before a sublayer (pre_norm) or after its sum with the input.
  const Tensor normed = pre_norm ? self_attn_layer_norm(x) : x, q = normed + positions;
  Tensor h = x + dropout(self_attn(q, q, normed, mask, in, recorder.attention_slot()), in.dropout(p));
  if (!pre_norm) h = self_attn_layer_norm(h);
  Tensor y = h + feed_forward(pre_norm ? final_layer_norm(h) : h, in);
  if (!pre_norm) y = final_layer_norm(y);
  return in.training ? clamp(y, -3.402823e38, 3.402823e38) : y;
}

DetrDecoderLayer::DetrDecoderLayer(const Scope& w, const DetrConfig& c, int64_t)
    : self_attn(w / "self_attn", c.d_model, c.decoder_attention_heads, c.attention_dropout),
      encoder_attn(w / "encoder_attn", c.d_model, c.decoder_attention_heads, c.attention_dropout),
      self_attn_layer_norm(w / "self_attn_layer_norm", c.d_model, 1e-5), encoder_attn_layer_norm(w / "encoder_attn_layer_norm", c.d_model, 1e-5),
      final_layer_norm(w / "final_layer_norm", c.d_model, 1e-5), feed_forward(w, c, c.decoder_ffn_dim), p(c.dropout), pre_norm(c.pre_norm) {}

Tensor DetrDecoderLayer::operator()(const Tensor& x, const Tensor& query_positions, const Memory& memory, const Inputs& in, Recorder& recorder) const {
  Tensor normed = pre_norm ? self_attn_layer_norm(x) : x;
  const Tensor q = normed + query_positions;
  Tensor h = x + dropout(self_attn(q, q, normed, {}, in, recorder.attention_slot()), in.dropout(p));
  if (!pre_norm) h = self_attn_layer_norm(h);
  normed = pre_norm ? encoder_attn_layer_norm(h) : h;
  h = h + dropout(encoder_attn(normed + query_positions, memory.keys, memory.values, memory.mask, in, recorder.cross_slot()), in.dropout(p));
  if (!pre_norm) h = encoder_attn_layer_norm(h);
  h = h + feed_forward(pre_norm ? final_layer_norm(h) : h, in);
  return pre_norm ? h : final_layer_norm(h);
}

// The four walks along rows and columns are short (a feature map), so plain loops are enough.
Tensor sine_positions(const Tensor& mask, int64_t width, double temperature) {
  const Tensor seen = mask.contiguous();
  const int64_t B = seen.dim(0), h = seen.dim(1), w = seen.dim(2), n = width / 2;
  const bool* m = seen.data<bool>();
  constexpr float kScale = 6.2831853071795864f, kEps = 1e-6f;
  std::vector<float> divisor(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    divisor[static_cast<size_t>(i)] = std::pow(static_cast<float>(temperature), static_cast<float>(2 * (i / 2)) / static_cast<float>(n));
  Tensor out = Tensor::empty({B, h * w, 2 * n});
  float* p = out.mutable_data<float>();
  const auto write = [&](float* at, float position) {
    for (int64_t i = 0; i < n; ++i) {
      const float angle = position / divisor[static_cast<size_t>(i)];
      at[i] = i % 2 ? std::cos(angle) : std::sin(angle);
    }
  };
  for (int64_t b = 0; b < B; ++b, m += h * w, p += h * w * 2 * n) {
    for (int64_t x = 0; x < w; ++x) {
      float total = 0, count = 0;
      for (int64_t y = 0; y < h; ++y) total += m[y * w + x];
      for (int64_t y = 0; y < h; ++y) write(p + (y * w + x) * 2 * n, (count += m[y * w + x]) / (total + kEps) * kScale);
    }
    for (int64_t y = 0; y < h; ++y) {
      float total = 0, count = 0;
      for (int64_t x = 0; x < w; ++x) total += m[y * w + x];
      for (int64_t x = 0; x < w; ++x) write(p + (y * w + x) * 2 * n + n, (count += m[y * w + x]) / (total + kEps) * kScale);
    }
  }
  return out;
}

static constexpr int64_t kPositionRows = 50;
static Init uniform_rows(int64_t width) { return Init::of(rand({kPositionRows, width})); }
LearnedPositions::LearnedPositions(const Scope& w, int64_t width)
    : row_embeddings(w / "row_embeddings", kPositionRows, width, -1, uniform_rows(width)),
      column_embeddings(w / "column_embeddings", kPositionRows, width, -1, uniform_rows(width)) {}
Tensor LearnedPositions::operator()(int64_t height, int64_t columns) const {
  if (height > kPositionRows || columns > kPositionRows)
    throw ValueError({"learned positions: feature map ", height, " x ", columns, " is larger than ", kPositionRows, " x ", kPositionRows});
  const Tensor x = column_embeddings(arange(columns)).unsqueeze(0), y = row_embeddings(arange(height)).unsqueeze(1);
  const int64_t n = x.dim(2);
  return cat({x.expand({height, columns, n}), y.expand({height, columns, n})}, -1).flatten(0, 1).unsqueeze(0);
}

DetrMlp::DetrMlp(const Scope& w, int64_t in, int64_t hidden, int64_t out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) layers.emplace_back(w / "layers" / i, i == 0 ? in : hidden, i + 1 == count ? out : hidden);
}
Tensor DetrMlp::operator()(Tensor x) const {
  for (const Linear& layer : layers) x = &layer == &layers.back() ? layer(x) : relu(layer(x));
  return x;
}

}  // namespace transformers
