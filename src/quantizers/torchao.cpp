// torchao's weight-only tensors (int8, float8) and plain int8 rows: w = (qdata - zero_point) * scale, scales per row or per
// group of a row.
#include "quantizers/layer.h"

namespace transformers {

Tensor dequantize_torchao(const Json&, const LayerTensors& tensors, const Shape& out_in) {
  const LayerReader r("torchao", tensors);
  const std::string base = r.has("weight.qdata") ? "weight." : "";
  const Tensor& w = r.get(base + "qdata", 2);
  const int64_t out = out_in[0], in = out_in[1];
  r.check(w.shape() == out_in && (w.dtype() == DType::i8 || w.dtype() == DType::f8_e4m3 || w.dtype() == DType::f8_e5m2), "qdata " + w.shape().str() + " does not fit the layer " + out_in.str());
  const auto cells = [&](const std::string& name) {
    std::vector<float> v = r.floats(name);
    const int64_t n = static_cast<int64_t>(v.size());
    r.check(n == 1 || (n % out == 0 && in % (n / out) == 0), name + " does not fit the layer " + out_in.str());
    return v;
  };
  const auto at = [&](const std::vector<float>& v, int64_t o, int64_t k) {
    const int64_t n = static_cast<int64_t>(v.size()), per_row = n / out;
    return n == 1 ? v[0] : v[static_cast<size_t>(o * per_row + k / (in / per_row))];
  };
  const std::vector<float> scale = cells(base + "scale"), zero = r.has(base + "zero_point") ? cells(base + "zero_point") : std::vector<float>{0};
  Tensor y = w.detach().to(DType::f32).clone();
  float* to = y.mutable_data<float>();
  for (int64_t o = 0; o < out; ++o)
    for (int64_t k = 0; k < in; ++k) to[o * in + k] = (to[o * in + k] - at(zero, o, k)) * at(scale, o, k);
  return y;
}

}  // namespace transformers
