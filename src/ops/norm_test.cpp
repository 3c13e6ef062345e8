#include "ops/norm.h"

#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "support/gradient_check.h"

namespace transformers {
using testing::expect_gradient;
using testing::noise;

static Tensor layer_norm_reference(const Tensor& x, const Tensor& w, const Tensor& b, double eps) {
  const Tensor m = mean(x, {-1}, true), c = x - m;
  return c / sqrt(mean(square(c), {-1}, true) + eps) * w + b;
}

TEST(Norm, RowsMatchThePlainFormForEveryTypeAndWidth) {
  for (DType t : {DType::f64, DType::f32, DType::f16, DType::bf16})
    for (int64_t n : {1, 7, 16, 100, 257}) {
      const Tensor x = noise({3, 5, n}, 1, t, 2, 0.5), w = noise({n}, 2, t), b = noise({n}, 3, t);
      const Tensor wide = x.to(DType::f64), ww = w.to(DType::f64), wb = b.to(DType::f64);
      const double tolerance = t == DType::f64 ? 1e-24 : t == DType::f32 ? 1e-12 : t == DType::f16 ? 1e-6 : 1e-4;
      EXPECT_NMSE(layer_norm(x, w, b, 1e-3), layer_norm_reference(wide, ww, wb, 1e-3), tolerance);
      EXPECT_NMSE(layer_norm(x.transpose(0, 1), w, {}, 1e-3), layer_norm_reference(wide.transpose(0, 1), ww, zeros_like(wb), 1e-3), tolerance);
      const Tensor rms = wide / sqrt(mean(square(wide), {-1}, true) + 1e-3);
      EXPECT_NMSE(rms_norm(x, w, 1e-3), rms * ww, tolerance);
      EXPECT_NMSE(rms_norm(x, w, 1e-3, 1), rms * (ww + 1.0), tolerance);
      EXPECT_NMSE(rms_norm(x, {}, 1e-3), rms, tolerance);
      const auto [sum_, normed] = add_rms_norm(x, x, w, 1e-3);
      EXPECT_NMSE(sum_, wide + wide, tolerance);
      EXPECT_NMSE(normed, rms_norm(x + x, w, 1e-3), tolerance);
    }
}

TEST(Norm, Gradients) {
  const std::vector<Tensor> rows{noise({3, 2, 9}, 1), noise({9}, 2), noise({9}, 3)};
  expect_gradient([](const auto& v) { return layer_norm(v[0], v[1], v[2], 1e-3); }, rows);
  expect_gradient([](const auto& v) { return layer_norm(v[0], v[1], v[2], 1e-3); }, {noise({3, 2, 4}, 1), noise({2, 4}, 2), noise({2, 4}, 3)});
  expect_gradient([](const auto& v) { return layer_norm(v[0], {}, {}, 1e-3, 2); }, {noise({3, 2, 4}, 1)});
  expect_gradient([](const auto& v) { return rms_norm(v[0], v[1], 1e-3, 1); }, {rows[0], rows[1]});
  expect_gradient([](const auto& v) { return add_rms_norm(v[0], v[1], v[2], 1e-3).second; }, {rows[0], noise({3, 2, 9}, 7), rows[1]});
  expect_gradient([](const auto& v) { return group_norm(v[0], 2, v[1], v[2], 1e-3); }, {noise({2, 4, 3, 2}, 1), noise({4}, 2), noise({4}, 3)});
  expect_gradient([](const auto& v) { return instance_norm(v[0], v[1], {}, 1e-3); }, {noise({2, 3, 5}, 1), noise({3}, 2)});
  expect_gradient([](const auto& v) { return batch_norm(v[0], {}, {}, v[1], v[2], 1e-3, true); }, {noise({3, 4, 3}, 1), noise({4}, 2), noise({4}, 3)});
  const Tensor m = noise({4}, 5), s = noise({4}, 6, DType::f64, 0.5, 1);
  expect_gradient([&](const auto& v) { return batch_norm(v[0], m, s, v[1], v[2], 1e-3); }, {noise({3, 4, 3}, 1), noise({4}, 2), noise({4}, 3)});
  for (double p : {1.0, 2.0, 3.0}) expect_gradient([&](const auto& v) { return normalize(v[0], p, 1); }, {noise({2, 4, 3}, 1)});
}

TEST(Norm, PlanesMatchThePlainForm) {
  for (DType t : {DType::f64, DType::f32, DType::bf16}) {
    const double tolerance = t == DType::f64 ? 1e-24 : t == DType::f32 ? 1e-11 : 1e-4;
    const Tensor x = noise({2, 6, 5, 7}, 1, t), w = noise({6}, 2, t), b = noise({6}, 3, t), wide = x.to(DType::f64);
    const Tensor ww = w.to(DType::f64).view({6, 1, 1}), wb = b.to(DType::f64).view({6, 1, 1});
    const Tensor g = wide.reshape({2, 3, 70}), gn = layer_norm_reference(g, Tensor::scalar(1, DType::f64), Tensor::scalar(0, DType::f64), 1e-5).reshape(x.shape());
    EXPECT_NMSE(group_norm(x, 3, w, b, 1e-5), gn * ww + wb, tolerance);
    const Tensor m = mean(wide, {0, 2, 3}, true), v = mean(square(wide - m), {0, 2, 3}, true);
    Tensor running_mean = Tensor::zeros({6}), running_var = Tensor::full({6}, 1);
    EXPECT_NMSE(batch_norm(x, running_mean, running_var, w, b, 1e-5, true, 0.1), (wide - m) / sqrt(v + 1e-5) * ww + wb, tolerance);
    EXPECT_NMSE(running_mean, m.reshape({6}) * 0.1, 1e-9);
    EXPECT_NMSE(running_var, v.reshape({6}) * (0.1 * 70 / 69) + 0.9, 1e-9);
  }
}

TEST(Norm, RejectsWhatDoesNotFit) {
  const Tensor x = noise({2, 6}, 1, DType::f32);
  EXPECT_THROW(layer_norm(x, noise({5}, 1), {}, 1e-5), ShapeError);
  EXPECT_THROW(rms_norm(x, noise({5}, 1), 1e-5), ShapeError);
  EXPECT_THROW(group_norm(x, 4, {}, {}, 1e-5), ShapeError);
  EXPECT_THROW(batch_norm(x, {}, {}, {}, {}, 1e-5), ValueError);
  EXPECT_THROW(layer_norm(Tensor::ids({1, 2}), {}, {}, 1e-5), DTypeError);
}
}  // namespace transformers
