// HQQ checkpoints: w = (q - zero) * scale on a matrix of groups, [groups, group_size] (axis 1) or [group_size, groups]
// (axis 0). Packing splits that matrix into equal runs of rows, one per bit field, the first in the highest bits; 3 bits go
// ten to an int32.
#include "quantizers/layer.h"

namespace transformers {

Tensor dequantize_hqq(const Json& config, const LayerTensors& tensors, const Shape& out_in) {
  const LayerReader r("hqq", tensors);
  const Json& meta = config["meta"].is_object() ? config["meta"] : config["quant_config"]["weight_quant_params"];
  const int64_t bits = meta.get("nbits", 4), axis = meta.get("axis", 1), count = out_in.numel();
  const int64_t configured = meta.get("group_size", int64_t{0}), size = configured > 0 ? configured : (axis == 1 ? out_in[1] : out_in[0]);
  r.check(bits == 8 || bits == 4 || bits == 3 || bits == 2 || bits == 1, cat({"nbits must be 8, 4, 3, 2 or 1, got ", bits}));
  r.check((axis == 0 || axis == 1) && count % size == 0, "group_size does not divide the weight");
  const int64_t groups = count / size, rows = axis == 1 ? groups : size, cols = axis == 1 ? size : groups;
  const Tensor& packed = r.get("W_q", 2);
  const int64_t fields = bits == 3 ? 10 : 8 / bits, step = packed.dim(0);
  r.check(packed.dim(1) == cols && step * fields >= rows, "W_q " + packed.shape().str() + " does not fit the layer " + out_in.str());
  const std::vector<int64_t> words = packed.to_ints();
  const std::vector<float> scale = r.floats("scale"), zero = r.floats("zero");
  r.check(static_cast<int64_t>(scale.size()) == groups && static_cast<int64_t>(zero.size()) == groups, "scale and zero must have one value per group");
  Tensor y = Tensor::empty({out_in[0], out_in[1]});
  float* to = y.mutable_data<float>();
  const int64_t mask = (int64_t{1} << bits) - 1;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) {
      const int64_t field = i / step, shift = bits == 3 ? 27 - 3 * field : bits * (fields - 1 - field);
      const int64_t q = words[static_cast<size_t>(i % step * cols + j)] >> shift & mask;
      const size_t g = static_cast<size_t>(axis == 1 ? i : j);
      to[i * cols + j] = (static_cast<float>(q) - zero[g]) * scale[g];
    }
  return y;
}

}  // namespace transformers
