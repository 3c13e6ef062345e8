#include "ops/loss.h"

#include <limits>

#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "support/probe.h"

namespace transformers {
using testing::expect_gradient;
using testing::noise;

TEST(CrossEntropy, MatchesThePlainFormForEveryOption) {
  const Tensor x = noise({6, 37}, 1, DType::f64, 3), labels = Tensor::ids({3, -100, 0, 36, 5, 5}), w = noise({37}, 2, DType::f64, 0.4, 1);
  const Tensor lp = log_softmax(x);
  double nll = 0, spread = 0, share = 0, plain = 0;
  for (int64_t r : {0, 2, 3, 4, 5}) {
    const int64_t l = labels.data<int64_t>()[r];
    const double weight = w.data<double>()[l];
    nll -= weight * lp.data<double>()[r * 37 + l], plain -= lp.data<double>()[r * 37 + l], share += weight;
    for (int64_t c = 0; c < 37; ++c) spread -= w.data<double>()[c] * lp.data<double>()[r * 37 + c];
  }
  EXPECT_NEAR(cross_entropy(x, labels).item(), plain / 5, 1e-12);
  EXPECT_NEAR(nll_loss(lp, labels).item(), plain / 5, 1e-12);
  EXPECT_NEAR(cross_entropy(x, labels, {.weight = w}).item(), nll / share, 1e-12);
  EXPECT_NEAR(cross_entropy(x, labels, {.label_smoothing = 0.1, .weight = w}).item(), (0.9 * nll + 0.1 / 37 * spread) / share, 1e-12);
  EXPECT_NEAR(cross_entropy(x, labels, {.weight = w, .reduction = Reduction::sum}).item(), nll, 1e-12);
  EXPECT_EQ(cross_entropy(x, labels, {.reduction = Reduction::none}).to_floats()[1], 0);
  for (DType t : {DType::f32, DType::bf16, DType::f16}) EXPECT_NEAR(cross_entropy(x.to(t), labels).item(), plain / 5, t == DType::f32 ? 1e-6 : 2e-2);
  EXPECT_TRUE(std::isnan(cross_entropy(x, Tensor::full({6}, -100, DType::i64)).item()));
  // Class probabilities: one-hot rows give the same as labels.
  const Tensor hot = one_hot(Tensor::ids({3, 1, 0, 36, 5, 5}), 37).to(DType::f64);
  EXPECT_NEAR(cross_entropy(x, hot, {.label_smoothing = 0.2}).item(), cross_entropy(x, Tensor::ids({3, 1, 0, 36, 5, 5}), {.label_smoothing = 0.2}).item(), 1e-12);
  // Classes in the second dimension.
  const Tensor image = noise({2, 5, 3, 2}, 4), classes = Tensor::from(std::vector<int64_t>{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, -100, 1}, {2, 3, 2});
  EXPECT_NEAR(cross_entropy(image, classes).item(), cross_entropy(image.permute({0, 2, 3, 1}).reshape({12, 5}), classes.reshape({12})).item(), 1e-12);
}

TEST(CrossEntropy, Gradients) {
  const Tensor labels = Tensor::ids({3, -100, 0, 6}), w = noise({7}, 2, DType::f64, 0.4, 1), soft = softmax(noise({4, 7}, 3));
  for (Reduction r : {Reduction::mean, Reduction::sum, Reduction::none})
    for (double smoothing : {0.0, 0.2}) {
      expect_gradient([&](const auto& v) { return cross_entropy(v[0], labels, {.label_smoothing = smoothing, .weight = w, .reduction = r}); }, {noise({4, 7}, 1)});
      expect_gradient([&](const auto& v) { return cross_entropy(v[0], soft, {.label_smoothing = smoothing, .weight = w, .reduction = r}); }, {noise({4, 7}, 1)});
      expect_gradient([&](const auto& v) { return nll_loss(v[0], labels, {.weight = w, .reduction = r}); }, {noise({4, 7}, 1)});
    }
  const Tensor image = Tensor::from(std::vector<int64_t>{0, 1, 2, 3}, {2, 2});
  expect_gradient([&](const auto& v) { return cross_entropy(v[0], image); }, {noise({2, 4, 2}, 1)});
  // The f32 kernel against f64.
  Tensor a = noise({5, 1000}, 1, DType::f32, 4), b = a.to(DType::f64);
  a.set_requires_grad(), b.set_requires_grad();
  const Tensor y = Tensor::ids({0, 999, 5, 17, 400});
  cross_entropy(a, y).backward(), cross_entropy(b, y).backward();
  EXPECT_NMSE(a.grad(), b.grad(), 1e-12);
}

TEST(CrossEntropy, RejectsBadLabels) {
  const Tensor x = noise({2, 3}, 1, DType::f32);
  EXPECT_THROW(cross_entropy(x, Tensor::ids({0, 3})), ValueError);
  EXPECT_THROW(cross_entropy(x, Tensor::ids({0, -1})), ValueError);
  EXPECT_THROW(cross_entropy(x, Tensor::ids({0})), ShapeError);
  EXPECT_THROW(nll_loss(x, x), DTypeError);
}

// Values of torch.nn.functional on these inputs.
TEST(Loss, MatchesTorchOnAFewValues) {
  const Tensor x = Tensor::of({0.5f, -1.5f, 2.f, 0.1f}), t = Tensor::of({1.f, 0.f, 0.5f, 0.2f});
  EXPECT_NEAR(mse_loss(x, t).item(), 1.190, 1e-6);
  EXPECT_NEAR(l1_loss(x, t, Reduction::sum).item(), 3.6, 1e-6);
  EXPECT_NEAR(smooth_l1_loss(x, t, 0.5).item(), (0.25 + 1.25 + 1.25 + 0.01) / 4, 1e-6);
  EXPECT_NEAR(huber_loss(x, t, 0.5).item(), (0.125 + 0.625 + 0.625 + 0.005) / 4, 1e-6);
  const Tensor p = sigmoid(x);
  EXPECT_NEAR(binary_cross_entropy(p, t).item(), bce_with_logits(x, t).item(), 1e-6);
  EXPECT_NEAR(bce_with_logits(Tensor::of({800.f, -800.f}), Tensor::of({0.f, 1.f})).item(), 800, 1e-3);
  EXPECT_NEAR(binary_cross_entropy(Tensor::of({0.f}), Tensor::of({1.f})).item(), 100, 1e-6);
  EXPECT_EQ(kl_div(Tensor::of({-1.f}), Tensor::of({0.f})).item(), 0);
  EXPECT_NEAR(cosine_similarity(x, x, 0).item(), 1, 1e-6);
}

TEST(Loss, Gradients) {
  const Tensor target = noise({3, 4}, 2), p = sigmoid(noise({3, 4}, 3)), w = noise({4}, 4, DType::f64, 0.5, 1);
  for (Reduction r : {Reduction::mean, Reduction::none}) {
    expect_gradient([&](const auto& v) { return mse_loss(v[0], v[1], r); }, {noise({3, 4}, 1), target});
    expect_gradient([&](const auto& v) { return l1_loss(v[0], v[1], r); }, {noise({3, 4}, 1), target});
    expect_gradient([&](const auto& v) { return smooth_l1_loss(v[0], v[1], 0.7, r); }, {noise({3, 4}, 1), target});
    expect_gradient([&](const auto& v) { return huber_loss(v[0], v[1], 0.7, r); }, {noise({3, 4}, 1), target});
    expect_gradient([&](const auto& v) { return binary_cross_entropy(sigmoid(v[0]), p, w, r); }, {noise({3, 4}, 1)});
    expect_gradient([&](const auto& v) { return bce_with_logits(v[0], p, {}, {}, r); }, {noise({3, 4}, 1)});
    expect_gradient([&](const auto& v) { return bce_with_logits(v[0], p, w, w, r); }, {noise({3, 4}, 1)});
    expect_gradient([&](const auto& v) { return kl_div(v[0], p, r); }, {noise({3, 4}, 1)});
    expect_gradient([&](const auto& v) { return kl_div(v[0], target, r, true); }, {noise({3, 4}, 1)});
    expect_gradient([&](const auto& v) { return cosine_embedding_loss(v[0], v[1], Tensor::ids({1, -1, 1}), 0.1, r); }, {noise({3, 4}, 1), target});
  }
  expect_gradient([&](const auto& v) { return cosine_similarity(v[0], v[1], 1); }, {noise({3, 4}, 1), target});
}

TEST(Ctc, MatchesTheSumOverAllAlignments) {
  // 4 frames, 3 classes, target "1 2": brute force over 81 paths.
  const Tensor lp = log_softmax(noise({4, 1, 3}, 1));
  double total = 0;
  for (int path = 0; path < 81; ++path) {
    std::vector<int> collapsed;
    double score = 0;
    int before = -1, code = path;
    for (int t = 0; t < 4; ++t, code /= 3) {
      const int c = code % 3;
      score += lp.data<double>()[t * 3 + c];
      if (c != before && c != 0) collapsed.push_back(c);
      before = c;
    }
    if (collapsed == std::vector<int>{1, 2}) total += std::exp(score);
  }
  const Tensor target = Tensor::from(std::vector<int64_t>{1, 2}, {1, 2});
  EXPECT_NEAR(ctc_loss(lp, target, Tensor::ids({4}), Tensor::ids({2}), 0, Reduction::sum).item(), -std::log(total), 1e-12);
  EXPECT_NEAR(ctc_loss(lp, target, Tensor::ids({4}), Tensor::ids({2})).item(), -std::log(total) / 2, 1e-12);
}

TEST(Ctc, MatchesPyTorch) {
  Tensor lp = log_softmax(noise({9, 3, 5}, 1), -1).detach();
  lp.set_requires_grad();
  const Tensor targets = Tensor::from(std::vector<int64_t>{1, 2, 2, 0, 3, 3, 0, 0, 4, 1, 2, 3}, {3, 4});
  const Tensor loss = ctc_loss(lp, targets, Tensor::ids({9, 7, 4}), Tensor::ids({3, 2, 4}));
  loss.backward();
  EXPECT_NEAR(loss.item(), 2.9567512689117197, 1e-12);
  EXPECT_NEAR(testing::probe(lp.grad()), 0.24982176343198226, 1e-12);
}

TEST(Ctc, GradientsAndInfiniteLosses) {
  const Tensor targets = Tensor::from(std::vector<int64_t>{1, 1, 2, 3, 0, 0}, {2, 3}), in = Tensor::ids({6, 4}), out = Tensor::ids({3, 1});
  for (Reduction r : {Reduction::mean, Reduction::sum, Reduction::none})
    expect_gradient([&](const auto& v) { return ctc_loss(log_softmax(v[0], 2), targets, in, out, 0, r); }, {noise({6, 2, 4}, 1)});
  expect_gradient([&](const auto& v) { return ctc_loss(log_softmax(v[0], 2), targets, in, out, 3, Reduction::sum, true); }, {noise({6, 2, 4}, 1)});
  expect_gradient([&](const auto& v) { return ctc_loss(log_softmax(v[0], 2), Tensor::ids({1, 1, 2, 3}), in, out); }, {noise({6, 2, 4}, 1)});
  const Tensor lp = log_softmax(noise({2, 1, 4}, 1), 2), longer = Tensor::from(std::vector<int64_t>{1, 2, 3}, {1, 3});
  EXPECT_TRUE(std::isinf(ctc_loss(lp, longer, Tensor::ids({2}), Tensor::ids({3})).item()));
  EXPECT_EQ(ctc_loss(lp, longer, Tensor::ids({2}), Tensor::ids({3}), 0, Reduction::mean, true).item(), 0);
  EXPECT_THROW(ctc_loss(lp, longer, Tensor::ids({3}), Tensor::ids({3})), ValueError);
  EXPECT_THROW(ctc_loss(lp, longer, Tensor::ids({2}), Tensor::ids({3}), 9), ValueError);
}
}  // namespace transformers
