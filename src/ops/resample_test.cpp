// Interpolation, grid sampling and folding against numbers that PyTorch gives in double on the same noise.
#include "ops/conv.h"
#include "support/probe.h"

namespace transformers {
using testing::expect_gradient;
using testing::noise;
using testing::probe;

TEST(Interpolate, MatchesPyTorch) {
  using I = Interpolation;
  struct Case { I mode; Shape size; bool align, antialias; double expected; };
  const Tensor x = noise({2, 4, 7, 9}, 1);
  for (const Case& c : std::vector<Case>{
           {I::nearest, {5, 13}, false, false, -19.473673761796}, {I::nearest, {14, 4}, false, false, -7.993617787411},
           {I::nearest_exact, {5, 13}, false, false, -3.150831129965}, {I::nearest_exact, {14, 4}, false, false, 1.309109907673},
           {I::bilinear, {5, 13}, false, false, -4.389654911653}, {I::bilinear, {5, 13}, true, false, -3.202716563359},
           {I::bilinear, {5, 13}, false, true, -5.878680621542}, {I::bilinear, {14, 4}, false, false, 4.672055148865},
           {I::bilinear, {14, 4}, true, false, 4.108786552859}, {I::bilinear, {14, 4}, false, true, 1.778136772206},
           {I::bicubic, {5, 13}, false, false, -7.399920256537}, {I::bicubic, {5, 13}, true, false, -5.733271330313},
           {I::bicubic, {5, 13}, false, true, -7.700127408134}, {I::bicubic, {14, 4}, false, false, 6.902414176605},
           {I::bicubic, {14, 4}, true, false, 5.253557679489}, {I::bicubic, {14, 4}, false, true, 2.468630344276},
           {I::area, {5, 13}, false, false, -5.970492343116}, {I::area, {14, 4}, false, false, -1.762958907663}}) {
    SCOPED_TRACE(std::to_string(static_cast<int>(c.mode)) + " " + c.size.str() + (c.align ? " align" : "") + (c.antialias ? " antialias" : ""));
    const Tensor exact = interpolate(x, c.size, c.mode, c.align, c.antialias);
    EXPECT_NEAR(probe(exact), c.expected, 1e-9);
    EXPECT_NMSE(interpolate(x.to(DType::f32), c.size, c.mode, c.align, c.antialias), exact, 1e-12);
    expect_gradient([&](const auto& v) { return interpolate(v[0], c.size, c.mode, c.align, c.antialias); }, {noise({1, 1, 4, 5}, 1)});
  }
  EXPECT_NEAR(probe(interpolate(noise({2, 4, 11}, 1), {7}, I::linear)), 2.229290862714, 1e-9);
  EXPECT_NEAR(probe(interpolate(noise({1, 2, 4, 5, 6}, 1), {3, 7, 6}, I::trilinear, true)), 2.850309952058, 1e-9);
  EXPECT_NEAR(probe(interpolate(x, {11, 5}, I::bilinear, false, false, {1.7, 0.6})), -2.144738303792, 1e-9);
  EXPECT_NEAR(probe(interpolate(x, {11, 5}, I::nearest, false, false, {1.7, 0.6})), -12.101132305822, 1e-9);
  EXPECT_NEAR(probe(interpolate(x, {4, 4}, I::bicubic, false, true, {0.6, 0.45})), -0.943888867448, 1e-9);
  EXPECT_THROW(interpolate(x, {3}, I::linear), ShapeError);
  EXPECT_THROW(interpolate(x, {3, 3}, I::nearest, true), ValueError);
  EXPECT_THROW(interpolate(x, {0, 3}, I::nearest), ShapeError);
}

TEST(GridSample, MatchesPyTorch) {
  using I = Interpolation;
  using P = GridPadding;
  struct Case { I mode; P padding; double expected[2]; };
  const Tensor x = noise({2, 4, 7, 9}, 1);
  Tensor grid = noise({2, 5, 6, 2}, 5, DType::f64, 1.4);
  for (const Case& c : std::vector<Case>{{I::nearest, P::zeros, {1.084306793470, 2.408714382364}},
                                         {I::nearest, P::border, {0.314358366339, 1.219751061823}},
                                         {I::nearest, P::reflection, {2.637275001661, 2.532735694616}},
                                         {I::bilinear, P::zeros, {0.742389051226, -1.273441073415}},
                                         {I::bilinear, P::border, {1.337692534943, -3.126116917843}},
                                         {I::bilinear, P::reflection, {1.952603975021, -0.179080028688}},
                                         {I::bicubic, P::zeros, {0.626520778741, -1.407067605672}},
                                         {I::bicubic, P::border, {1.628743029254, -3.506140495224}},
                                         {I::bicubic, P::reflection, {2.195069630283, -0.036359618222}}})
    for (bool align : {false, true}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(c.mode)) + " " + std::to_string(static_cast<int>(c.padding)) + (align ? " align" : ""));
      EXPECT_NEAR(probe(grid_sample(x, grid, c.mode, c.padding, align)), c.expected[align], 1e-9);
      expect_gradient([&](const auto& v) { return grid_sample(v[0], v[1], c.mode, c.padding, align); }, {noise({1, 2, 4, 3}, 1), noise({1, 3, 2, 2}, 9, DType::f64, 1.4)},
                      1e-6, 1e-5);
    }
  grid.fill_(1e30);  // far outside: no overflow
  EXPECT_EQ(probe(grid_sample(x, grid)), 0);
  EXPECT_THROW(grid_sample(x, noise({2, 5, 6, 3}, 1)), ShapeError);
}

TEST(Fold, MatchesPyTorchAndIsTheAdjoint) {
  ConvOptions o;
  o.dilation = {1, 2}, o.padding = {1}, o.stride = {2};
  EXPECT_NEAR(probe(unfold(noise({2, 4, 7, 9}, 1), {3, 2}, o)), -3.957309288462, 1e-9);
  EXPECT_NEAR(probe(fold(noise({2, 24, 20}, 4), {7, 9}, {3, 2}, o)), -5.718235233924, 1e-9);
  expect_gradient([&](const auto& v) { return unfold(v[0], {3, 2}, o); }, {noise({1, 2, 5, 4}, 1)});
  expect_gradient([&](const auto& v) { return fold(v[0], {5, 4}, {2}, {{2}, {1}}); }, {noise({1, 8, 9}, 1)});
  EXPECT_NEAR(probe(pixel_shuffle(noise({2, 12, 3, 4}, 1), 2)), 2.711376157903, 1e-9);
  EXPECT_NEAR(probe(pixel_unshuffle(noise({2, 3, 4, 6}, 1), 2)), -6.792146336083, 1e-9);
  EXPECT_THROW(fold(noise({2, 24, 20}, 4), {7, 9}, {5, 2}, o), ShapeError);
  EXPECT_THROW(pixel_shuffle(noise({2, 3, 3, 4}, 1), 2), ShapeError);
}
}  // namespace transformers
