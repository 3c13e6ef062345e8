// Matrix products against double loops, for every dtype, batch form and stride; gradients; errors.
#include "ops/matmul.h"

#include "base/cpu.h"
#include "gtest/gtest.h"
#include "support/gradient_check.h"

namespace transformers {
namespace {
using testing::noise;

// Plain triple loop over batches, f64.
Tensor product_reference(const Tensor& a_in, const Tensor& b_in) {
  Shape batch = broadcast_shapes("reference", Shape(a_in.shape().begin(), a_in.shape().size() - 2), Shape(b_in.shape().begin(), b_in.shape().size() - 2));
  const int64_t m = a_in.dim(-2), k = a_in.dim(-1), n = b_in.dim(-1);
  Shape sa = batch, sb = batch, sy = batch;
  sa.push_back(m), sa.push_back(k), sb.push_back(k), sb.push_back(n), sy.push_back(m), sy.push_back(n);
  const Tensor a = a_in.to(DType::f64).expand(sa).contiguous(), b = b_in.to(DType::f64).expand(sb).contiguous();
  Tensor y = Tensor::zeros(sy, DType::f64);
  for (int64_t i = 0; i < batch.numel(); ++i)
    for (int64_t r = 0; r < m; ++r)
      for (int64_t p = 0; p < k; ++p)
        for (int64_t c = 0; c < n; ++c)
          y.mutable_data<double>()[(i * m + r) * n + c] += a.data<double>()[(i * m + r) * k + p] * b.data<double>()[(i * k + p) * n + c];
  return y;
}

double tolerance(DType t) { return t == DType::f64 ? 1e-28 : t == DType::f32 ? 1e-12 : t == DType::f16 ? 1e-6 : 2e-5; }

class Matmul : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override { before_ = isa_limit(), set_isa_limit(GetParam()); }
  void TearDown() override { set_isa_limit(before_); }
  Isa before_;
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Matmul, ::testing::Values(Isa::scalar, Isa::avx2, Isa::avx512, Isa::amx));

TEST_P(Matmul, MatchesDoubleLoopsOnEveryDtypeAndBatchForm) {
  struct Case { Shape a, b; };
  const Case cases[] = {{{3, 5}, {5, 7}}, {{1, 1}, {1, 1}}, {{2, 3, 4}, {4, 5}}, {{2, 1, 3, 4}, {1, 3, 4, 2}}, {{4, 2}, {3, 2, 6}},
                        {{0, 4}, {4, 5}}, {{3, 0}, {0, 5}}, {{65, 300}, {300, 70}}, {{2, 2, 40, 64}, {2, 2, 64, 50}}, {{1, 600}, {600, 333}}};
  for (DType t : {DType::f64, DType::f32, DType::f16, DType::bf16})
    for (const Case& c : cases) {
      const Tensor a = noise(c.a, 1, t), b = noise(c.b, 2, t);
      const Tensor y = matmul(a, b);
      EXPECT_EQ(y.dtype(), t);
      EXPECT_NMSE(y, product_reference(a, b), tolerance(t)) << name_of(t) << c.a.str() << c.b.str();
    }
}
TEST_P(Matmul, TakesAnyStrides) {
  for (DType t : {DType::f64, DType::f32, DType::bf16})
    for (int64_t n : {5, 80}) {
      const Tensor a = noise({n, n + 1}, 1, t), b = noise({n, n + 2}, 2, t);
      EXPECT_NMSE(matmul(a.t(), b), product_reference(a.t(), b), tolerance(t));
      EXPECT_NMSE(matmul(b.t(), a), product_reference(b.t(), a), tolerance(t));
      const Tensor wide = noise({2, n, 3, n}, 3, t), heads = wide.transpose(1, 2);  // [2, 3, n, n]
      EXPECT_NMSE(matmul(heads, heads.t()), product_reference(heads, heads.t()), tolerance(t));
      const Tensor every = noise({n, 2 * n}, 4, t).slice(1, 0, 2 * n, 2);
      EXPECT_NMSE(matmul(every, every), product_reference(every, every), tolerance(t));
    }
}

TEST(MatmulForms, VectorsAndIntegers) {
  const Tensor a = Tensor::of({1, 2, 3}), b = Tensor::of({4, 5, 6});
  EXPECT_EQ(matmul(a, b).item(), 32);
  EXPECT_TRUE(matmul(a, noise({3, 4}, 1, DType::f32)).shape() == Shape({4}));
  EXPECT_TRUE(matmul(noise({2, 4, 3}, 1, DType::f32), a).shape() == Shape({2, 4}));
  EXPECT_EQ(outer(a, b).to_floats(), (std::vector<float>{4, 5, 6, 8, 10, 12, 12, 15, 18}));
  EXPECT_EQ(matmul(Tensor::ids({1, 2}), Tensor::ids({3, 4})).item_int(), 11);
}
TEST(MatmulForms, Gradients) {
  using In = const std::vector<Tensor>&;
  testing::expect_gradient([](In v) { return matmul(v[0], v[1]); }, {noise({3, 4}, 1), noise({4, 2}, 2)});
  testing::expect_gradient([](In v) { return matmul(v[0], v[1]); }, {noise({2, 3, 4}, 1), noise({4, 2}, 2)});
  testing::expect_gradient([](In v) { return matmul(v[0], v[1]); }, {noise({2, 1, 3, 4}, 1), noise({3, 4, 2}, 2)});
  testing::expect_gradient([](In v) { return matmul(v[0], v[1]); }, {noise({4}, 1), noise({3, 4, 2}, 2)});
  testing::expect_gradient([](In v) { return baddbmm(v[0], v[1], v[2], 0.5, -2); }, {noise({2, 1, 3}, 1), noise({2, 2, 4}, 2), noise({2, 4, 3}, 3)});
  testing::expect_gradient([](In v) { return linear(v[0], v[1], v[2]); }, {noise({2, 3, 4}, 1), noise({5, 4}, 2), noise({5}, 3)});
  testing::expect_gradient([](In v) { return einsum("bik,bjk->bij", v); }, {noise({2, 3, 4}, 1), noise({2, 5, 4}, 2)});
  for (double p : {1.0, 2.0, 3.0}) testing::expect_gradient([p](In v) { return cdist(v[0], v[1], p); }, {noise({2, 3, 4}, 1), noise({2, 2, 4}, 2)});
}
TEST(MatmulForms, RejectsWhatDoesNotFit) {
  EXPECT_THROW(matmul(noise({2, 3}), noise({2, 3})), ShapeError);
  EXPECT_THROW(matmul(noise({2, 3}), noise({3, 3}, 1, DType::f32)), DTypeError);
  EXPECT_THROW(bmm(noise({2, 3, 4}), noise({1, 4, 3})), ShapeError);
  EXPECT_THROW(linear(noise({2, 3}), noise({4, 2})), ShapeError);
  EXPECT_THROW(einsum("ij,jk", {noise({2, 3})}), ValueError);
  EXPECT_THROW(einsum("ij->ik", {noise({2, 3})}), ValueError);
}

TEST(Einsum, MatchesMatmulForms) {
  const Tensor a = noise({2, 3, 4}, 1), b = noise({2, 4, 5}, 2), w = noise({5, 6}, 3), s = noise({3, 3}, 4);
  EXPECT_NMSE(einsum("bij,bjk->bik", {a, b}), matmul(a, b), 1e-28);
  EXPECT_NMSE(einsum("bij,bjk,kl->bil", {a, b, w}), matmul(matmul(a, b), w), 1e-28);
  EXPECT_NMSE(einsum("...ij,...jk", {a, b}), matmul(a, b), 1e-28);
  EXPECT_NMSE(einsum("bij->jbi", {a}), a.permute({2, 0, 1}), 1e-28);
  EXPECT_NMSE(einsum("b i j , b j k -> k i b", {a, b}), matmul(a, b).permute({2, 1, 0}), 1e-28);
  double trace = 0, sum = 0;
  for (int64_t i = 0; i < 3; ++i) trace += s.data<double>()[i * 4];
  for (int64_t i = 0; i < 9; ++i) sum += s.data<double>()[i];
  EXPECT_NEAR(einsum("ii", {s}).item(), trace, 1e-12);
  EXPECT_NEAR(einsum("ij->", {s}).item(), sum, 1e-12);
  EXPECT_NEAR(einsum("ii->i", {s}).contiguous().data<double>()[1], s.data<double>()[4], 0);
  const Tensor u = noise({3}, 5), v = noise({4}, 6);
  EXPECT_NMSE(einsum("i,j->ij", {u, v}), outer(u, v), 1e-28);
  // Broadcast of a size-1 dimension under "...".
  EXPECT_NMSE(einsum("...i,...i->...", {noise({2, 1, 4}, 7), noise({3, 4}, 8)}),
              matmul(noise({2, 1, 4}, 7).expand({2, 3, 4}).unsqueeze(-2), noise({3, 4}, 8).expand({2, 3, 4}).unsqueeze(-1)).reshape({2, 3}), 1e-28);
}
TEST(Linear, AddsTheBiasOnEveryDtype) {
  for (DType t : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
    const Tensor x = noise({2, 9, 64}, 1, t), w = noise({48, 64}, 2, t), b = noise({48}, 3, t);
    Tensor y = product_reference(x, w.t());
    const Tensor wide = b.to(DType::f64);
    for (int64_t i = 0; i < y.numel(); ++i) y.mutable_data<double>()[i] += wide.data<double>()[i % 48];
    EXPECT_NMSE(linear(x, w, b), y, tolerance(t)) << name_of(t);
  }
}
TEST_P(Matmul, LinearOfFewRowsStreamsThePlainWeight) {
  for (DType t : {DType::f32, DType::f16, DType::bf16})
    for (int64_t rows : {1, 2, 3, 4})
      for (int64_t in : {1, 37, 600})
        for (int64_t out : {1, 70}) {
          const Tensor x = noise({rows, in}, 1, t), w = noise({out, in}, 2, t), b = noise({out}, 3, t);
          Tensor y = product_reference(x, w.t());
          for (int64_t i = 0; i < y.numel(); ++i) y.mutable_data<double>()[i] += b.to(DType::f64).data<double>()[i % out];
          EXPECT_NMSE(linear(x, w, b), y, tolerance(t)) << name_of(t) << " " << rows << "x" << in << "x" << out;
        }
}
TEST(Cdist, KnownDistances) {
  const Tensor a = Tensor::from(std::vector<float>{0, 0, 3, 4}, {2, 2}), b = Tensor::from(std::vector<float>{0, 0}, {1, 2});
  EXPECT_EQ(cdist(a, b).to_floats(), (std::vector<float>{0, 5}));
  EXPECT_EQ(cdist(a, b, 1).to_floats(), (std::vector<float>{0, 7}));
  EXPECT_EQ(cdist(a, b, INFINITY).to_floats(), (std::vector<float>{0, 4}));
}

}  // namespace
}  // namespace transformers
