// optimum-quanto checkpoints. int8 and float8: weight._data times weight._scale per row. int4 and int2: weight._data._data
// packs blocks of rows into a byte, lowest bits first; rows are groups of the flat weight; w = scale * q - shift.
#include "quantizers/layer.h"

namespace transformers {

Tensor dequantize_quanto(const Json& config, const LayerTensors& tensors, const Shape& out_in) {
  const LayerReader r("quanto", tensors);
  const int64_t out = out_in[0], in = out_in[1], count = out * in;
  const std::vector<float> scale = r.floats("weight._scale");
  const int64_t rows = static_cast<int64_t>(scale.size());
  r.check(rows > 0 && count % rows == 0, "weight._scale does not fit the layer " + out_in.str());
  const int64_t cols = count / rows;
  if (r.has("weight._data")) {
    const Tensor& w = r.get("weight._data", 2);
    r.check(w.shape() == out_in, "weight._data " + w.shape().str() + " does not fit the layer " + out_in.str());
    Tensor y = w.detach().to(DType::f32).clone();
    for (int64_t i = 0; i < count; ++i) y.mutable_data<float>()[i] *= scale[static_cast<size_t>(i / cols)];
    return y;
  }
  const Tensor& packed = r.get("weight._data._data", 2);
  const int64_t bits = config.get("weights", "int4") == "int2" ? 2 : 4, fields = 8 / bits, step = packed.dim(0);
  r.check(packed.dtype() == DType::u8 && packed.dim(1) == cols && step * fields >= rows, "weight._data._data " + packed.shape().str() + " does not fit the layer " + out_in.str());
  const std::vector<float> shift = r.floats("weight._shift");
  r.check(static_cast<int64_t>(shift.size()) == rows, "weight._shift must have one value per group");
  const std::vector<uint8_t> bytes = r.bytes("weight._data._data");
  Tensor y = Tensor::empty({out, in});
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = i / cols;
    const int q = bytes[static_cast<size_t>(row % step * cols + i % cols)] >> (row / step * bits) & ((1 << bits) - 1);
    y.mutable_data<float>()[i] = scale[static_cast<size_t>(row)] * static_cast<float>(q) - shift[static_cast<size_t>(row)];
  }
  return y;
}

}  // namespace transformers
