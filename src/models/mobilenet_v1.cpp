// MobileNet V1: depthwise separable convolutions. Reference: transformers/models/mobilenet_v1/modeling_mobilenet_v1.py.
#include <algorithm>

#include "models/mobilenet.h"

namespace transformers {
namespace {

constexpr double kMomentum = 0.9997;

int64_t scaled(const MobileNetConfig& c, int64_t depth) {
  return std::max(static_cast<int64_t>(static_cast<double>(depth) * c.depth_multiplier), c.min_depth);
}

struct MobileNetV1Model final : Model {
  MobileNetConfig c;
  MobileNetConv conv_stem;
  std::vector<MobileNetConv> layers;
  MobileNetV1Model(const Scope& w, const Json& json)
      : c(json), conv_stem(w / "conv_stem", c, {.in = c.num_channels, .out = scaled(c, 32), .kernel = 3, .stride = 2}, c.hidden_act, kMomentum) {
    config_ = json;
    int64_t depth = 32, out = scaled(c, depth), index = 0;
    for (const int64_t stride : {1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1}) {
      const int64_t in = out;
      if (stride == 2 || index == 0) out = scaled(c, depth *= 2);
      layers.emplace_back(w / "layer" / index++, c, MobileNetConv::Geometry{.in = in, .out = in, .kernel = 3, .stride = stride, .groups = in}, c.hidden_act, kMomentum);
      layers.emplace_back(w / "layer" / index++, c, MobileNetConv::Geometry{.in = in, .out = out, .kernel = 1}, c.hidden_act, kMomentum);
    }
  }
  Outputs forward(const Inputs& in) const override {
    Tensor x = conv_stem(pixels_of(in, c.num_channels, conv_stem.convolution.weight.dtype()), in.training);
    std::vector<Tensor> states;
    for (const MobileNetConv& layer : layers) states.push_back(x = layer(x, in.training));
    return mobilenet_outputs(in, x, states);
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

ImageClassifier classifier() {
  ImageClassifier parts;
  parts.prefix = "mobilenet_v1";
  parts.width = [](const Json& c) { return scaled(MobileNetConfig(c), 1024); };
  parts.pool = [](const Outputs& h) { return h.tensor("pooler_output"); };
  parts.dropout = [](const Json& c) { return c.get("classifier_dropout_prob", 0.999); };
  return parts;
}

}  // namespace

void register_mobilenet_v1(ModelRegistry& r) {
  r.family("mobilenet_v1", "mobilenet_v1")
      .add("MobileNetV1Model", make<MobileNetV1Model>(), {"AutoModel"})
      .add("MobileNetV1ForImageClassification", image_classifier(make<MobileNetV1Model>(), classifier()), {"AutoModelForImageClassification"});
}

}  // namespace transformers
