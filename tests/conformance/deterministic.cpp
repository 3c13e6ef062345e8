// Deterministic tensors and comparisons.
#include "deterministic.h"

#include <cmath>

namespace transformers::conformance {

Tensor uniform_f64(const std::string& key, const Shape& shape) {
  uint64_t h = 0xcbf29ce484222325ull;
  for (unsigned char c : key) h = (h ^ c) * 0x100000001b3ull;
  Tensor t = Tensor::empty(shape, DType::f64);
  double* p = t.mutable_data<double>();
  for (int64_t i = 0; i < t.numel(); ++i) {
    uint64_t z = h + static_cast<uint64_t>(i + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull, z = (z ^ (z >> 27)) * 0x94D049BB133111EBull, z ^= z >> 31;
    p[i] = static_cast<double>(z >> 40) * 0x1p-23 - 1.0;
  }
  return t;
}
Tensor deterministic(const std::string& key, const Shape& shape, double scale, double offset) {
  Tensor u = uniform_f64(key, shape);
  Tensor t = Tensor::empty(shape);
  for (int64_t i = 0; i < t.numel(); ++i) t.mutable_data<float>()[i] = static_cast<float>(offset + scale * u.data<double>()[i]);
  return t;
}

std::string compare(const Tensor& ours, const Tensor& expected, int64_t stride, double limit) {
  const Tensor a = ours.detach().to(DType::f64).contiguous(), b = expected.to(DType::f64).contiguous();
  if ((a.numel() + stride - 1) / stride < b.numel()) return cat({"too few values: ", a.shape().str()});
  double worst = -1;
  int64_t at = 0;
  for (int64_t i = 0; i < b.numel(); ++i) {
    const double x = a.data<double>()[i * stride], y = b.data<double>()[i];
    if (std::isnan(x) && std::isnan(y)) continue;
    if (std::fabs(y) > 1e30 || !std::isfinite(y)) {  // a mask value: ours must be as extreme, with the same sign
      if (!(std::fabs(x) > 1e30) || (x < 0) != (y < 0)) return cat({"element ", i * stride, ": ", x, ", expected ", y});
      continue;
    }
    const double d = std::isfinite(x) ? std::fabs(x - y) : INFINITY;
    if (d > worst) worst = d, at = i;
  }
  if (worst <= limit) return "";
  return cat({"differs by ", worst, " (limit ", limit, ") at ", at * stride, ": ", a.data<double>()[at * stride], ", expected ", b.data<double>()[at]});
}

Shape shape_of(const Json& list) {
  Shape s;
  for (const Json& d : list.as_array()) s.push_back(d.as_int());
  return s;
}

}  // namespace transformers::conformance
