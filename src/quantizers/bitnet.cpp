// BitNet checkpoints: ternary weights + 1 in two bits, four blocks of rows to a byte, lowest bits first; the product is
// divided by weight_scale.
#include "quantizers/layer.h"

namespace transformers {

Tensor dequantize_bitnet(const Json&, const LayerTensors& tensors, const Shape& out_in) {
  const LayerReader r("bitnet", tensors);
  const Tensor& w = r.get("weight", 2);
  const int64_t out = out_in[0], in = out_in[1], step = w.dim(0);
  r.check(w.dtype() == DType::u8 && w.dim(1) == in && step * 4 >= out, "weight " + w.shape().str() + " does not fit the layer " + out_in.str());
  const std::vector<float> scale = r.floats("weight_scale");
  r.check(scale.size() == 1 && scale[0] != 0, "weight_scale must be one number other than 0");
  const std::vector<uint8_t> bytes = r.bytes("weight");
  Tensor y = Tensor::empty({out, in});
  for (int64_t i = 0; i < out * in; ++i) {
    const int64_t row = i / in, field = row / step;
    const int v = (bytes[static_cast<size_t>(row % step * in + i % in)] >> (2 * field) & 3) - 1;
    y.mutable_data<float>()[i] = static_cast<float>(v) / scale[0];
  }
  return y;
}

}  // namespace transformers
