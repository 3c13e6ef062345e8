// Elementwise ops: values against libm, promotion, broadcasting, gradients against finite differences.
#include "ops/elementwise.h"

#include "support/gradient_check.h"

namespace transformers {
namespace {
using testing::expect_gradient;
using testing::noise;
using List = std::vector<Tensor>;

TEST(Elementwise, Broadcasts) {
  const Tensor a = noise({2, 1, 3}), b = noise({4, 1}, 2), y = a * b;
  ASSERT_EQ(y.shape(), (Shape{2, 4, 3}));
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 4; ++j)
      for (int64_t k = 0; k < 3; ++k)
        EXPECT_EQ(y.data<double>()[(i * 4 + j) * 3 + k], a.data<double>()[i * 3 + k] * b.data<double>()[j]);
  EXPECT_THROW(noise({2, 3}) + noise({4}), ShapeError);
}
TEST(Elementwise, ReadsViewsInPlace) {
  const Tensor a = noise({5, 7}), b = noise({7, 5}, 2);
  EXPECT_NMSE(a.t() - b, a.t().contiguous() - b, 0);
  EXPECT_NMSE(b.slice(0, 1, 7, 2) + a.select(1, 0), b.slice(0, 1, 7, 2).contiguous() + a.select(1, 0).contiguous(), 0);
}
TEST(Elementwise, TransposedCopiesInTiles) {
  for (DType t : {DType::f64, DType::f32, DType::bf16, DType::u8}) {
    const Tensor x = noise({3, 37, 5, 50}, 1, DType::f64, 100, 100).to(t), y = x.permute({3, 0, 2, 1}), c = y.contiguous();
    for (int64_t i = 0; i < 50; i += 7)
      for (int64_t j = 0; j < 3; ++j)
        for (int64_t k = 0; k < 5; ++k)
          for (int64_t l = 0; l < 37; ++l)
            ASSERT_EQ(c.select(0, i).select(0, j).select(0, k).select(0, l).item(), x.select(0, j).select(0, l).select(0, k).select(0, i).item());
  }
}
TEST(Elementwise, Promotes) {
  const Tensor i = Tensor::ids({7, -7, 2}), f = Tensor::of({2, 2, 2});
  EXPECT_EQ((i + f).dtype(), DType::f32);
  EXPECT_EQ((i / i).dtype(), DType::f32);
  EXPECT_EQ((i + 1.0).dtype(), DType::i64);
  EXPECT_EQ((i * 0.5).dtype(), DType::f32);
  EXPECT_EQ((f.to(DType::bf16) * 0.1).dtype(), DType::bf16);
  EXPECT_EQ((f.to(DType::f16) + f.to(DType::bf16)).dtype(), DType::f32);
  EXPECT_EQ((f + Tensor::scalar(1, DType::f64)).dtype(), DType::f32);  // a rank 0 tensor yields
  EXPECT_EQ((i + Tensor::scalar(1, DType::f64)).dtype(), DType::f64);
  EXPECT_EQ(floor_divide(i, Tensor::ids({2})).to_ints(), (std::vector<int64_t>{3, -4, 1}));
  EXPECT_EQ(remainder(i, Tensor::ids({4})).to_ints(), (std::vector<int64_t>{3, 1, 2}));
  EXPECT_EQ(remainder(i, Tensor::ids({-4})).to_ints(), (std::vector<int64_t>{-1, -3, -2}));
  EXPECT_EQ(pow(i, 2).to_ints(), (std::vector<int64_t>{49, 49, 4}));
  EXPECT_THROW(floor_divide(i, Tensor::ids({0})), ValueError);
  const Tensor bytes = Tensor::from(std::vector<uint8_t>{250, 10});
  EXPECT_EQ((bytes + bytes).to_ints(), (std::vector<int64_t>{244, 20}));
}
TEST(Elementwise, Compares) {
  const Tensor a = Tensor::of({1, 2, NAN}), b = Tensor::of({2, 2, 2});
  EXPECT_EQ(lt(a, b).to_ints(), (std::vector<int64_t>{1, 0, 0}));
  EXPECT_EQ(ne(a, b).to_ints(), (std::vector<int64_t>{1, 0, 1}));
  EXPECT_EQ(ge(a, 2).to_ints(), (std::vector<int64_t>{0, 1, 0}));
  EXPECT_EQ(lt(Tensor::ids({0, 1}), 0.5).to_ints(), (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(logical_and(lt(a, b), logical_not(isnan(a))).to_ints(), (std::vector<int64_t>{1, 0, 0}));
  EXPECT_EQ(isfinite(Tensor::of({1, INFINITY, NAN})).to_ints(), (std::vector<int64_t>{1, 0, 0}));
  EXPECT_TRUE(std::isnan(maximum(a, b).to_floats()[2]));
  EXPECT_TRUE(std::isnan(minimum(b, a).to_floats()[2]));
  EXPECT_TRUE(std::isnan(clamp(a, 0, 1).to_floats()[2]));
}
TEST(Elementwise, Selects) {
  const Tensor m = Tensor::of({1, 0, 1}).to(DType::boolean), x = Tensor::of({1, 2, 3});
  EXPECT_EQ(where(m, x, 9).to_floats(), (std::vector<float>{1, 9, 3}));
  EXPECT_EQ(masked_fill(x, m, -INFINITY).to_floats(), (std::vector<float>{-INFINITY, 2, -INFINITY}));
  EXPECT_EQ(where(m.unsqueeze(1), x, noise({3, 3}).to(DType::f32)).shape(), (Shape{3, 3}));
  EXPECT_EQ(round(Tensor::of({0.5, 1.5, -2.5})).to_floats(), (std::vector<float>{0, 2, -2}));
}

struct Unary { const char* name; Tensor (*f)(const Tensor&); double (*exact)(double); double low, high; };
double logistic(double v) { return 1 / (1 + std::exp(-v)); }
double soft(double v) { return std::log1p(std::exp(v)); }
const Unary kUnary[] = {
    {"exp", exp, std::exp, -10, 10}, {"expm1", expm1, std::expm1, -2, 2}, {"log", log, std::log, 0.01, 50},
    {"log1p", log1p, std::log1p, -0.9, 5}, {"log2", log2, std::log2, 0.01, 50}, {"log10", log10, std::log10, 0.01, 50},
    {"sqrt", sqrt, std::sqrt, 0.1, 50}, {"rsqrt", rsqrt, [](double v) { return 1 / std::sqrt(v); }, 0.1, 50},
    {"reciprocal", reciprocal, [](double v) { return 1 / v; }, 0.5, 3}, {"square", square, [](double v) { return v * v; }, -3, 3},
    {"abs", abs, std::fabs, -3, 3}, {"sin", sin, std::sin, -9, 9}, {"cos", cos, std::cos, -9, 9}, {"tan", tan, std::tan, -1, 1},
    {"atan", atan, std::atan, -4, 4}, {"erf", erf, std::erf, -4, 4}, {"tanh", tanh, std::tanh, -5, 5},
    {"sigmoid", sigmoid, logistic, -20, 20}, {"logsigmoid", logsigmoid, [](double v) { return -soft(-v); }, -20, 20},
    {"relu", relu, [](double v) { return v > 0 ? v : 0; }, -3, 3}, {"relu6", relu6, [](double v) { return std::fmin(std::fmax(v, 0), 6); }, -3, 9},
    {"relu_squared", relu_squared, [](double v) { return v > 0 ? v * v : 0; }, -3, 3},
    {"leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.2); }, [](double v) { return v > 0 ? v : 0.2 * v; }, -3, 3},
    {"elu", [](const Tensor& x) { return elu(x, 0.7); }, [](double v) { return v > 0 ? v : 0.7 * std::expm1(v); }, -3, 3},
    {"selu", selu, [](double v) { return 1.0507009873554804934 * (v > 0 ? v : 1.6732632423543772848 * std::expm1(v)); }, -3, 3},
    {"gelu", gelu, [](double v) { return 0.5 * v * std::erfc(-v * 0.7071067811865476); }, -6, 6},
    {"gelu_tanh", gelu_tanh, [](double v) { return v * logistic(2 * 0.7978845608028654 * (v + 0.044715 * v * v * v)); }, -6, 6},
    {"quick_gelu", quick_gelu, [](double v) { return v * logistic(1.702 * v); }, -9, 9},
    {"silu", silu, [](double v) { return v * logistic(v); }, -20, 20}, {"mish", mish, [](double v) { return v * std::tanh(soft(v)); }, -9, 9},
    {"softplus", [](const Tensor& x) { return softplus(x, 2, 10); }, [](double v) { return v > 5 ? v : soft(2 * v) / 2; }, -9, 9},
    {"softsign", softsign, [](double v) { return v / (1 + std::fabs(v)); }, -9, 9},
    {"hardsigmoid", hardsigmoid, [](double v) { return std::fmin(std::fmax(v / 6 + 0.5, 0), 1); }, -5, 5},
    {"hardswish", hardswish, [](double v) { return v * std::fmin(std::fmax(v / 6 + 0.5, 0), 1); }, -5, 5},
    {"hardtanh", [](const Tensor& x) { return hardtanh(x, -0.5, 2); }, [](double v) { return std::fmin(std::fmax(v, -0.5), 2); }, -3, 3},
    {"clamp", [](const Tensor& x) { return clamp(x, -1, 2); }, [](double v) { return std::fmin(std::fmax(v, -1), 2); }, -3, 3},
    {"pow3", [](const Tensor& x) { return pow(x, 3); }, [](double v) { return v * v * v; }, -3, 3},
    {"pow1.7", [](const Tensor& x) { return pow(x, 1.7); }, [](double v) { return std::pow(v, 1.7); }, 0.1, 3},
    {"affine", [](const Tensor& x) { return 9.0 - (3.0 * x / 4.0 - 1.0) + 1.0 / (x + 9.0); }, [](double v) { return 10 - 0.75 * v + 1 / (v + 9); }, -3, 3},
};
TEST(Elementwise, UnaryValuesInEveryFloatType) {
  for (const Unary& u : kUnary) {
    SCOPED_TRACE(u.name);
    const Tensor x = noise({1000}, 3, DType::f64, (u.high - u.low) / 2, (u.high + u.low) / 2);
    for (const auto& [t, tolerance] : {std::pair{DType::f64, 1e-14}, {DType::f32, 1e-6}, {DType::f16, 2e-3}, {DType::bf16, 1e-2}}) {
      const Tensor in = x.to(t), y = u.f(in).to(DType::f64), exact_in = in.to(DType::f64);
      for (int64_t i = 0; i < x.numel(); ++i) {
        const double want = u.exact(exact_in.data<double>()[i]);
        ASSERT_NEAR(y.data<double>()[i], want, tolerance * std::max(std::fabs(want), 0.05)) << name_of(t) << " at " << exact_in.data<double>()[i];
      }
    }
  }
}
TEST(Elementwise, UnaryGradients) {
  for (const Unary& u : kUnary) {
    SCOPED_TRACE(u.name);
    expect_gradient([&](const List& in) { return u.f(in[0]); }, {noise({3, 5}, 5, DType::f64, (u.high - u.low) / 4, (u.high + u.low) / 2)});
  }
}
TEST(Elementwise, BinaryGradients) {
  const List in{noise({2, 3, 4}), noise({3, 1}, 2, DType::f64, 0.5, 1.5)};
  expect_gradient([](const List& t) { return t[0] + t[1]; }, in);
  expect_gradient([](const List& t) { return t[0] - t[1]; }, in);
  expect_gradient([](const List& t) { return t[0] * t[1]; }, in);
  expect_gradient([](const List& t) { return t[0] / t[1]; }, in);
  expect_gradient([](const List& t) { return maximum(t[0], t[1] - 1.5); }, in);
  expect_gradient([](const List& t) { return minimum(t[1] - 1.5, t[0]); }, in);
  expect_gradient([](const List& t) { return pow(t[1], t[0]); }, in);
  expect_gradient([](const List& t) { return remainder(t[0], t[1]); }, in);
  expect_gradient([](const List& t) { return where(gt(t[0], 0), t[0], t[1]); }, in);
  expect_gradient([](const List& t) { return masked_fill(t[0] * t[1], gt(t[0], 0), 3); }, in);
}
TEST(Elementwise, TiesShareTheGradientOfMaximum) {
  Tensor a = Tensor::of({1, 2}), b = Tensor::of({1, 1});
  a.set_requires_grad(), b.set_requires_grad();
  maximum(a, b).backward(Tensor::of({1, 1}));
  EXPECT_EQ(a.grad().to_floats(), (std::vector<float>{0.5, 1}));
  EXPECT_EQ(b.grad().to_floats(), (std::vector<float>{0.5, 0}));
}
TEST(Elementwise, GradientsKeepTheInputsType) {
  Tensor a = noise({4, 3}, 1, DType::bf16), b = noise({3}, 2, DType::f32);
  a.set_requires_grad(), b.set_requires_grad();
  Tensor y = a * b;
  EXPECT_EQ(y.dtype(), DType::f32);
  y.backward(Tensor::full({4, 3}, 1));
  EXPECT_EQ(a.grad().dtype(), DType::bf16);
  EXPECT_EQ(b.grad().dtype(), DType::f32);
}
TEST(Elementwise, LargeTensorsMatchSmallOnes) {  // several threads and vector tails
  const Tensor x = noise({300001}, 1, DType::f32, 4), y = noise({300001}, 2, DType::f32, 4);
  const Tensor sum = x + y, act = gelu(x);
  for (int64_t i = 0; i < x.numel(); i += 997) {
    EXPECT_EQ(sum.data<float>()[i], x.data<float>()[i] + y.data<float>()[i]);
    EXPECT_NEAR(act.data<float>()[i], gelu(x.narrow(0, i, 1)).item(), 1e-6);
  }
}

}  // namespace
}  // namespace transformers
