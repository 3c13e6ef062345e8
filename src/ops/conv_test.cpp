// Convolution and pooling against numbers that PyTorch gives in double on the same noise.
#include "ops/conv.h"

#include "ops/elementwise.h"
#include "support/probe.h"

namespace transformers {
using testing::expect_gradient;
using testing::noise;
using testing::probe;

namespace {
struct Case {
  const char* name;
  bool transposed;
  Shape x, w;
  bool bias;
  ConvOptions o;
  double expected;
};
std::vector<Case> cases() {
  return {
      {"2d", false, {2, 4, 7, 9}, {6, 2, 3, 2}, true, {{2, 1}, {1, 0}, {1, 2}, {0}, 2}, -15.761865293997},
      {"1d", false, {2, 4, 11}, {3, 4, 5}, false, {{2}, {2}, {1}, {0}, 1}, 1.829403104287},
      {"3d", false, {1, 2, 4, 5, 6}, {4, 1, 2, 3, 2}, true, {{1}, {1}, {1}, {0}, 2}, 31.647083910274},
      {"depthwise", false, {2, 4, 7, 9}, {8, 1, 3, 3}, true, {{2}, {1}, {1}, {0}, 4}, -9.274019540505},
      {"depthwise of stride 1", false, {2, 4, 7, 9}, {8, 1, 3, 3}, true, {{1}, {1, 2}, {2, 1}, {0}, 4}, 0.506522231665},
      {"2d transposed", true, {2, 4, 7, 9}, {4, 3, 3, 2}, true, {{2, 3}, {1, 0}, {2, 1}, {1, 2}, 2}, 19.813438471272},
      {"1d transposed", true, {2, 4, 11}, {4, 3, 4}, false, {{2}, {1}, {1}, {0}, 1}, 3.338114012795},
      {"3d transposed", true, {1, 2, 4, 5, 6}, {2, 3, 2, 2, 2}, false, {{2}, {0}, {1}, {0}, 1}, 18.183156363998},
  };
}
Tensor run(const Case& c, const Tensor& x, const Tensor& w, const Tensor& b) { return c.transposed ? conv_transpose(x, w, b, c.o) : conv(x, w, b, c.o); }
}  // namespace

TEST(Conv, MatchesPyTorchInEveryType) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const Tensor x = noise(c.x, 1), w = noise(c.w, 2), b = c.bias ? noise({c.transposed ? c.w[1] * c.o.groups : c.w[0]}, 3) : Tensor();
    const Tensor exact = run(c, x, w, b);
    EXPECT_NEAR(probe(exact), c.expected, 1e-9);
    for (DType t : {DType::f32, DType::f16, DType::bf16})
      EXPECT_NMSE(run(c, x.to(t), w.to(t), b.defined() ? b.to(t) : b), exact, t == DType::f32 ? 1e-12 : 1e-4);
  }
}

TEST(Conv, Gradients) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const Shape bias{c.transposed ? c.w[1] * c.o.groups : c.w[0]};
    Shape small = c.x;
    for (int64_t i = 2; i < small.rank(); ++i) small[i] = std::min<int64_t>(small[i], 4);
    expect_gradient([&](const auto& v) { return run(c, v[0], v[1], v[2]); }, {noise(small, 1), noise(c.w, 2), noise(bias, 3)});
  }
  expect_gradient([&](const auto& v) { return conv(v[0], v[1]); }, {noise({2, 3, 4}, 1), noise({2, 3, 1}, 2)});
}

TEST(Conv, LargeShapesAgreeBetweenTypesAndGradientsBetweenPaths) {
  const Tensor x = noise({2, 16, 20, 33}, 1), w = noise({24, 16, 3, 3}, 2), b = noise({24}, 3);
  ConvOptions o;
  o.stride = {2}, o.padding = {1};
  const Tensor exact = conv(x, w, b, o);
  EXPECT_NMSE(conv(x.to(DType::f32), w.to(DType::f32), b.to(DType::f32), o), exact, 1e-12);
  EXPECT_NMSE(conv(x.to(DType::bf16), w.to(DType::bf16), b.to(DType::bf16), o), exact, 1e-4);
  const Tensor strided = noise({2, 20, 33, 16}, 1, DType::f32).permute({0, 3, 1, 2});
  EXPECT_NMSE(conv(strided, w.to(DType::f32), b.to(DType::f32), o), conv(strided.to(DType::f64), w, b, o), 1e-12);
  EXPECT_NMSE(conv(x.to(DType::f32), noise({8, 16, 1, 1}, 4, DType::f32)), conv(x, noise({8, 16, 1, 1}, 4)), 1e-12);
}

TEST(Conv, SamePaddingKeepsTheSize) {
  EXPECT_EQ(conv(pad_same(noise({1, 2, 9}, 1), {4}, {2}), noise({3, 2, 4}, 2), {}, {{1}, {0}, {2}}).shape(), (Shape{1, 3, 9}));
}

TEST(Conv, RejectsWhatDoesNotFit) {
  const Tensor x = noise({1, 4, 5}, 1, DType::f32);
  EXPECT_THROW(conv(x, noise({2, 3, 3}, 1, DType::f32)), ShapeError);
  EXPECT_THROW(conv(x, noise({2, 4, 6}, 1, DType::f32)), ShapeError);
  EXPECT_THROW(conv(x, noise({2, 4, 3}, 1, DType::bf16)), DTypeError);
  EXPECT_THROW(conv(x, noise({2, 4, 3}, 1, DType::f32), {}, {{0}}), ValueError);
  EXPECT_THROW(conv_transpose(x, noise({3, 4, 3}, 1, DType::f32)), ShapeError);
  EXPECT_THROW(conv_transpose(x, noise({4, 4, 3}, 1, DType::f32), {}, {{1}, {0}, {1}, {1}}), ValueError);
}

TEST(Pool, MatchesPyTorch) {
  const Tensor x = noise({2, 4, 7, 9}, 1), x1 = noise({2, 4, 11}, 1), x3 = noise({1, 2, 4, 5, 6}, 1);
  EXPECT_NEAR(probe(max_pool(x, {.kernel = {3, 2}, .stride = {2, 2}, .padding = {1, 1}, .ceil_mode = true})), -2.293474027675, 1e-9);
  EXPECT_NEAR(probe(max_pool(x, {.kernel = {2}, .stride = {2}, .dilation = {2}})), -2.636073476076, 1e-9);
  EXPECT_NEAR(probe(max_pool(x1, {.kernel = {3}, .stride = {2}, .ceil_mode = true})), -2.305946280228, 1e-9);
  EXPECT_NEAR(probe(max_pool(x3, {.kernel = {2}})), -3.044109967530, 1e-9);
  for (bool ceil : {false, true}) {
    EXPECT_NEAR(probe(avg_pool(x, {.kernel = {3, 2}, .stride = {2}, .padding = {1}, .ceil_mode = ceil})), 0.305953376426, 1e-9);
    EXPECT_NEAR(probe(avg_pool(x, {.kernel = {3, 2}, .stride = {2}, .padding = {1}, .ceil_mode = ceil, .count_include_pad = false})), -0.214880382515, 1e-9);
  }
  EXPECT_NEAR(probe(avg_pool(x1, {.kernel = {4}, .stride = {3}, .padding = {1}, .ceil_mode = true})), -0.538146116308, 1e-9);
  EXPECT_NEAR(probe(adaptive_avg_pool(x, {3, 5})), -1.722791716624, 1e-9);
  EXPECT_NEAR(probe(adaptive_max_pool(x, {3, 5})), -4.085604582465, 1e-9);
  EXPECT_NEAR(probe(adaptive_avg_pool(x1, {4})), -0.640222462501, 1e-9);
  EXPECT_NMSE(avg_pool(x.to(DType::bf16), {.kernel = {3}}), avg_pool(x, {.kernel = {3}}), 1e-4);
}

TEST(Pool, Gradients) {
  const Tensor x = noise({1, 2, 5, 6}, 1);
  expect_gradient([](const auto& v) { return max_pool(v[0], {.kernel = {3, 2}, .stride = {2}, .padding = {1}, .ceil_mode = true}); }, {x});
  expect_gradient([](const auto& v) { return avg_pool(v[0], {.kernel = {3, 2}, .stride = {2}, .padding = {1}, .ceil_mode = true}); }, {x});
  expect_gradient([](const auto& v) { return adaptive_avg_pool(v[0], {3, 4}); }, {x});
  expect_gradient([](const auto& v) { return adaptive_max_pool(v[0], {3, 4}); }, {x});
  EXPECT_THROW(max_pool(x, {.kernel = {7}}), ShapeError);
  EXPECT_THROW(max_pool(x, {.kernel = {2}, .padding = {2}}), ValueError);
}
}  // namespace transformers
