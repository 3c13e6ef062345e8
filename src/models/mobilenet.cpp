// What the MobileNets share.
#include "models/mobilenet.h"

#include <algorithm>

namespace transformers {

MobileNetConv::MobileNetConv(const Scope& w, const MobileNetConfig& c, const Geometry& g, const std::string& activation, double momentum)
    : normalized(g.normalized), activated(!activation.empty()), tf_padding(c.tf_padding), s(g) {
  const int64_t around = tf_padding ? 0 : (g.kernel - 1) / 2 * g.dilation;
  ConvOptions o;
  o.stride = {g.stride, g.stride}, o.padding = {around, around}, o.dilation = {g.dilation, g.dilation}, o.groups = g.groups;
  convolution = Conv(w / "convolution", g.in, g.out, {g.kernel, g.kernel}, o, g.bias);
  if (normalized) {
    normalization = BatchNorm(w / "normalization", g.out, g.eps < 0 ? c.layer_norm_eps : g.eps);
    normalization.momentum = momentum;
  }
  if (activated) act = Activation(activation);
}

Tensor MobileNetConv::operator()(const Tensor& x, bool training) const {
  Tensor y = x;
  if (tf_padding) {  // "SAME" of TensorFlow: what is missing, the larger half after
    const auto along = [&](int64_t n) { return std::max<int64_t>(s.kernel - (n % s.stride == 0 ? s.stride : n % s.stride), 0); };
    const int64_t rows = along(x.dim(2)), columns = along(x.dim(3)), d = s.dilation;
    if (rows || columns) y = pad(x, {columns / 2 * d, (columns - columns / 2) * d, rows / 2 * d, (rows - rows / 2) * d});
  }
  y = convolution(y);
  if (normalized) y = normalization(y, training);
  return activated ? act(y) : y;
}

Outputs mobilenet_outputs(const Inputs& in, const Tensor& last, const std::vector<Tensor>& states) {
  Outputs out;
  out.set("last_hidden_state", last).set("pooler_output", mean(last, {2, 3}));
  if (in.output_hidden_states) out.set("hidden_states", Value(states));
  return out;
}

}  // namespace transformers
