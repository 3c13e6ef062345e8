// MXFP4 expert weights (gpt-oss): blocks [E, out, in / 32, 16], two 4-bit floats a byte, low nibble first; scales
// [E, out, in / 32], powers of two with bias 127. The dense weight is [E, in, out], as the model's product takes it.
#include <cmath>

#include "quantizers/layer.h"

namespace transformers {

Tensor dequantize_mxfp4(const Json&, const LayerTensors& tensors, const Shape&) {
  constexpr float kTable[16] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f, -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};
  const LayerReader r("mxfp4", tensors);
  std::string base;
  for (const auto& [name, t] : tensors)
    if (name.size() > 6 && name.compare(name.size() - 6, 6, "blocks") == 0) base = name.substr(0, name.size() - 6);
  const Tensor &blocks = r.get(base + "blocks", 4), &scales = r.get(base + "scales", 3);
  const int64_t experts = blocks.dim(0), out = blocks.dim(1), groups = blocks.dim(2), in = groups * 32;
  r.check(blocks.dtype() == DType::u8 && scales.dtype() == DType::u8 && blocks.dim(3) == 16 && scales.shape() == Shape{experts, out, groups}, "blocks " + blocks.shape().str() + " and scales " + scales.shape().str() + " do not fit");
  const std::vector<uint8_t> codes = r.bytes(base + "blocks"), powers = r.bytes(base + "scales");
  Tensor y = Tensor::empty({experts, in, out});
  float* to = y.mutable_data<float>();
  for (int64_t e = 0; e < experts; ++e)
    for (int64_t o = 0; o < out; ++o)
      for (int64_t g = 0; g < groups; ++g) {
        const int64_t at = (e * out + o) * groups + g;
        const float scale = std::ldexp(1.0f, static_cast<int>(powers[static_cast<size_t>(at)]) - 127);
        for (int64_t i = 0; i < 32; ++i) {
          const uint8_t byte = codes[static_cast<size_t>(at * 16 + i / 2)];
          to[(e * in + g * 32 + i) * out + o] = kTable[i % 2 ? byte >> 4 : byte & 15] * scale;
        }
      }
  return y;
}

}  // namespace transformers
