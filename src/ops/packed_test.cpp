// linear_fused on packed weights against linear + plain activations in double, per dtype, shape and instruction set.
#include "ops/packed.h"

#include <cmath>

#include "base/cpu.h"
#include "base/file.h"
#include "gtest/gtest.h"
#include "ops/matmul.h"
#include "support/gradient_check.h"

namespace transformers {
namespace {
using testing::noise;

double activate(FusedActivation a, double v) {
  switch (a) {
    case FusedActivation::none: return v;
    case FusedActivation::relu: return v > 0 ? v : 0;
    case FusedActivation::gelu_erf: return v * 0.5 * std::erfc(-v / std::sqrt(2.0));
    case FusedActivation::gelu_tanh: return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
    case FusedActivation::silu: return v / (1 + std::exp(-v));
  }
  return v;
}

Tensor reference(const Tensor& x, const Tensor& w, const Tensor& bias, FusedActivation act, const Tensor& residual) {
  Tensor y = linear(x.to(DType::f64), w.to(DType::f64), bias.defined() ? bias.to(DType::f64) : Tensor()).clone();
  const Tensor r = residual.defined() ? residual.to(DType::f64).contiguous() : Tensor();
  for (int64_t i = 0; i < y.numel(); ++i) {
    double& v = y.mutable_data<double>()[i];
    v = activate(act, v) + (r.defined() ? r.data<double>()[i] : 0);
  }
  return y;
}

class Packed : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override { before_ = isa_limit(), set_isa_limit(GetParam()); }
  void TearDown() override { set_isa_limit(before_); }
  Isa before_;
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Packed, ::testing::Values(Isa::scalar, Isa::avx2, Isa::avx512, Isa::amx));

TEST_P(Packed, LinearFusedMatchesPlainForms) {
  struct Case { int64_t rows, in, out; };
  for (DType t : {DType::f32, DType::f16, DType::bf16})
    for (const Case& c : {Case{1, 64, 64}, {3, 37, 70}, {5, 96, 130}, {40, 33, 20}, {77, 160, 64}, {16, 576, 192}})
      for (int a = 0; a < 5; ++a) {
        const auto act = static_cast<FusedActivation>(a);
        const Tensor x = noise({c.rows, c.in}, 1, t), w = noise({c.out, c.in}, 2, t, 0.5);
        const Tensor bias = a % 2 ? noise({c.out}, 3, t) : Tensor(), residual = a > 2 ? noise({c.rows, c.out}, 4, t) : Tensor();
        const Tensor y = linear_fused(x, PackedWeight(w), bias, act, residual);
        EXPECT_EQ(y.dtype(), t);
        EXPECT_NMSE(y, reference(x, w, bias, act, residual), t == DType::f32 ? 1e-12 : t == DType::f16 ? 1e-6 : 2e-5)
            << name_of(t) << " " << c.rows << "x" << c.in << "x" << c.out << " act " << a;
      }
}
TEST_P(Packed, MixedTypesComputeInFloat) {
  const Tensor x = noise({7, 48}, 1, DType::f32), w = noise({70, 48}, 2, DType::bf16);
  EXPECT_NMSE(linear_fused(x, PackedWeight(w)), reference(x, w, {}, FusedActivation::none, {}), 1e-12);
}
TEST_P(Packed, ActivationsHoldOverTheWholeRange) {
  const int64_t n = 4001;
  Tensor x = Tensor::empty({n, 1});
  for (int64_t i = 0; i < n; ++i) x.mutable_data<float>()[i] = static_cast<float>(i - n / 2) / 100;
  const PackedWeight one(Tensor::full({1, 1}, 1));
  for (int a = 0; a < 5; ++a) {
    const Tensor y = linear_fused(x, one, {}, static_cast<FusedActivation>(a));
    for (int64_t i = 0; i < n; ++i) {
      const double v = x.data<float>()[i], want = activate(static_cast<FusedActivation>(a), v);
      EXPECT_NEAR(y.data<float>()[i], want, 1e-7 + 1.2e-6 * std::fabs(want)) << "act " << a << " at " << v;
    }
  }
}

TEST(PackedWeightValues, RoundTripAndMappedPagesComeBack) {
  for (DType t : {DType::f32, DType::f16, DType::bf16}) {
    const Tensor w = noise({130, 37}, 1, t);
    EXPECT_NMSE(PackedWeight(w).values(), w, 0);
  }
  const std::string folder = make_temp_directory("packed");
  const Tensor w = noise({64, 256}, 1, DType::f32);
  write_file(folder + "/w", {static_cast<const char*>(w.raw()), static_cast<size_t>(w.nbytes())});
  const auto file = std::make_shared<MappedFile>(folder + "/w");
  const Tensor mapped = Tensor::wrap(file->data(), {64, 256}, DType::f32, file);
  EXPECT_NMSE(PackedWeight(mapped).values(), w, 0);
  EXPECT_NMSE(mapped, w, 0);
  remove_directory(folder);
}
TEST(PackedWeightValues, RejectsWhatDoesNotFit) {
  EXPECT_THROW(PackedWeight(noise({4}, 1, DType::f32)), ShapeError);
  EXPECT_THROW(PackedWeight(noise({4, 4}, 1, DType::f64)), DTypeError);
  const PackedWeight w(noise({4, 4}, 1, DType::f32));
  EXPECT_THROW(linear_fused(noise({2, 3}, 1, DType::f32), w), ShapeError);
  Tensor x = noise({2, 4}, 1, DType::f32);
  x.set_requires_grad();
  EXPECT_THROW(linear_fused(x, w), Error);
}

}  // namespace
}  // namespace transformers
