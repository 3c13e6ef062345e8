// Reductions, scans and softmax: values, layouts, 16-bit types, gradients.
#include "ops/reduce.h"

#include "ops/elementwise.h"
#include "support/gradient_check.h"

namespace transformers {
namespace {
using testing::expect_gradient;
using testing::noise;
using List = std::vector<Tensor>;

TEST(Reduce, SumsOverAnyDims) {
  const Tensor x = noise({3, 4, 5, 2});
  const auto at = [&](int64_t i, int64_t j, int64_t k, int64_t l) { return x.data<double>()[((i * 4 + j) * 5 + k) * 2 + l]; };
  const Tensor last = sum(x, {-1}), middle = sum(x, {1, 2}), split = sum(x, {0, 2}, true), whole = sum(x);
  ASSERT_EQ(split.shape(), (Shape{1, 4, 1, 2}));
  double total = 0;
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t l = 0; l < 2; ++l) {
      double m = 0;
      for (int64_t j = 0; j < 4; ++j)
        for (int64_t k = 0; k < 5; ++k) m += at(i, j, k, l);
      EXPECT_NEAR(middle.data<double>()[i * 2 + l], m, 1e-12);
      total += m;
    }
  EXPECT_NEAR(last.data<double>()[7], at(0, 1, 2, 0) + at(0, 1, 2, 1), 1e-15);
  EXPECT_NEAR(split.data<double>()[1], sum(x.select(1, 0).select(-1, 1)).item(), 1e-12);
  EXPECT_NEAR(whole.item(), total, 1e-12);
  EXPECT_NMSE(sum(x.permute({3, 0, 2, 1}), {0, 3}), sum(x, {1, 3}).contiguous(), 1e-30);
  EXPECT_THROW(sum(x, {1, 1}), ShapeError);
  EXPECT_THROW(sum(x, {4}), ShapeError);
}
TEST(Reduce, Types) {
  EXPECT_EQ(sum(Tensor::ids({1, 2, 3})).dtype(), DType::i64);
  EXPECT_EQ(sum(gt(Tensor::of({1, 0, 2}), 0)).item_int(), 2);
  EXPECT_THROW(mean(Tensor::ids({1})), DTypeError);
  // 16-bit sums do not saturate: 5000 ones.
  EXPECT_EQ(mean(Tensor::full({5000}, 1, DType::bf16)).item(), 1);
  EXPECT_EQ(sum(Tensor::full({5000}, 1, DType::f16)).item(), 5000);
  EXPECT_EQ(sum(Tensor::zeros({0, 3}), {0}).to_floats(), (std::vector<float>{0, 0, 0}));
  EXPECT_TRUE(std::isnan(mean(Tensor::zeros({0})).item()));
  EXPECT_THROW(amax(Tensor::zeros({0})), ShapeError);
}
TEST(Reduce, LongFloatSumsAreAccurate) {
  const Tensor x = noise({3, 100000}, 1, DType::f32);
  EXPECT_NMSE(sum(x, {1}), sum(x.to(DType::f64), {1}), 1e-13);
  EXPECT_NMSE(sum(x.t().contiguous(), {0}), sum(x.to(DType::f64), {1}), 1e-13);
  EXPECT_NMSE(mean(x, {0}), mean(x.to(DType::f64), {0}), 1e-13);
  EXPECT_NMSE(sum(x), sum(x.to(DType::f64)), 1e-12);
}
TEST(Reduce, Extremes) {
  const Tensor x = Tensor::from(std::vector<float>{1, 5, 5, NAN, 0, 2}, {2, 3});
  const auto [values, indices] = max(x, 1);
  EXPECT_EQ(indices.to_ints(), (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(values.to_floats()[0], 5);
  EXPECT_TRUE(std::isnan(amax(x, {1}).to_floats()[1]));
  EXPECT_TRUE(std::isnan(amin(x, {1}).to_floats()[1]));
  EXPECT_EQ(argmin(Tensor::ids({3, 1, 1})).item_int(), 1);
  EXPECT_EQ(argmax(x.t(), 0, true).shape(), (Shape{1, 2}));
  EXPECT_TRUE(any(x).item_int() && !all(x).item_int());
  EXPECT_EQ(all(gt(Tensor::ids({1, 2}), 0)).item_int(), 1);
  EXPECT_EQ(amax(Tensor::full({9}, -INFINITY)).item(), -INFINITY);
}
TEST(Reduce, Gradients) {
  const List x{noise({3, 4, 5})};
  for (const Shape& d : {Shape{}, Shape{-1}, Shape{0, 2}, Shape{1}}) {
    expect_gradient([&](const List& t) { return sum(t[0], d); }, x);
    expect_gradient([&](const List& t) { return mean(t[0], d, true); }, x);
    expect_gradient([&](const List& t) { return var(t[0], d); }, x);
    expect_gradient([&](const List& t) { return std_dev(t[0], d, 0); }, x);
    expect_gradient([&](const List& t) { return amax(t[0], d); }, x);
    expect_gradient([&](const List& t) { return amin(t[0], d, true); }, x);
    expect_gradient([&](const List& t) { return norm(t[0], 2, d); }, x);
    expect_gradient([&](const List& t) { return norm(t[0], 3, d); }, x);
    expect_gradient([&](const List& t) { return norm(t[0], 1, d); }, x);
    expect_gradient([&](const List& t) { return norm(t[0], INFINITY, d); }, x);
  }
  for (int64_t d : {0, 1, -1}) {
    expect_gradient([&](const List& t) { return max(t[0], d).values; }, x);
    expect_gradient([&](const List& t) { return min(t[0], d, true).values; }, x);
    expect_gradient([&](const List& t) { return prod(t[0], d); }, x);
    expect_gradient([&](const List& t) { return logsumexp(t[0], d); }, x);
    expect_gradient([&](const List& t) { return cumsum(t[0], d); }, x);
    expect_gradient([&](const List& t) { return cumprod(t[0], d); }, x);
    expect_gradient([&](const List& t) { return softmax(t[0], d); }, x);
    expect_gradient([&](const List& t) { return log_softmax(t[0], d); }, x);
  }
  Tensor zeros = Tensor::from(std::vector<double>{2, 0, 3, 0, 4}, {5});
  expect_gradient([](const List& t) { return cumprod(t[0], 0); }, {zeros});
  expect_gradient([](const List& t) { return prod(t[0].narrow(0, 0, 3), 0); }, {zeros});
}
TEST(Reduce, TiesShareTheGradientOfAmax) {
  Tensor x = Tensor::of({3, 1, 3});
  x.set_requires_grad();
  amax(x).backward();
  EXPECT_EQ(x.grad().to_floats(), (std::vector<float>{0.5, 0, 0.5}));
}
TEST(Reduce, ScansCount) {
  EXPECT_EQ(cumsum(Tensor::ids({1, 2, 3}), 0).to_ints(), (std::vector<int64_t>{1, 3, 6}));
  EXPECT_EQ(cumsum(gt(Tensor::of({1, 0, 1}), 0), 0).to_ints(), (std::vector<int64_t>{1, 1, 2}));
  EXPECT_EQ(cumprod(Tensor::ids({2, 3, 4}), -1).to_ints(), (std::vector<int64_t>{2, 6, 24}));
}
TEST(Softmax, IsAccurateForAnyLength) {
  for (int64_t n : {1, 3, 8, 17, 64, 1000}) {
    const Tensor x = noise({7, n}, static_cast<uint64_t>(n), DType::f32, 20);
    const Tensor exact = x.to(DType::f64);
    EXPECT_NMSE(softmax(x), softmax(exact), 1e-13) << n;
    EXPECT_NMSE(log_softmax(x), log_softmax(exact), 1e-13) << n;
    EXPECT_NMSE(softmax(x, 0), softmax(exact, 0), 1e-13) << n;
    EXPECT_NMSE(sum(softmax(exact), {1}), Tensor::full({7}, 1, DType::f64), 1e-28);
  }
}
TEST(Softmax, MaskedAndNarrow) {
  const Tensor x = Tensor::of({0, -INFINITY, 0});
  EXPECT_EQ(softmax(x).to_floats(), (std::vector<float>{0.5, 0, 0.5}));
  EXPECT_EQ(softmax(Tensor::of({1000, 1000})).to_floats(), (std::vector<float>{0.5, 0.5}));
  EXPECT_TRUE(std::isnan(softmax(Tensor::full({3}, -INFINITY)).to_floats()[0]));  // as in torch
  EXPECT_TRUE(std::isnan(softmax(Tensor::of({1, NAN, 2})).to_floats()[0]));
  EXPECT_EQ(logsumexp(Tensor::full({3}, -INFINITY), 0).item(), -INFINITY);
  const Tensor half = noise({4, 300}, 1, DType::bf16, 5), wide = softmax(half.to(DType::f32));
  EXPECT_NMSE(softmax(half), wide.to(DType::bf16), 0);
  EXPECT_NMSE(softmax(half.to(DType::f16)), softmax(half.to(DType::f16).to(DType::f32)).to(DType::f16), 0);
}

}  // namespace
}  // namespace transformers
