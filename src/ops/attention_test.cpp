#include "ops/attention.h"

#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "support/gradient_check.h"

namespace transformers {
using testing::expect_gradient;
using testing::noise;

// Everything spelled out per element in double: the specification.
static Tensor attention_reference(const Tensor& q0, const Tensor& k0, const Tensor& v0, const AttentionOptions& o) {
  const Tensor q = q0.to(DType::f64).contiguous(), k = k0.to(DType::f64).contiguous(), v = v0.to(DType::f64).contiguous();
  const int64_t B = q.dim(0), H = q.dim(1), T = q.dim(2), D = q.dim(3), K = k.dim(1), S = k.dim(2), E = v.dim(3);
  Tensor y = Tensor::zeros({B, H, T, E}, DType::f64);
  const Tensor bias = o.bias.defined() ? o.bias.to(DType::f64).expand({B, H, T, S}).contiguous() : Tensor();
  const Tensor mask = o.mask.defined() ? o.mask.expand({B, H, T, S}).contiguous() : Tensor();
  const double scale = o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<double>(D));
  for (int64_t b = 0; b < B; ++b) for (int64_t h = 0; h < H; ++h) for (int64_t t = 0; t < T; ++t) {
    const int64_t kv = h / (H / K), row = (b * H + h) * T + t, position = S - T + t;
    std::vector<double> score(static_cast<size_t>(S));
    for (int64_t s = 0; s < S; ++s) {
      double x = 0;
      for (int64_t d = 0; d < D; ++d) x += q.data<double>()[row * D + d] * k.data<double>()[((b * K + kv) * S + s) * D + d];
      x *= scale;
      if (o.softcap > 0) x = o.softcap * std::tanh(x / o.softcap);
      if (bias.defined()) x += bias.data<double>()[row * S + s];
      const bool seen = (!o.causal || s <= position) && (o.window == 0 || s > position - o.window) &&
                        (!o.key_mask.defined() || o.key_mask.data<bool>()[b * S + s]) && (!mask.defined() || mask.data<bool>()[row * S + s]);
      score[static_cast<size_t>(s)] = seen ? x : -1e300;
    }
    double top = -1e300, total = 0;
    for (double x : score) top = std::max(top, x);
    if (o.sinks.defined()) top = std::max(top, o.sinks.to(DType::f64).data<double>()[h]);
    for (double& x : score) total += x = std::exp(x - top);
    if (o.sinks.defined()) total += std::exp(o.sinks.to(DType::f64).data<double>()[h] - top);
    for (int64_t s = 0; s < S; ++s)
      for (int64_t e = 0; e < E; ++e) y.mutable_data<double>()[row * E + e] += score[static_cast<size_t>(s)] / total * v.data<double>()[((b * K + kv) * S + s) * E + e];
  }
  return y;
}

static Tensor some_true(const Shape& s, uint64_t seed) { return gt(noise(s, seed), -0.3); }

static std::vector<AttentionOptions> variants(int64_t B, int64_t H, int64_t T, int64_t S) {
  std::vector<AttentionOptions> all(10);
  all[1].causal = true;
  all[2].causal = true, all[2].window = 3;
  all[3].key_mask = some_true({B, S}, 5);
  all[4].key_mask = Tensor::zeros({B, S}, DType::boolean), all[4].causal = true;  // nobody sees anything: the mean
  all[5].mask = some_true({1, 1, T, S}, 6), all[5].bias = noise({H, T, S}, 7, DType::f32);
  all[6].softcap = 0.7, all[6].scale = 1.3, all[6].causal = true;
  all[7].sinks = noise({H}, 8, DType::f32), all[7].causal = true, all[7].window = 4;
  all[8].bias = noise({B, H, 1, S}, 9, DType::f32), all[8].key_mask = some_true({B, S}, 5);
  all[9].sinks = noise({H}, 8, DType::f32), all[9].key_mask = Tensor::zeros({B, S}, DType::boolean);
  return all;
}

TEST(Attention, BothPathsMatchTheSpecificationForEveryOption) {
  struct Case { int64_t B, H, K, T, S, D, E; };
  for (const Case& c : {Case{2, 4, 2, 7, 7, 8, 8}, Case{1, 6, 2, 1, 600, 20, 33}, Case{2, 2, 2, 1, 9, 64, 64}, Case{1, 2, 1, 130, 140, 8, 20},
                        Case{2, 4, 4, 5, 3, 40, 24}})
    for (DType t : {DType::f32, DType::bf16, DType::f16}) {
      const Tensor q = noise({c.B, c.T, c.H, c.D}, 1, t).transpose(1, 2), k = noise({c.B, c.K, c.S + 2, c.D}, 2, t).narrow(2, 1, c.S);
      const Tensor v = noise({c.B, c.K, c.S, c.E}, 3, t);
      size_t index = 0;
      for (AttentionOptions& o : variants(c.B, c.H, c.T, c.S)) {
        SCOPED_TRACE("case T=" + std::to_string(c.T) + " S=" + std::to_string(c.S) + " option " + std::to_string(index++) + " " + name_of(t));
        const Tensor expected = attention_reference(q, k, v, o), fused = attention(q, k, v, o);
        EXPECT_NMSE(fused, expected, t == DType::f32 ? 1e-11 : 1e-4);
        Tensor p;
        o.probabilities = &p;
        EXPECT_NMSE(attention(q, k, v, o), expected, t == DType::f32 ? 1e-11 : 1e-4);
        EXPECT_EQ(p.shape(), (Shape{c.B, c.H, c.T, c.S}));
      }
    }
}

TEST(Attention, MixedCacheTypesAndFreeMerge) {
  const Tensor q = noise({1, 2, 1, 32}, 1, DType::f32), k = noise({1, 2, 40, 32}, 2, DType::f32), v = noise({1, 2, 40, 32}, 3, DType::f32);
  EXPECT_NMSE(attention(q, k.to(DType::bf16), v.to(DType::bf16)), attention(q, k, v), 1e-4);
  const Tensor y = attention(q, k, v);
  EXPECT_TRUE(merge_heads(y).same_storage(y));
}

TEST(Attention, Gradient) {
  size_t index = 0;
  for (const AttentionOptions& base : variants(2, 4, 3, 5)) {
    SCOPED_TRACE("option " + std::to_string(index++));
    std::vector<Tensor> inputs{noise({2, 4, 3, 4}, 1), noise({2, 2, 5, 4}, 2), noise({2, 2, 5, 3}, 3), noise({4, 3, 1}, 4), noise({4}, 5), noise({1, 4, 1, 1}, 6)};
    const bool sinks = base.sinks.defined();
    if (!sinks) inputs.erase(inputs.begin() + 4);
    if (base.key_mask.defined() && !sinks && base.causal) {  // uniform rows: only the values matter
      expect_gradient([&](const std::vector<Tensor>& x) { return attention(inputs[0], inputs[1], x[0], base); }, {inputs[2]});
      continue;
    }
    expect_gradient([&](const std::vector<Tensor>& x) {
      AttentionOptions o = base;
      o.bias = x[3];
      if (sinks) o.sinks = x[4];
      o.head_mask = x.back();
      return attention(x[0], x[1], x[2], o);
    }, inputs);
  }
}

TEST(Attention, RejectsWhatDoesNotFit) {
  const Tensor q = noise({1, 4, 2, 8}, 1, DType::f32), k = noise({1, 3, 2, 8}, 1, DType::f32);
  EXPECT_THROW(attention(q, k, k), ShapeError);
  AttentionOptions o;
  o.mask = noise({2, 2}, 1, DType::f32);
  EXPECT_THROW(attention(q, q, q, o), DTypeError);
  o.mask = {}, o.bias = noise({5, 2}, 1, DType::f32);
  EXPECT_THROW(attention(q, q, q, o), ShapeError);
}

TEST(Rope, RotatesHalvesOrPairsAndPassesTheRest) {
  const Tensor x = noise({2, 3, 4, 10}, 1), angle = noise({1, 4, 3}, 2);
  for (bool interleaved : {false, true}) {
    Tensor full = Tensor::empty({1, 4, 6}, DType::f64);
    for (int64_t t = 0; t < 4; ++t)
      for (int64_t i = 0; i < 6; ++i) full.mutable_data<double>()[t * 6 + i] = angle.data<double>()[t * 3 + (interleaved ? i / 2 : i % 3)];
    const Tensor y = apply_rope(x, cos(full), sin(full), interleaved);
    for (int64_t i = 0; i < 3; ++i) {  // token 2 of head 1 of batch 1
      const int64_t row = ((1 * 3 + 1) * 4 + 2) * 10, p = interleaved ? 2 * i : i, r = interleaved ? 2 * i + 1 : i + 3;
      const double a = angle.data<double>()[2 * 3 + i], x1 = x.data<double>()[row + p], x2 = x.data<double>()[row + r];
      EXPECT_NEAR(y.data<double>()[row + p], x1 * std::cos(a) - x2 * std::sin(a), 1e-12);
      EXPECT_NEAR(y.data<double>()[row + r], x2 * std::cos(a) + x1 * std::sin(a), 1e-12);
      EXPECT_EQ(y.data<double>()[row + 9], x.data<double>()[row + 9]);
    }
    const Tensor c = noise({2, 4, 6}, 3), s = noise({2, 4, 6}, 4);  // different in both halves
    expect_gradient([&](const std::vector<Tensor>& in) { return apply_rope(in[0], c, s, interleaved); }, {x});
    expect_gradient([&](const std::vector<Tensor>& in) { return apply_rope(in[0], in[1], in[2], interleaved); }, {x, c, s});
    const Tensor strided = noise({2, 4, 3, 10}, 1, DType::f32).transpose(1, 2);
    Tensor marked = c.to(DType::f32);
    const Tensor fast = apply_rope(strided, marked, s.to(DType::f32), interleaved);
    marked = marked.clone();
    marked.set_requires_grad();
    EXPECT_NMSE(fast, apply_rope(strided, marked, s.to(DType::f32), interleaved), 1e-13);
  }
  EXPECT_THROW(apply_rope(x, noise({1, 4, 12}), noise({1, 4, 12})), ShapeError);
}
}  // namespace transformers
