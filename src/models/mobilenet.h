// What the MobileNets share: a convolution with TensorFlow's padding, batch norm and activation.
// Reference: transformers/models/mobilenet_v1/modeling_mobilenet_v1.py, mobilenet_v2/modeling_mobilenet_v2.py.
#pragma once
#include "models/vision_heads.h"

namespace transformers {

struct MobileNetConfig : Config {
  using Config::Config;
  int64_t num_channels = size("num_channels", 3);
  double depth_multiplier = get("depth_multiplier", 1.0);
  int64_t min_depth = size("min_depth", 8);
  std::string hidden_act = get("hidden_act", "relu6");
  bool tf_padding = get("tf_padding", true);
  double layer_norm_eps = get("layer_norm_eps", 1e-3);
};

struct MobileNetConv {
  struct Geometry {                   ///< What a layer looks like; out and in are channels.
    int64_t in, out, kernel, stride = 1, groups = 1, dilation = 1;
    bool normalized = true, bias = false;
    double eps = -1;                   ///< < 0: the config's
  };
  Conv convolution;
  BatchNorm normalization;
  Activation act;
  bool normalized, activated, tf_padding;
  Geometry s;
  /// activation: its name; "": none.
  MobileNetConv(const Scope& w, const MobileNetConfig& c, const Geometry& shape, const std::string& activation, double momentum);
  Tensor operator()(const Tensor& x, bool training) const;
};

/// last_hidden_state, pooler_output (mean over the map) and hidden_states.
Outputs mobilenet_outputs(const Inputs& in, const Tensor& last, const std::vector<Tensor>& states);

}  // namespace transformers
