// float8 weights: fbgemm_fp8 (a scale per row) and fine-grained fp8 (a scale per block, DeepSeek's format; blocks at the
// right and lower edge are partial).
#include "quantizers/layer.h"

namespace transformers {
namespace {

Tensor values_of(const LayerReader& r, const Shape& out_in) {
  const Tensor& w = r.get("weight", 2);
  r.check(w.shape() == out_in, "weight " + w.shape().str() + " does not fit the layer " + out_in.str());
  return w.detach().to(DType::f32).clone();
}

}  // namespace

Tensor dequantize_fbgemm_fp8(const Json&, const LayerTensors& tensors, const Shape& out_in) {
  const LayerReader r("fbgemm_fp8", tensors);
  Tensor y = values_of(r, out_in);
  const std::vector<float> scale = r.floats("weight_scale");
  r.check(static_cast<int64_t>(scale.size()) == out_in[0], "weight_scale must have one value per row");
  for (int64_t i = 0; i < y.numel(); ++i) y.mutable_data<float>()[i] *= scale[static_cast<size_t>(i / out_in[1])];
  return y;
}

Tensor dequantize_fp8(const Json& config, const LayerTensors& tensors, const Shape& out_in) {
  const LayerReader r("fp8", tensors);
  Tensor y = values_of(r, out_in);
  const std::vector<int64_t> block = config.get("weight_block_size", std::vector<int64_t>{128, 128});
  r.check(block.size() == 2 && block[0] > 0 && block[1] > 0, "weight_block_size must be two positive numbers");
  const int64_t rows = (out_in[0] + block[0] - 1) / block[0], cols = (out_in[1] + block[1] - 1) / block[1];
  const std::vector<float> scale = r.floats("weight_scale_inv");
  r.check(static_cast<int64_t>(scale.size()) == rows * cols, "weight_scale_inv " + r.get("weight_scale_inv").shape().str() + " does not fit");
  for (int64_t o = 0; o < out_in[0]; ++o)
    for (int64_t k = 0; k < out_in[1]; ++k) y.mutable_data<float>()[o * out_in[1] + k] *= scale[static_cast<size_t>(o / block[0] * cols + k / block[1])];
  return y;
}

}  // namespace transformers
