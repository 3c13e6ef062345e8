// MobileNet V2: inverted residuals; classification and DeepLabV3+ segmentation.
// Reference: transformers/models/mobilenet_v2/modeling_mobilenet_v2.py.
#include <algorithm>
#include <cmath>

#include "models/mobilenet.h"

namespace transformers {
namespace {

constexpr double kMomentum = 0.997;
using Geometry = MobileNetConv::Geometry;

struct MobileNetV2Config : MobileNetConfig {
  using MobileNetConfig::MobileNetConfig;
  int64_t depth_divisible_by = size("depth_divisible_by", 8);
  double expand_ratio = get("expand_ratio", 6.0);
  int64_t output_stride = size("output_stride", 32);
  bool first_layer_is_expansion = get("first_layer_is_expansion", true);
  bool finegrained_output = get("finegrained_output", true);
  double classifier_dropout_prob = get("classifier_dropout_prob", 0.8);

  /// channels * factor, rounded to a multiple of depth_divisible_by but never more than 10 % down.
  int64_t scaled(int64_t channels, double factor) const {
    const int64_t value = static_cast<int64_t>(std::nearbyint(static_cast<double>(channels) * factor)), step = depth_divisible_by;
    const int64_t nearest = static_cast<int64_t>(static_cast<double>(value) + static_cast<double>(step) / 2) / step * step;
    const int64_t rounded = std::max(min_depth, nearest);
    return static_cast<double>(rounded) < 0.9 * static_cast<double>(value) ? rounded + step : rounded;
  }
  int64_t channels(int64_t n) const { return scaled(n, depth_multiplier); }
  int64_t last() const { return finegrained_output && depth_multiplier < 1 ? 1280 : channels(1280); }
};

struct InvertedResidual {
  bool residual;
  MobileNetConv expand_1x1, conv_3x3, reduce_1x1;
  InvertedResidual(const Scope& w, const MobileNetV2Config& c, int64_t in, int64_t out, int64_t stride, int64_t dilation)
      : InvertedResidual(w, c, in, out, stride, dilation, c.scaled(in, c.expand_ratio)) {}
  Tensor operator()(const Tensor& x, bool training) const {
    const Tensor y = reduce_1x1(conv_3x3(expand_1x1(x, training), training), training);
    return residual ? x + y : y;
  }

 private:
  InvertedResidual(const Scope& w, const MobileNetV2Config& c, int64_t in, int64_t out, int64_t stride, int64_t dilation, int64_t wide)
      : residual(stride == 1 && in == out), expand_1x1(w / "expand_1x1", c, {.in = in, .out = wide, .kernel = 1}, c.hidden_act, kMomentum),
        conv_3x3(w / "conv_3x3", c, {.in = wide, .out = wide, .kernel = 3, .stride = stride, .groups = wide, .dilation = dilation}, c.hidden_act, kMomentum),
        reduce_1x1(w / "reduce_1x1", c, {.in = wide, .out = out, .kernel = 1}, "", kMomentum) {}
};

struct MobileNetV2Model final : Model {
  MobileNetV2Config c;
  std::vector<MobileNetConv> stem;
  std::vector<InvertedResidual> layers;
  std::optional<MobileNetConv> conv_1x1;

  MobileNetV2Model(const Scope& w, const Json& json) : c(json) {
    config_ = json;
    const int64_t wide = c.channels(32), first = c.channels(16);
    const Scope s = w / "conv_stem";
    stem.emplace_back(s / "first_conv", c, Geometry{.in = c.num_channels, .out = wide, .kernel = 3, .stride = 2}, c.hidden_act, kMomentum);
    if (!c.first_layer_is_expansion) stem.emplace_back(s / "expand_1x1", c, Geometry{.in = wide, .out = wide, .kernel = 1}, c.hidden_act, kMomentum);
    stem.emplace_back(s / "conv_3x3", c, Geometry{.in = wide, .out = wide, .kernel = 3, .groups = wide}, c.hidden_act, kMomentum);
    stem.emplace_back(s / "reduce_1x1", c, Geometry{.in = wide, .out = first, .kernel = 1}, "", kMomentum);
    const int64_t widths[] = {24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320};
    const int64_t strides[] = {2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1};
    int64_t in = first, reached = 2, dilation = 1;
    for (int64_t i = 0; i < 16; ++i) {
      const bool dilated = reached == c.output_stride;  // the map is small enough: widen the kernels instead
      const int64_t out = c.channels(widths[i]);
      layers.emplace_back(w / "layer" / i, c, in, out, dilated ? 1 : strides[i], dilated ? dilation : 1);
      if (dilated) dilation *= strides[i];
      else reached *= strides[i];
      in = out;
    }
    conv_1x1.emplace(w / "conv_1x1", c, Geometry{.in = in, .out = c.last(), .kernel = 1}, c.hidden_act, kMomentum);
  }

  Outputs forward(const Inputs& in) const override {
    Tensor x = pixels_of(in, c.num_channels, stem[0].convolution.weight.dtype());
    for (const MobileNetConv& part : stem) x = part(x, in.training);
    std::vector<Tensor> states;
    for (const InvertedResidual& layer : layers) states.push_back(x = layer(x, in.training));
    return mobilenet_outputs(in, (*conv_1x1)(x, in.training), states);
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

struct MobileNetV2ForSemanticSegmentation final : HeadModel {
  MobileNetV2Config c;
  MobileNetConv conv_pool, conv_aspp, conv_projection, classifier;

  MobileNetV2ForSemanticSegmentation(const Scope& w, const Json& json)
      : HeadModel(w, json, "mobilenet_v2", make<MobileNetV2Model>()), c(json),
        conv_pool(w / "segmentation_head.conv_pool", c, {.in = c.channels(320), .out = 256, .kernel = 1, .eps = 1e-5}, "relu", kMomentum),
        conv_aspp(w / "segmentation_head.conv_aspp", c, {.in = c.channels(320), .out = 256, .kernel = 1, .eps = 1e-5}, "relu", kMomentum),
        conv_projection(w / "segmentation_head.conv_projection", c, {.in = 512, .out = 256, .kernel = 1, .eps = 1e-5}, "relu", kMomentum),
        classifier(w / "segmentation_head.classifier", c, {.in = 256, .out = num_labels(json), .kernel = 1, .normalized = false, .bias = true}, "", kMomentum) {}

  Outputs forward(const Inputs& in) const override {
    if (in.has("labels") && num_labels(config_) == 1) throw ValueError("The number of labels should be greater than one");
    Inputs all = in;
    all.output_hidden_states = true;
    const Outputs h = base->forward(all);
    const Tensor x = h.tensors("hidden_states").back();
    const Tensor pooled = conv_pool(mean(x, {2, 3}, true), in.training);  // [B, 256, 1, 1], the same at every position
    const Tensor wide = pooled.expand({-1, -1, x.dim(2), x.dim(3)});
    Tensor y = conv_projection(cat({wide, conv_aspp(x, in.training)}, 1), in.training);
    if (const double p = in.dropout(c.classifier_dropout_prob); p > 0)  // whole channels
      y = y * dropout(Tensor::full({y.dim(0), y.dim(1), 1, 1}, 1, y.dtype()), p);
    const Tensor logits = classifier(y, in.training);
    Outputs out;
    out.set("loss", semantic_segmentation_loss(logits, in.tensor("labels"), config_)).set("logits", logits);
    if (in.output_hidden_states) out.set("hidden_states", *h.find("hidden_states"));
    return out;
  }
};

ImageClassifier image_head() {
  ImageClassifier parts;
  parts.prefix = "mobilenet_v2";
  parts.width = [](const Json& c) { return MobileNetV2Config(c).last(); };
  parts.pool = [](const Outputs& h) { return h.tensor("pooler_output"); };
  parts.dropout = [](const Json& c) { return MobileNetV2Config(c).classifier_dropout_prob; };
  return parts;
}

}  // namespace

void register_mobilenet_v2(ModelRegistry& r) {
  r.family("mobilenet_v2", "mobilenet_v2")
      .add("MobileNetV2Model", make<MobileNetV2Model>(), {"AutoModel"})
      .add("MobileNetV2ForImageClassification", image_classifier(make<MobileNetV2Model>(), image_head()), {"AutoModelForImageClassification"})
      .add("MobileNetV2ForSemanticSegmentation", make<MobileNetV2ForSemanticSegmentation>(), {"AutoModelForSemanticSegmentation"});
}

}  // namespace transformers
