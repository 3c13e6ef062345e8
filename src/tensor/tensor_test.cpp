#include "transformers/tensor.h"

#include <gtest/gtest.h>

namespace transformers {
static Tensor iota(const Shape& s) {
  std::vector<float> v(static_cast<size_t>(s.numel()));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i);
  return Tensor::from(v, s);
}
TEST(Tensor, ViewsShareStorageAndReshapeCopiesWhenItMust) {
  const Tensor x = iota({2, 3, 4});
  EXPECT_TRUE(x.view({6, 4}).same_storage(x));
  const Tensor y = x.transpose(0, 2);
  EXPECT_FALSE(y.is_contiguous());
  EXPECT_THROW(y.view({24}), ShapeError);
  EXPECT_EQ(y.reshape({-1}).to_floats()[1], 12);
  EXPECT_TRUE(x.transpose(0, 1).view({3, 2, 2, 2}).same_storage(x));
  EXPECT_EQ(x.select(1, -1).slice(1, 0, 4, 2).to_floats(), (std::vector<float>{8, 10, 20, 22}));
  EXPECT_EQ(x.permute({2, 0, 1}).contiguous().to_floats()[1], 4);
  EXPECT_EQ(iota({3, 1}).expand({3, 2}).to_floats(), (std::vector<float>{0, 0, 1, 1, 2, 2}));
}
TEST(Tensor, SixteenBitTypesRoundToNearestEven) {
  for (DType t : {DType::f16, DType::bf16}) {
    const Tensor x = Tensor::of({1.f, -2.5f, 0.f, 1e-7f, 65504.f, 3.14159274f}).to(t).to(DType::f32);
    EXPECT_NEAR(x.to_floats()[5], 3.14159274f, t == DType::f16 ? 1e-3 : 1e-2);
    EXPECT_EQ(x.to_floats()[1], -2.5f);
  }
}
TEST(Tensor, BackwardThroughViewsAndSharedUse) {
  Tensor x = iota({2, 3});
  x.set_requires_grad();
  const Tensor y = x.transpose(0, 1).slice(0, 1, 3).reshape({4});
  y.backward(Tensor::of({1, 2, 3, 4}));
  EXPECT_EQ(x.grad().to_floats(), (std::vector<float>{0, 1, 3, 0, 2, 4}));
  x.expand({2, 2, 3}).backward(Tensor::full({2, 2, 3}, 1));
  EXPECT_EQ(x.grad().to_floats(), (std::vector<float>{2, 3, 5, 2, 4, 6}));
}
TEST(Tensor, RejectsBadShapes) {
  const Tensor x = iota({2, 3});
  EXPECT_THROW(x.reshape({4, 2}), ShapeError);
  EXPECT_THROW(x.select(0, 2), ShapeError);
  EXPECT_THROW(x.dim(2), ShapeError);
  EXPECT_THROW(Tensor::empty({int64_t{1} << 40, int64_t{1} << 40}), ShapeError);
  EXPECT_THROW(x.data<double>(), DTypeError);
}
TEST(Tensor, DeepGraphsAreFreedWithoutRecursion) {
  Tensor x = iota({1});
  x.set_requires_grad();
  Tensor y = x;
  for (int i = 0; i < 200000; ++i) y = y.clone();
  y.backward();
  EXPECT_EQ(x.grad().item(), 1);
}
TEST(Allocator, ReusesFreedBlocks) {
  { const Tensor warm = Tensor::empty({1000}); }
  const int64_t before = memory_stats().system_allocations;
  for (int i = 0; i < 10; ++i) Tensor::empty({1000});
  EXPECT_EQ(memory_stats().system_allocations, before);
}
}  // namespace transformers
