// Finite-difference gradient checks and error measures for unit tests.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "transformers/tensor.h"

namespace transformers::testing {

/// Deterministic values in [-1, 1) (the generator of the conformance data), float64 by default.
inline Tensor noise(const Shape& shape, uint64_t seed = 1, DType dtype = DType::f64, double scale = 1, double offset = 0) {
  Tensor t = Tensor::empty(shape, DType::f64);
  for (int64_t i = 0; i < t.numel(); ++i) {
    uint64_t z = seed * 0x51ED270B7F4A7C15ull + static_cast<uint64_t>(i + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull, z = (z ^ (z >> 27)) * 0x94D049BB133111EBull, z ^= z >> 31;
    t.mutable_data<double>()[i] = offset + scale * (static_cast<double>(z >> 40) * 0x1p-23 - 1);
  }
  return t.to(dtype);
}

/// Normalised mean squared error ||a - b||^2 / ||b||^2 (absolute when b is zero).
inline double nmse(const Tensor& a, const Tensor& b) {
  EXPECT_TRUE(a.shape() == b.shape()) << a.shape().str() << " vs " << b.shape().str();
  const Tensor x = a.detach().to(DType::f64).contiguous(), y = b.detach().to(DType::f64).contiguous();
  double error = 0, size = 0;
  for (int64_t i = 0; i < x.numel() && i < y.numel(); ++i) {
    const double d = x.data<double>()[i] - y.data<double>()[i];
    error += d * d, size += y.data<double>()[i] * y.data<double>()[i];
  }
  return size > 0 ? error / size : error;
}
#define EXPECT_NMSE(actual, expected, tolerance) EXPECT_LE(::transformers::testing::nmse(actual, expected), tolerance)

/// Checks d sum(f(inputs) * noise) / d every input against central differences in float64.
inline void expect_gradient(const std::function<Tensor(const std::vector<Tensor>&)>& f, std::vector<Tensor> inputs, double h = 1e-5,
                            double tolerance = 1e-6) {
  const auto weighted = [&](const Tensor& y, const Tensor& w) {
    const Tensor a = y.detach().contiguous();
    double s = 0;
    for (int64_t i = 0; i < a.numel(); ++i) s += a.data<double>()[i] * w.data<double>()[i];
    return s;
  };
  for (Tensor& x : inputs)
    if (is_floating(x.dtype())) x = x.to(DType::f64).clone().detach(), x.set_requires_grad();
  const Tensor y = f(inputs);
  ASSERT_EQ(y.dtype(), DType::f64);
  const Tensor w = noise(y.shape(), 99);
  y.backward(w);
  for (size_t k = 0; k < inputs.size(); ++k) {
    if (!is_floating(inputs[k].dtype())) continue;
    ASSERT_TRUE(inputs[k].grad().defined()) << "input " << k << " got no gradient";
    const Tensor g = inputs[k].grad().contiguous();
    for (int64_t i = 0; i < inputs[k].numel(); ++i) {
      NoGrad no_grad;
      double* p = inputs[k].mutable_data<double>() + i;
      const double before = *p;
      *p = before + h;
      const double up = weighted(f(inputs), w);
      *p = before - h;
      const double down = weighted(f(inputs), w);
      *p = before;
      const double numeric = (up - down) / (2 * h), ours = g.data<double>()[i];
      ASSERT_NEAR(ours, numeric, tolerance * std::max(1.0, std::fabs(numeric)) * 10) << "input " << k << " element " << i;
    }
  }
}

}  // namespace transformers::testing
