// One number that depends on every value of a tensor, to compare with numbers computed by PyTorch on the same noise.
#pragma once
#include "support/gradient_check.h"

namespace transformers::testing {

/// sum(y * noise(y.shape, 77)) in f64.
inline double probe(const Tensor& y) {
  const Tensor a = y.detach().to(DType::f64).contiguous(), w = noise(y.shape(), 77);
  double s = 0;
  for (int64_t i = 0; i < a.numel(); ++i) s += a.data<double>()[i] * w.data<double>()[i];
  return s;
}

}  // namespace transformers::testing
