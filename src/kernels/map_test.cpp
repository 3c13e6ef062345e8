// Vector kernels: relative error against double over their whole range, every tail length, NaN and infinities.
#include "kernels/map.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/arithmetic.h"
#include "kernels/reduce.h"

namespace transformers::kernels {
namespace {

// Every test runs on every instruction set of this machine that the kernels were built for.
class EveryTarget : public ::testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override { choose(GetParam()); }
  void TearDown() override { choose(0); }
  static void choose(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};
std::vector<int64_t> targets() {
  std::vector<int64_t> out;
  for (int64_t t : {HWY_EMU128, HWY_AVX2, HWY_AVX3})
    if (hwy::SupportedTargets() & t) out.push_back(t);
  return out;
}
INSTANTIATE_TEST_SUITE_P(Kernels, EveryTarget, ::testing::ValuesIn(targets()), [](const auto& i) { return std::string(hwy::TargetName(i.param)); });

double logistic(double v) { return 1 / (1 + std::exp(-v)); }
struct Case { Map f; double (*exact)(double); double low, high, relative, absolute; };  // absolute: beside |x|
const Case kCases[] = {
    {Map::exp, [](double v) { return std::exp(v); }, -86, 88, 2.5e-7, 0},
    {Map::tanh, [](double v) { return std::tanh(v); }, -12, 12, 4e-7, 0},
    {Map::sigmoid, logistic, -80, 80, 4e-7, 0},
    {Map::erf, [](double v) { return std::erf(v); }, -6, 6, 3e-7, 0},
    // The left tail is tiny beside x: there the error beside x counts.
    {Map::gelu, [](double v) { return 0.5 * v * std::erfc(-v * 0.70710678118654752); }, -12, 12, 3e-7, 6e-8},
    {Map::gelu_tanh, [](double v) { return v * logistic(2 * 0.7978845608028654 * (v + 0.044715 * v * v * v)); }, -12, 12, 3e-7, 6e-8},
    {Map::quick_gelu, [](double v) { return v * logistic(1.702 * v); }, -40, 40, 3e-7, 6e-8},
    {Map::silu, [](double v) { return v * logistic(v); }, -80, 80, 4e-7, 0},
    {Map::mish, [](double v) { return v * std::tanh(std::log1p(std::exp(v))); }, -80, 80, 5e-7, 0},
    {Map::relu, [](double v) { return v > 0 ? v : 0; }, -2, 2, 0, 0},
    {Map::sqrt, [](double v) { return std::sqrt(v); }, 0, 9, 1e-7, 0},
    {Map::rsqrt, [](double v) { return 1 / std::sqrt(v); }, 0.01, 9, 2e-7, 0},
    {Map::square, [](double v) { return v * v; }, -9, 9, 1e-7, 0},
};
TEST_P(EveryTarget, MapIsAccurate) {
  constexpr int64_t n = 100003;
  std::vector<float> x(n), y(n);
  for (const Case& c : kCases) {
    for (int64_t i = 0; i < n; ++i) x[static_cast<size_t>(i)] = static_cast<float>(c.low + (c.high - c.low) * static_cast<double>(i) / (n - 1));
    map(c.f, x.data(), y.data(), n);
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = c.exact(static_cast<double>(x[i]));
      ASSERT_NEAR(y[i], want, c.relative * std::fabs(want) + c.absolute * std::fabs(static_cast<double>(x[i])) + 1e-37) << static_cast<int>(c.f) << " at " << x[i];
    }
  }
}
TEST_P(EveryTarget, MapKeepsTheDigitsOfSmallArguments) {
  for (double v : {1e-30, 1e-10, 1e-4, 0.01, 0.2}) {
    const float x = static_cast<float>(v);
    float y;
    map(Map::tanh, &x, &y, 1);
    EXPECT_NEAR(y / std::tanh(static_cast<double>(x)), 1, 4e-7);
    map(Map::erf, &x, &y, 1);
    EXPECT_NEAR(y / std::erf(static_cast<double>(x)), 1, 3e-7);
  }
}
TEST_P(EveryTarget, MapHandlesExtremes) {
  const float inf = INFINITY;
  const auto at = [](Map f, float v) { map(f, &v, &v, 1); return v; };
  for (const Case& c : kCases) EXPECT_TRUE(std::isnan(at(c.f, NAN))) << static_cast<int>(c.f);
  EXPECT_EQ(at(Map::exp, -inf), 0);
  EXPECT_EQ(at(Map::tanh, inf), 1);
  EXPECT_EQ(at(Map::tanh, -inf), -1);
  EXPECT_EQ(at(Map::sigmoid, inf), 1);
  EXPECT_NEAR(at(Map::sigmoid, -inf), 0, 1e-37);
  EXPECT_EQ(at(Map::erf, -inf), -1);
  EXPECT_EQ(at(Map::gelu, 1e30f), 1e30f);
  EXPECT_EQ(at(Map::mish, 1e30f), 1e30f);
}
TEST_P(EveryTarget, ArithmeticOfEveryTailLength) {
  std::vector<float> a(70), b(70), y(70);
  for (size_t i = 0; i < 70; ++i) a[i] = static_cast<float>(i) - 20.5f, b[i] = 30 - static_cast<float>(i) * 1.25f;
  for (int64_t n = 0; n <= 70; ++n) {
    y.assign(70, -1);
    arithmetic(Arith::max, a.data(), b.data(), y.data(), n);
    for (size_t i = 0; i < 70; ++i) ASSERT_EQ(y[i], static_cast<int64_t>(i) < n ? std::fmax(a[i], b[i]) : -1);
    arithmetic(Arith::sub, 3.0f, a.data(), y.data(), n);
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) ASSERT_EQ(y[i], 3 - a[i]);
    arithmetic(Arith::div, a.data(), 3.0f, y.data(), n);
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) ASSERT_EQ(y[i], a[i] / 3);
  }
}
TEST_P(EveryTarget, ConvertsAllHalvesAndBack) {
  std::vector<Half> h(65536), h2(65536);
  std::vector<BFloat16> b(65536), b2(65536);
  std::vector<float> f(65536);
  for (size_t i = 0; i < h.size(); ++i) h[i].bits = b[i].bits = static_cast<uint16_t>(i);
  convert(h.data(), f.data(), 65536);
  for (size_t i = 0; i < h.size(); ++i) ASSERT_TRUE(f[i] == static_cast<float>(h[i]) || f[i] != f[i]) << i;
  convert(f.data(), h2.data(), 65536);
  for (size_t i = 0; i < h.size(); ++i) ASSERT_TRUE(h2[i].bits == h[i].bits || f[i] != f[i]) << i;
  convert(b.data(), f.data(), 65536);
  convert(f.data(), b2.data(), 65536);
  for (size_t i = 0; i < b.size(); ++i) ASSERT_TRUE(b2[i].bits == b[i].bits || (f[i] != f[i] && static_cast<float>(b2[i]) != static_cast<float>(b2[i]))) << i;
  for (size_t i = 0; i < f.size(); ++i) f[i] = static_cast<float>(i) * 1.00037f - 3000;  // rounding
  convert(f.data(), h2.data(), 65535);
  convert(f.data(), b2.data(), 65535);
  for (size_t i = 0; i < 65535; ++i) ASSERT_TRUE(h2[i].bits == Half(f[i]).bits && b2[i].bits == BFloat16(f[i]).bits) << f[i];
}
TEST_P(EveryTarget, ArithmeticSeesNan) {
  std::vector<float> a(40, 1), b(40, 2), y(40);
  a[3] = b[20] = NAN;
  for (Arith op : {Arith::max, Arith::min}) {
    arithmetic(op, a.data(), b.data(), y.data(), 40);
    for (size_t i = 0; i < 40; ++i) ASSERT_EQ(std::isnan(y[i]), i == 3 || i == 20) << i;
  }
}
TEST_P(EveryTarget, SoftmaxOfEveryLength) {
  std::vector<float> x(3000), y(3000), l(3000), g(3000), d(3000);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 37) % 101) / 9 - 5, g[i] = static_cast<float>((i * 11) % 17) / 8 - 1;
  for (int64_t n : {1, 2, 3, 7, 8, 15, 16, 17, 33, 100, 1023, 1025, 3000}) {
    const auto m = static_cast<size_t>(n);
    double total = 0, dot = 0, sum_g = 0;
    for (size_t i = 0; i < m; ++i) total += std::exp(static_cast<double>(x[i]));
    softmax(x.data(), y.data(), n);
    log_softmax(x.data(), l.data(), n);
    for (size_t i = 0; i < m; ++i) {
      const double p = std::exp(static_cast<double>(x[i])) / total;
      ASSERT_NEAR(y[i], p, 1.2e-6 * p);
      ASSERT_NEAR(l[i], std::log(p), 4e-7 * std::max(1.0, std::fabs(std::log(p))));
      dot += p * g[i], sum_g += g[i];
    }
    softmax_grad(g.data(), y.data(), d.data(), n);
    for (size_t i = 0; i < m; ++i) ASSERT_NEAR(d[i], y[i] * (g[i] - dot), 2e-6 * y[i]);
    log_softmax_grad(g.data(), l.data(), d.data(), n);
    for (size_t i = 0; i < m; ++i) ASSERT_NEAR(d[i], g[i] - y[i] * sum_g, 2e-6);
  }
}
TEST_P(EveryTarget, SumsExtremesAndPlaces) {
  std::vector<float> x(200);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 37) % 101) - 50;
  for (int64_t n = 1; n <= 200; ++n) {
    double s = 0;
    float top = -INFINITY;
    for (int64_t i = 0; i < n; ++i) s += x[static_cast<size_t>(i)], top = std::fmax(top, x[static_cast<size_t>(i)]);
    ASSERT_EQ(sum(x.data(), n), s);
    ASSERT_EQ(extreme(true, x.data(), n), top);
    ASSERT_EQ(x[static_cast<size_t>(find(x.data(), n, top))], top);
  }
  x[150] = NAN;
  EXPECT_TRUE(std::isnan(extreme(false, x.data(), 200)));
  EXPECT_EQ(find(x.data(), 200, NAN), 150);
  EXPECT_EQ(find(x.data(), 100, 1e9f), 100);
}

}  // namespace
}  // namespace transformers::kernels
