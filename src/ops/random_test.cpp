// Random numbers: the published test vector of Philox, moments, repeatability, draws, dropout.
#include "ops/random.h"

#include "ops/elementwise.h"
#include "ops/index.h"
#include "support/gradient_check.h"

namespace transformers {
namespace {

TEST(Random, IsPhilox) {  // known answer of Random123 for counter 0, key 0: 6627e8d5 e169c58d ...
  manual_seed(0);
  EXPECT_EQ(next_random(), 0xe169c58d6627e8d5ull);
}
TEST(Random, RepeatsFromASavedState) {
  manual_seed(7);
  rand({3});
  const RandomState s = random_state();
  const auto a = randn({1001}).to_floats();
  set_random_state(s);
  EXPECT_EQ(randn({1001}).to_floats(), a);
  EXPECT_NE(randn({1001}).to_floats(), a);
}
TEST(Random, HasTheRightMoments) {
  manual_seed(1);
  for (DType t : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
    const Tensor n = randn({200000}, t).to(DType::f64), u = rand({200000}, t).to(DType::f64);
    EXPECT_NEAR(mean(n).item(), 0, 0.01);
    EXPECT_NEAR(var(n).item(), 1, 0.02);
    EXPECT_NEAR(mean(square(square(n))).item(), 3, 0.15);
    EXPECT_NEAR(mean(u).item(), 0.5, 0.005);
    EXPECT_NEAR(var(u).item(), 1.0 / 12, 0.002);
    EXPECT_GE(amin(u).item(), 0);
    EXPECT_LT(amax(u).item(), 1);
  }
  EXPECT_NEAR(mean(bernoulli({100000}, 0.3).to(DType::f64)).item(), 0.3, 0.01);
  const Tensor i = randint(-2, 3, {1000});
  EXPECT_EQ(unique(i).to_ints(), (std::vector<int64_t>{-2, -1, 0, 1, 2}));
  EXPECT_EQ(sort(randperm(100)).values.to_ints(), arange(100).to_ints());
}
TEST(Random, Draws) {
  manual_seed(2);
  const Tensor p = Tensor::of({1, 0, 3, 6});
  const Tensor counts = bincount(multinomial(p, 20000, true), 4);
  EXPECT_EQ(counts.to_ints()[1], 0);
  EXPECT_NEAR(static_cast<double>(counts.to_ints()[3]) / 20000, 0.6, 0.02);
  EXPECT_EQ(sort(multinomial(p, 3)).values.to_ints(), (std::vector<int64_t>{0, 2, 3}));
  EXPECT_EQ(multinomial(p.unsqueeze(0).expand({5, 4}), 1).shape(), (Shape{5, 1}));
  EXPECT_THROW(multinomial(p, 4), ValueError);
  EXPECT_THROW(multinomial(Tensor::zeros({3}), 1, true), ValueError);
  EXPECT_THROW(multinomial(Tensor::of({1, NAN}), 1), ValueError);
}
TEST(Random, Dropout) {
  Tensor x = Tensor::full({100, 100}, 2);
  x.set_requires_grad();
  EXPECT_TRUE(dropout(x, 0).same_storage(x));
  const Tensor y = dropout(x, 0.25);
  EXPECT_NEAR(mean(y).item(), 2, 0.05);
  y.backward(Tensor::full({100, 100}, 1));
  EXPECT_NMSE(x.grad() * 2.0, y, 1e-12);
  EXPECT_EQ(amax(abs(dropout(x, 1))).item(), 0);
  EXPECT_THROW(dropout(x, 1.5), ValueError);
  const Tensor rows = drop_path(Tensor::full({50, 3}, 1), 0.5);
  EXPECT_NMSE(amax(rows, {1}), amin(rows, {1}), 0);
}

}  // namespace
}  // namespace transformers
