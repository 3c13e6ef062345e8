// DPT's neck.
#include <algorithm>
#include <cmath>

#include "models/dpt.h"

namespace transformers {

Conv same_conv(const Scope& w, int64_t in, int64_t out, int64_t kernel, bool bias) {
  ConvOptions o;
  o.padding = {kernel / 2, kernel / 2};
  return Conv(w, in, out, {kernel, kernel}, o, bias);
}

const Tensor& pick_map(const std::vector<Tensor>& maps, int64_t index) {
  const int64_t n = static_cast<int64_t>(maps.size()), at = index < 0 ? index + n : index;
  if (at < 0 || at >= n) throw ConfigError({"config: head_in_index ", index, " of ", n, " maps"});
  return maps[static_cast<size_t>(at)];
}

DptReassemble::DptReassemble(const Scope& w, const DptNeckConfig& c, int64_t index) : factor(c.reassemble_factors[static_cast<size_t>(index)]) {
  const int64_t channels = c.neck_hidden_sizes[static_cast<size_t>(index)];
  const Scope layer = w / "layers" / index;
  projection = Conv(layer / "projection", c.token_width, channels, {1, 1});
  if (!(factor > 1.0 / 64 && factor < 64)) throw ConfigError({"config: reassemble_factors has ", factor});
  ConvOptions o;
  if (factor > 1) {
    const int64_t by = static_cast<int64_t>(factor);
    o.stride = {by, by};
    grow = ConvTranspose(layer / "resize", channels, channels, {by, by}, o);
  } else if (factor < 1) {
    const int64_t by = static_cast<int64_t>(1 / factor);
    o.stride = {by, by}, o.padding = {1, 1};
    shrink = Conv(layer / "resize", channels, channels, {3, 3}, o);
  }
  if (c.readout_type == "project") {
    readout = Linear(w / "readout_projects" / index / 0, 2 * c.token_width, c.token_width);
    act = Activation(c.hidden_act);
  }
}

Tensor DptReassemble::operator()(const Tensor& tokens, int64_t rows, int64_t columns, const std::string& readout_type) const {
  Tensor x = tokens.slice(1, 1, tokens.dim(1));  // [B, P, C]
  const Tensor first = tokens.slice(1, 0, 1);
  if (readout_type == "project") x = act(readout(cat({x, first.expand(x.shape())}, -1)));
  else if (readout_type == "add") x = x + first;
  x = projection(tokens_to_map(x, rows, columns));
  return factor > 1 ? grow(x) : factor < 1 ? shrink(x) : x;
}

DptResidual::DptResidual(const Scope& w, const DptNeckConfig& c) : normalized(c.batch_norm) {
  const int64_t n = c.fusion_hidden_size;
  convolution1 = same_conv(w / "convolution1", n, n, 3, c.bias), convolution2 = same_conv(w / "convolution2", n, n, 3, c.bias);
  if (normalized) batch_norm1 = BatchNorm(w / "batch_norm1", n), batch_norm2 = BatchNorm(w / "batch_norm2", n);
}
Tensor DptResidual::operator()(const Tensor& x, bool training) const {
  Tensor h = convolution1(relu(x));
  if (normalized) h = batch_norm1(h, training);
  h = convolution2(relu(h));
  if (normalized) h = batch_norm2(h, training);
  return h + x;
}

DptFusion::DptFusion(const Scope& w, const DptNeckConfig& c)
    : projection(w / "projection", c.fusion_hidden_size, c.fusion_hidden_size, {1, 1}), residual_layer1(w / "residual_layer1", c),
      residual_layer2(w / "residual_layer2", c) {}

DptNeck::DptNeck(const Scope& w, DptNeckConfig config) : c(std::move(config)) {
  const int64_t n = static_cast<int64_t>(c.neck_hidden_sizes.size());
  if (n < 1 || n > 64 || c.reassemble_factors.size() < c.neck_hidden_sizes.size())
    throw ConfigError({"config: neck_hidden_sizes (", n, " entries) needs as many reassemble_factors, got ", c.reassemble_factors.size()});
  if (c.readout_type != "ignore" && c.readout_type != "add" && c.readout_type != "project")
    throw ConfigError({"config: readout_type \"", c.readout_type, "\" is not one of ignore, add, project"});
  for (int64_t i = 0; i < n; ++i) {
    reassemble.emplace_back(w / "reassemble_stage", c, i);
    convs.push_back(same_conv(w / "convs" / i, c.neck_hidden_sizes[static_cast<size_t>(i)], c.fusion_hidden_size, 3, false));
    fusion.emplace_back(w / "fusion_stage.layers" / i, c);
  }
}

std::vector<Tensor> DptNeck::operator()(const std::vector<Tensor>& tokens, int64_t rows, int64_t columns, bool training) const {
  if (tokens.size() != convs.size())
    throw ValueError({"The number of hidden states should be equal to the number of neck hidden sizes: ", tokens.size(), " and ", convs.size()});
  std::vector<Tensor> maps, fused;
  for (size_t i = 0; i < tokens.size(); ++i) maps.push_back(convs[i](reassemble[i](tokens[i], rows, columns, c.readout_type)));
  std::reverse(maps.begin(), maps.end());  // coarse to fine
  for (size_t i = 0; i < maps.size(); ++i) {
    Tensor x = i == 0 ? maps[0] : fused.back();
    if (i > 0) {
      Tensor finer = maps[i];
      if (!(finer.shape() == x.shape())) finer = interpolate(finer, {x.dim(2), x.dim(3)}, Interpolation::bilinear);
      x = x + fusion[i].residual_layer1(finer, training);
    }
    x = fusion[i].residual_layer2(x, training);
    const bool next = c.grow_to_next && i + 1 < maps.size();
    const Shape size = next ? Shape{maps[i + 1].dim(2), maps[i + 1].dim(3)} : Shape{2 * x.dim(2), 2 * x.dim(3)};
    fused.push_back(fusion[i].projection(interpolate(x, size, Interpolation::bilinear, true)));
  }
  return fused;
}

}  // namespace transformers
