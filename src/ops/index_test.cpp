// Indexing, joining, padding, ordering: values by hand, gradients by finite differences.
#include "ops/index.h"

#include "ops/activation.h"
#include "ops/elementwise.h"
#include "support/gradient_check.h"

namespace transformers {
namespace {
using testing::expect_gradient;
using testing::noise;
using List = std::vector<Tensor>;
using Ints = std::vector<int64_t>;

TEST(Index, Makes) {
  EXPECT_EQ(arange(1, 8, 3, DType::i64).to_ints(), (Ints{1, 4, 7}));
  EXPECT_EQ(linspace(0, 1, 5).to_floats(), (std::vector<float>{0, 0.25, 0.5, 0.75, 1}));
  EXPECT_EQ(eye(2, DType::i64).to_ints(), (Ints{1, 0, 0, 1}));
  const Tensor m = arange(9).reshape({3, 3});
  EXPECT_EQ(tril(m).to_ints(), (Ints{0, 0, 0, 3, 4, 0, 6, 7, 8}));
  EXPECT_EQ(triu(m, 1).to_ints(), (Ints{0, 1, 2, 0, 0, 5, 0, 0, 0}));
  EXPECT_EQ(tril(m, -5).to_ints(), Ints(9, 0));
  EXPECT_EQ(one_hot(Tensor::ids({2, 0}), 3).to_ints(), (Ints{0, 0, 1, 1, 0, 0}));
  EXPECT_THROW(one_hot(Tensor::ids({3}), 3), ShapeError);
  EXPECT_THROW(arange(0, 1, 0, DType::f32), ValueError);
}
TEST(Index, Joins) {
  const Tensor a = arange(4).reshape({2, 2}), b = a + 10.0;
  EXPECT_EQ(cat({a, b}, 1).to_ints(), (Ints{0, 1, 10, 11, 2, 3, 12, 13}));
  EXPECT_EQ(cat({Tensor::zeros({0}), a, b}).shape(), (Shape{4, 2}));
  EXPECT_EQ(cat({a, b.to(DType::f32)}).dtype(), DType::f32);
  EXPECT_EQ(stack({a, b}, -1).to_ints(), (Ints{0, 10, 1, 11, 2, 12, 3, 13}));
  EXPECT_THROW(cat({a, arange(3).reshape({1, 3})}), ShapeError);
  EXPECT_EQ(repeat(arange(2), {2, 3}).to_ints(), (Ints{0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(repeat_interleave(a, 2, 1).to_ints(), (Ints{0, 0, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(flip(a, {0, 1}).to_ints(), (Ints{3, 2, 1, 0}));
  EXPECT_EQ(roll(arange(5), {2}, {0}).to_ints(), (Ints{3, 4, 0, 1, 2}));
  EXPECT_EQ(roll(arange(5), {-1}, {0}).to_ints(), (Ints{1, 2, 3, 4, 0}));
  EXPECT_EQ(unfold_dim(arange(6), 0, 3, 2).to_ints(), (Ints{0, 1, 2, 2, 3, 4}));
  EXPECT_EQ(diagonal(a).to_ints(), (Ints{0, 3}));
}
TEST(Index, Pads) {
  const Tensor x = arange(3);
  EXPECT_EQ(pad(x, {1, 2}, 9).to_ints(), (Ints{9, 0, 1, 2, 9, 9}));
  EXPECT_EQ(pad(x, {2, 1}, 0, PadMode::reflect).to_ints(), (Ints{2, 1, 0, 1, 2, 1}));
  EXPECT_EQ(pad(x, {2, 1}, 0, PadMode::replicate).to_ints(), (Ints{0, 0, 0, 1, 2, 2}));
  EXPECT_EQ(pad(x, {2, 1}, 0, PadMode::circular).to_ints(), (Ints{1, 2, 0, 1, 2, 0}));
  EXPECT_EQ(pad(x, {-1, 1}, 7).to_ints(), (Ints{1, 2, 7}));
  EXPECT_EQ(pad(arange(4).reshape({2, 2}), {0, 0, 1, 0}).shape(), (Shape{3, 2}));
  EXPECT_THROW(pad(x, {3, 0}, 0, PadMode::reflect), ShapeError);
  EXPECT_THROW(pad(x, {-4, 0}), ShapeError);
}
TEST(Index, Picks) {
  const Tensor table = arange(6).reshape({3, 2});
  EXPECT_EQ(embedding(Tensor::ids({2, 0}).to(DType::i32), table).to_ints(), (Ints{4, 5, 0, 1}));
  EXPECT_THROW(embedding(Tensor::ids({3}), table), ShapeError);
  EXPECT_THROW(embedding(Tensor::ids({-1}), table), ShapeError);
  EXPECT_THROW(embedding(Tensor::of({1}), table), DTypeError);
  const Tensor at = Tensor::ids({1, 0, 1}).unsqueeze(1);
  EXPECT_EQ(gather(table, 1, at).to_ints(), (Ints{1, 2, 5}));
  EXPECT_EQ(gather(table.t(), 0, at.t()).to_ints(), (Ints{1, 2, 5}));
  EXPECT_THROW(gather(table, 1, at + 1.0), ShapeError);
  EXPECT_EQ(take_along_dim(table, Tensor::ids({1, 0}).unsqueeze(0), 0).to_ints(), (Ints{2, 1}));
  EXPECT_EQ(index_select(table, 1, Tensor::ids({1, 1})).to_ints(), (Ints{1, 1, 3, 3, 5, 5}));
  EXPECT_EQ(index_rows(table, Tensor::ids({-1})).to_ints(), (Ints{4, 5}));
  EXPECT_EQ(index_put_get(table, {Tensor::ids({0, 2}), Tensor::ids({1, 0})}).to_ints(), (Ints{1, 4}));
  EXPECT_EQ(index_put_get(table, {arange(3).unsqueeze(1), arange(2)}).to_ints(), table.to_ints());
  EXPECT_EQ(scatter(table, 1, at, 9).to_ints(), (Ints{0, 9, 9, 3, 4, 9}));
  EXPECT_EQ(scatter_add(Tensor::zeros({3}), 0, Tensor::ids({1, 1, 0}), Tensor::of({1, 2, 4})).to_floats(), (std::vector<float>{4, 3, 0}));
  EXPECT_EQ(index_add(table, 0, Tensor::ids({0, 0}), table.narrow(0, 1, 2)).to_ints(), (Ints{6, 9, 2, 3, 4, 5}));
  const Tensor mask = Tensor::ids({1, 0, 1}).to(DType::boolean);
  EXPECT_EQ(masked_select_rows(table, mask).to_ints(), (Ints{0, 1, 4, 5}));
  EXPECT_EQ(masked_scatter_rows(table, mask, table.narrow(0, 0, 2) + 10.0).to_ints(), (Ints{10, 11, 2, 3, 12, 13}));
  EXPECT_EQ(slice_scatter(table, Tensor::ids({7, 8, 9}).unsqueeze(1), 1, 1, 2).to_ints(), (Ints{0, 7, 2, 8, 4, 9}));
}
TEST(Index, Orders) {
  const Tensor x = Tensor::of({1, 3, NAN, 3, -2});
  EXPECT_EQ(topk(x, 3).indices.to_ints(), (Ints{2, 1, 3}));
  EXPECT_EQ(topk(x, 2, 0, false).indices.to_ints(), (Ints{4, 0}));
  EXPECT_EQ(argsort(x).to_ints(), (Ints{4, 0, 1, 3, 2}));
  EXPECT_EQ(argsort(x, 0, true).to_ints(), (Ints{2, 1, 3, 0, 4}));
  const Tensor m = noise({4, 30, 3}, 2, DType::f32);
  const auto full = sort(m, 1, true), part = topk(m, 7, 1);
  EXPECT_NMSE(part.values, full.values.narrow(1, 0, 7), 0);
  EXPECT_THROW(topk(x, 6), ShapeError);
  EXPECT_EQ(nonzero(Tensor::ids({0, 1, 2, 0}).reshape({2, 2})).to_ints(), (Ints{0, 1, 1, 0}));
  EXPECT_EQ(bincount(Tensor::ids({1, 1, 3}), 6).to_ints(), (Ints{0, 2, 0, 1, 0, 0}));
  EXPECT_EQ(bucketize(Tensor::ids({0, 1, 3, 9}), Tensor::ids({1, 3})).to_ints(), (Ints{0, 0, 1, 2}));
  EXPECT_EQ(bucketize(Tensor::ids({0, 1, 3, 9}), Tensor::ids({1, 3}), true).to_ints(), (Ints{0, 1, 2, 2}));
  EXPECT_EQ(unique(Tensor::ids({3, 1, 3, 2, 1})).to_ints(), (Ints{1, 2, 3}));
}
TEST(Index, Gradients) {
  const List x{noise({3, 4, 2})};
  const Tensor at = Tensor::ids({2, 0, 2, 1}), spread = at.reshape({1, 4, 1}).expand({2, 4, 2}).contiguous();
  const Tensor mask = Tensor::ids({1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0}).reshape({3, 4}).to(DType::boolean);
  expect_gradient([&](const List& t) { return tril(t[0], 1); }, x);
  expect_gradient([&](const List& t) { return triu(t[0]); }, x);
  expect_gradient([&](const List& t) { return cat({t[0], t[0] * 2.0, t[1]}, 1); }, {x[0], noise({3, 1, 2}, 4)});
  expect_gradient([&](const List& t) { return stack({t[0], t[0]}, 1); }, x);
  expect_gradient([&](const List& t) { return repeat(t[0], {2, 1, 3, 2}); }, x);
  expect_gradient([&](const List& t) { return repeat_interleave(t[0], 3, 1); }, x);
  expect_gradient([&](const List& t) { return flip(t[0], {0, -1}); }, x);
  expect_gradient([&](const List& t) { return roll(t[0], {1, -2}, {1, 0}); }, x);
  expect_gradient([&](const List& t) { return unfold_dim(t[0], 1, 3, 1); }, x);
  expect_gradient([&](const List& t) { return diagonal(t[0], 0, 2); }, x);
  expect_gradient([&](const List& t) { return pad(t[0], {1, -1, 2, 0}, 3); }, x);
  expect_gradient([&](const List& t) { return pad(t[0], {1, 0, 2, 3}, 0, PadMode::reflect); }, x);
  expect_gradient([&](const List& t) { return pad(t[0], {0, 1, 1, 1}, 0, PadMode::circular); }, x);
  expect_gradient([&](const List& t) { return embedding(at, t[0]); }, {noise({3, 5})});
  expect_gradient([&](const List& t) { return gather(t[0], 0, spread); }, x);
  expect_gradient([&](const List& t) { return take_along_dim(t[0], at.reshape({1, 4, 1}), 0); }, x);
  for (int64_t d : {0, 1}) expect_gradient([&](const List& t) { return index_select(t[0], d, at); }, x);
  expect_gradient([&](const List& t) { return index_put_get(t[0], {at, at + 1.0}); }, x);
  expect_gradient([&](const List& t) { return scatter(t[0], 0, spread.narrow(0, 0, 1), t[1]); }, {x[0], noise({1, 4, 2}, 7)});
  expect_gradient([&](const List& t) { return scatter(t[0], 0, spread, 5.0); }, x);
  expect_gradient([&](const List& t) { return scatter_add(t[0], 0, spread, t[1]); }, {x[0], noise({3, 4, 2}, 7)});
  expect_gradient([&](const List& t) { return index_add(t[0], 1, Tensor::ids({3, 3}), t[1]); }, {x[0], noise({3, 2, 2}, 7)});
  expect_gradient([&](const List& t) { return masked_select_rows(t[0], mask); }, x);
  expect_gradient([&](const List& t) { return masked_scatter_rows(t[0], mask, t[1]); }, {x[0], noise({6, 2}, 7)});
  expect_gradient([&](const List& t) { return slice_scatter(t[0], t[1], 1, 1, 3); }, {x[0], noise({3, 2, 2}, 7)});
  expect_gradient([&](const List& t) { return topk(t[0], 2, 1).values; }, x);
  expect_gradient([&](const List& t) { return sort(t[0], 0, true).values; }, x);
}
TEST(Index, PaddingRowGetsNoGradient) {
  Tensor table = noise({3, 2}, 1, DType::f32);
  table.set_requires_grad();
  embedding(Tensor::ids({0, 1, 1}), table, 0).backward(Tensor::full({3, 2}, 1));
  EXPECT_EQ(table.grad().to_floats(), (std::vector<float>{0, 0, 2, 2, 0, 0}));
}
TEST(Activation, ByName) {
  const Tensor x = noise({64}, 1, DType::f64, 4);
  EXPECT_NMSE(Activation("gelu_new")(x), gelu_tanh(x), 0);
  EXPECT_NMSE(Activation("swish")(x), silu(x), 0);
  EXPECT_NMSE(Activation("prelu")(x), leaky_relu(x, 0.25), 0);
  EXPECT_NEAR(Activation("laplace")(Tensor::of({1})).item(), 0.5 * (1 + std::erf((1 - 0.707107) / (0.282095 * std::sqrt(2.0)))), 1e-6);
  EXPECT_THROW(Activation("geluu"), ConfigError);
  expect_gradient([](const List& t) { return xielu(t[0], t[1], t[2]); }, {x, noise({1}, 2), noise({1}, 3)});
}

}  // namespace
}  // namespace transformers
