// wav2vec 2.0: convolutions, encoder, adapter, model. Letters as in wav2vec2.h. Heads are in speech_heads.cpp and
// wav2vec2_pretraining.cpp.
#include "models/wav2vec2.h"

#include <cmath>

#include "nn/spec_augment.h"

namespace transformers {

Wav2Vec2Config::Wav2Vec2Config(const Json& j) : Config(j) {
  if (conv_dim.empty() || conv_dim.size() > 64 || conv_dim.size() != conv_stride.size() || conv_dim.size() != conv_kernel.size())
    throw ConfigError({"config: conv_dim, conv_stride and conv_kernel must have the same length, got ", conv_dim.size(), ", ", conv_stride.size(), " and ", conv_kernel.size()});
  for (size_t i = 0; i < conv_dim.size(); ++i)
    if (conv_dim[i] < 1 || conv_stride[i] < 1 || conv_kernel[i] < 1 || conv_dim[i] > (1 << 24) || conv_stride[i] > (1 << 24) || conv_kernel[i] > (1 << 24))
      throw ConfigError({"config: convolution ", i, " of width ", conv_dim[i], ", stride ", conv_stride[i], ", kernel ", conv_kernel[i], " is impossible"});
  if (feat_extract_norm != "group" && feat_extract_norm != "layer")
    throw ConfigError({"config: feat_extract_norm is \"", feat_extract_norm, "\", but has to be one of \"group\", \"layer\""});
}

Tensor unit_param(const Scope& w, std::string_view name, const Shape& shape) {
  Tensor t = w.param(name, shape, Init::bounded(0.5));
  if (!w.has(name)) t.copy_(t + 0.5);
  return t;
}

static int64_t conv_length(int64_t length, int64_t kernel, int64_t stride) {
  const int64_t n = length - kernel;
  return (n < 0 ? -((-n + stride - 1) / stride) : n / stride) + 1;
}
int64_t Wav2Vec2Config::frames(int64_t samples, bool with_adapter) const {
  for (size_t i = 0; i < conv_dim.size(); ++i) samples = conv_length(samples, conv_kernel[i], conv_stride[i]);
  for (int64_t i = 0; with_adapter && i < num_adapter_layers; ++i) samples = conv_length(samples, 1, adapter_stride);
  return samples;
}
std::vector<int64_t> Wav2Vec2Config::frames(const Tensor& attention_mask, bool with_adapter) const {
  if (attention_mask.rank() != 2) throw ShapeError({"attention_mask: expected [batch, samples], got ", attention_mask.shape().str()});
  std::vector<int64_t> n = sum(attention_mask.to(DType::i64), {1}).to_ints();
  for (int64_t& v : n) v = frames(v, with_adapter);
  return n;
}
Tensor Wav2Vec2Config::frame_mask(const Tensor& attention_mask, int64_t F, bool with_adapter) const {
  const std::vector<int64_t> lengths = frames(attention_mask, with_adapter);
  Tensor mask = Tensor::zeros({static_cast<int64_t>(lengths.size()), F}, DType::boolean);
  bool* row = mask.mutable_data<bool>();
  for (size_t b = 0; b < lengths.size(); ++b, row += F) {
    const int64_t n = lengths[b] < 1 ? lengths[b] + F : lengths[b];  // the reference's index -1 is the last frame
    if (n < 1 || n > F) throw ValueError({"attention_mask: row ", b, " has too few samples for one frame, or more than the input"});
    for (int64_t i = 0; i < n; ++i) row[i] = true;
  }
  return mask;
}

SpeechConvolutions::SpeechConvolutions(const Scope& scope, const Wav2Vec2Config& c) : act(c.feat_extract_activation) {
  int64_t in = 1;
  for (size_t i = 0; i < c.conv_dim.size(); ++i) {
    const Scope w = scope / "conv_layers" / static_cast<int64_t>(i);
    Layer layer;
    layer.conv = Conv(w / "conv", in, c.conv_dim[i], {c.conv_kernel[i]}, {.stride = {c.conv_stride[i]}}, c.conv_bias, {Init::kaiming_normal, -1, -1, {}});
    if (c.feat_extract_norm == "layer") layer.layer_norm = LayerNorm(w / "layer_norm", c.conv_dim[i], 1e-5);
    else if (i == 0) layer.group_norm = GroupNorm(w / "layer_norm", c.conv_dim[i], c.conv_dim[i]);
    in = c.conv_dim[i];
    layers.push_back(std::move(layer));
  }
}
Tensor SpeechConvolutions::operator()(const Tensor& samples) const {
  Tensor x = samples.unsqueeze(1);  // [B, 1, L] -> [B, E, F]
  for (const Layer& layer : layers) {
    x = layer.conv(x);
    if (layer.layer_norm.weight.defined()) x = layer.layer_norm(x.transpose(1, 2)).transpose(1, 2);
    else if (layer.group_norm.weight.defined()) x = layer.group_norm(x);
    x = act(x);
  }
  return x.transpose(1, 2);
}

SpeechPositions::SpeechPositions(const Scope& w, const Wav2Vec2Config& c) : kind(c.positions), act(c.feat_extract_activation) {
  const int64_t C = c.hidden_size, groups = c.num_conv_pos_embedding_groups;
  if (kind == Wav2Vec2Config::Positions::stacked) {
    if (c.num_conv_pos_embeddings > 4096) throw ConfigError({"config: num_conv_pos_embeddings = ", c.num_conv_pos_embeddings, " is not a number of layers"});
    for (int64_t i = 0; i < c.num_conv_pos_embeddings; ++i)
      convs.emplace_back(w / "layers" / i / "conv", C, C, Shape{c.conv_pos_kernel_size}, ConvOptions{.padding = {c.conv_pos_kernel_size / 2}, .groups = groups}, true,
                         Init{Init::kaiming_normal, -1, -1, {}});
    return;
  }
  const int64_t kernel = c.num_conv_pos_embeddings;
  const ConvOptions options{.padding = {kernel / 2}, .groups = groups};
  if (kind == Wav2Vec2Config::Positions::batch_norm) {
    convs.emplace_back(w / "conv", C, C, Shape{kernel}, options);
    batch_norm = BatchNorm(w / "batch_norm", C);
    return;
  }
  // The weight is direction times gain (weight normalisation over all but the kernel's positions).
  Conv conv;
  conv.options = options;
  const Scope parts = w / "conv" / "parametrizations" / "weight";
  if (C % groups) throw ConfigError({"config: hidden_size ", C, " is not a multiple of num_conv_pos_embedding_groups ", groups});
  const double std = 2 * std::sqrt(1.0 / static_cast<double>(kernel * C));
  conv.weight = parts.param("original1", {C, C / groups, kernel}, Init::std(std));
  gain = parts.param("original0", {1, 1, kernel}, Init::of(norm(conv.weight.to(DType::f32), 2, {0, 1}, true)));
  conv.bias = (w / "conv").param("bias", {C}, Init::zero());
  convs.push_back(std::move(conv));
}
Tensor SpeechPositions::operator()(const Tensor& input, bool training) const {
  Tensor x = input.transpose(1, 2);  // [B, C, F]
  const int64_t F = x.dim(2);
  if (kind == Wav2Vec2Config::Positions::batch_norm) x = batch_norm(x, training);
  for (const Conv& c : convs) {
    const Tensor weight = gain.defined() ? c.weight * (gain / norm(c.weight, 2, {0, 1}, true)) : c.weight;
    x = conv(x, weight, c.bias, c.options).slice(2, 0, F);  // an even kernel gives one frame too many
    if (kind == Wav2Vec2Config::Positions::stacked) x = layer_norm(x.transpose(1, 2), {}, {}, 1e-5).transpose(1, 2);
    x = act(x);
  }
  return x.transpose(1, 2);
}

static Seq2SeqSide side_of(const Wav2Vec2Config& c) {
  Seq2SeqSide s;
  s.width = c.hidden_size, s.heads = c.num_attention_heads, s.attention_dropout = c.attention_dropout;
  return s;
}

Wav2Vec2Layer::Wav2Vec2Layer(const Scope& w, const Wav2Vec2Config& config, int64_t index)
    : c(config), attention(w / "attention", side_of(c), index), layer_norm(w / "layer_norm", c.hidden_size, c.layer_norm_eps),
      intermediate_dense(w / "feed_forward.intermediate_dense", c.hidden_size, c.intermediate_size), output_dense(w / "feed_forward.output_dense", c.intermediate_size, c.hidden_size),
      final_layer_norm(w / "final_layer_norm", c.hidden_size, c.layer_norm_eps), act(c.hidden_act) {
  if (c.num_buckets > 0) position_bias.emplace(w / "attention", c, index == 0);
  if (c.do_stable_layer_norm && c.adapter_attn_dim != 0) {
    const int64_t narrow = c.size("adapter_attn_dim", 1);
    adapter_norm = LayerNorm(w / "adapter_layer.norm", c.hidden_size, 1e-5);
    adapter_down = Linear(w / "adapter_layer.linear_1", c.hidden_size, narrow), adapter_up = Linear(w / "adapter_layer.linear_2", narrow, c.hidden_size);
  }
}
Tensor Wav2Vec2Layer::attend(const Tensor& x, const Seq2SeqStep& s) const {
  if (!position_bias) return attention.self(x, s);
  Seq2SeqStep gated = s;
  gated.mask.bias = position_bias->gated(x, s.mask.bias);
  return attention.self(x, gated);
}
Tensor Wav2Vec2Layer::operator()(const Tensor& x, const Seq2SeqStep& s) const {
  const double p = s.in.dropout(c.hidden_dropout);
  const auto feed_forward = [&](const Tensor& h) {
    return dropout(output_dense(dropout(act(intermediate_dense(h)), s.in.dropout(c.activation_dropout))), p);
  };
  if (!c.do_stable_layer_norm) {
    const Tensor h = layer_norm(x + dropout(attend(x, s), p));
    return final_layer_norm(h + feed_forward(h));
  }
  Tensor h = x + dropout(attend(layer_norm(x), s), p);
  h = h + feed_forward(final_layer_norm(h));
  return adapter_down ? h + adapter_up(relu(adapter_down(adapter_norm(h)))) : h;
}

Wav2Vec2Encoder::Wav2Vec2Encoder(const Scope& w, const Wav2Vec2Config& config)
    : c(config), pos_conv_embed(w / "pos_conv_embed", c), layer_norm(w / "layer_norm", c.hidden_size, c.layer_norm_eps),
      layers(make_layers<Wav2Vec2Layer>(w / "layers", c.num_hidden_layers, c)) {}

Tensor Wav2Vec2Encoder::operator()(Tensor x, const Tensor& frame_mask, const Inputs& in, Recorder& recorder) const {
  if (frame_mask.defined()) x = masked_fill(x, logical_not(frame_mask).unsqueeze(-1), 0);
  x = x + pos_conv_embed(x, in.training);
  if (!c.do_stable_layer_norm) x = layer_norm(x);
  x = dropout(x, in.dropout(c.hidden_dropout));
  Seq2SeqStep step{in, padding_mask(frame_mask), {}, {}, recorder};
  if (c.num_buckets > 0 && !layers.empty()) step.mask.bias = layers[0].position_bias->table(x.dim(1));
  for (const Wav2Vec2Layer& layer : layers) {
    recorder.hidden(x);
    const bool may_drop = c.num_buckets == 0 || layer.attention.layer > 0;  // WavLM keeps the layer that owns the bias table
    if (in.training && may_drop && c.layerdrop > 0 && next_uniform() < c.layerdrop) continue;
    x = layer(x, step);
  }
  if (c.do_stable_layer_norm) x = layer_norm(x);
  recorder.hidden(x);
  return x;
}

Wav2Vec2Adapter::Wav2Vec2Adapter(const Scope& w, const Wav2Vec2Config& c) : layerdrop(c.layerdrop) {
  if (c.output_hidden_size != c.hidden_size) {
    proj = Linear(w / "proj", c.hidden_size, c.output_hidden_size);
    proj_layer_norm = LayerNorm(w / "proj_layer_norm", c.output_hidden_size, 1e-5);
  }
  if (c.num_adapter_layers < 0 || c.num_adapter_layers > 4096) throw ConfigError({"config: num_adapter_layers = ", c.num_adapter_layers, " is not a number of layers"});
  for (int64_t i = 0; i < c.num_adapter_layers; ++i)
    convs.emplace_back(w / "layers" / i / "conv", c.output_hidden_size, 2 * c.output_hidden_size, Shape{c.adapter_kernel_size}, ConvOptions{.stride = {c.adapter_stride}, .padding = {1}}, true,
                       Init{Init::kaiming_normal, -1, -1, {}});
}
Tensor Wav2Vec2Adapter::operator()(Tensor x, const Inputs& in) const {
  if (proj) x = proj_layer_norm(proj(x));
  x = x.transpose(1, 2);
  for (const Conv& c : convs) {
    if (in.training && next_uniform() <= layerdrop) continue;
    const std::vector<Tensor> halves = c(x).chunk(2, 1);
    x = halves[0] * sigmoid(halves[1]);
  }
  return x.transpose(1, 2);
}

Wav2Vec2Model::Wav2Vec2Model(const Scope& w, const Wav2Vec2Config& config)
    : c(config), feature_extractor(w / "feature_extractor", c), encoder(w / "encoder", c) {
  config_ = c.json;
  const Scope p = w / "feature_projection";
  const Init bounded = Init::bounded(std::sqrt(1.0 / static_cast<double>(c.features())));
  if (c.feat_proj_layer_norm) feature_norm = LayerNorm(p / "layer_norm", c.features(), c.layer_norm_eps);
  feature_projection = Linear(p / "projection", c.features(), c.hidden_size, true, bounded, bounded);
  if (c.mask_time_prob > 0 || c.mask_feature_prob > 0 || c.always_mask_embed) masked_spec_embed = unit_param(w, "masked_spec_embed", {c.hidden_size});
  if (c.add_adapter) adapter.emplace(w / "adapter", c);
}

Tensor Wav2Vec2Model::augmented(Tensor x, const Tensor& frame_mask, const Inputs& in) const {
  if (!c.apply_spec_augment) return x;
  const int64_t B = x.dim(0), F = x.dim(1);
  Tensor time = in.tensor("mask_time_indices");
  if (!time.defined() && in.training && c.mask_time_prob > 0) {
    const std::vector<int64_t> lengths = frame_mask.defined() ? sum(frame_mask, {1}).to_ints() : std::vector<int64_t>{};
    time = spec_augment_mask(B, F, c.mask_time_prob, c.mask_time_length, lengths, c.mask_time_min_masks);
  }
  if (time.defined()) {
    if (!masked_spec_embed.defined()) throw ValueError("mask_time_indices: this model has no masked_spec_embed (mask_time_prob and mask_feature_prob are 0)");
    x = where(ne(time, 0).unsqueeze(-1), masked_spec_embed.to(x.dtype()), x);
  }
  if (in.training && c.mask_feature_prob > 0) {
    const Tensor features = spec_augment_mask(B, c.hidden_size, c.mask_feature_prob, c.mask_feature_length, {}, c.mask_feature_min_masks);
    x = masked_fill(x, features.unsqueeze(1), 0);
  }
  return x;
}

Outputs Wav2Vec2Model::forward(const Inputs& in) const {
  const Tensor& samples = in.tensor("input_values");
  if (!samples.defined()) throw ValueError("`input_values` [batch, samples] are missing");
  if (samples.rank() != 2) throw ShapeError({"input_values: expected [batch, samples], got ", samples.shape().str()});
  if (c.frames(samples.dim(1), false) < 1) throw ValueError({"input_values: ", samples.dim(1), " samples are too few for one frame"});
  const Tensor features = feature_extractor(samples.to(feature_extractor.layers[0].conv.weight.dtype()));  // [B, F, E]
  const Tensor& given = in.tensor("attention_mask");
  const Tensor mask = given.defined() ? c.frame_mask(given, features.dim(1), false) : Tensor();
  const Tensor normed = c.feat_proj_layer_norm ? feature_norm(features) : features;
  Tensor x = dropout(feature_projection(normed), in.dropout(c.feat_proj_dropout));                         // [B, F, C]
  Recorder recorder(in);
  x = encoder(augmented(x, mask, in), mask, in, recorder);
  if (adapter) x = (*adapter)(x, in);
  Outputs out;
  out.set("last_hidden_state", x);
  if (c.returns_features) out.set("extract_features", normed);
  recorder.write(out);
  return out;
}

}  // namespace transformers
