// Fourier transforms against numbers that PyTorch gives in double on the same noise.
#include "ops/fft.h"

#include "support/probe.h"

namespace transformers {
using testing::expect_gradient;
using testing::noise;
using testing::probe;

TEST(Fft, MatchesPyTorchForEveryKindOfLength) {
  const std::vector<std::pair<int64_t, double>> lengths{{1, 0.148582526335},   {2, 1.841601761539},  {3, -1.281786602355}, {16, -0.664788317698}, {30, -24.414378152888},
                                                        {77, -1.139714367194}, {74, 6.341894073957}, {97, 32.759236152776}, {400, -195.314135868567}};
  for (const auto& [n, expected] : lengths) {
    SCOPED_TRACE(n);
    const Tensor x = noise({3, n}, 1), y = rfft(x);
    EXPECT_NEAR(probe(y), expected, 1e-8);
    EXPECT_NMSE(rfft(x.to(DType::f32)), y, 1e-12);
    EXPECT_NMSE(irfft(y, n), x, 1e-24);
  }
  EXPECT_NEAR(probe(rfft(noise({3, 10}, 1), 16)), -3.137668261365, 1e-9);
  EXPECT_NEAR(probe(rfft(noise({3, 10}, 1), 7)), 0.177241824592, 1e-9);
  EXPECT_NEAR(probe(irfft(noise({3, 5, 2}, 1))), -0.745869887470, 1e-9);
  EXPECT_NEAR(probe(irfft(noise({3, 5, 2}, 1), 9)), 0.793766798124, 1e-9);
  EXPECT_NEAR(probe(irfft(noise({3, 9, 2}, 1), 10)), -0.237527110369, 1e-9);
  EXPECT_NEAR(probe(fft(noise({2, 74, 2}, 1))), 89.036578777162, 1e-8);
  EXPECT_NEAR(probe(fft(noise({2, 30, 2}, 1), true)), 0.422101814232, 1e-9);
  EXPECT_NEAR(probe(fft2_real(noise({2, 6, 9}, 1))), 1.433954700224, 1e-9);
  EXPECT_NEAR(probe(fft2_real(noise({2, 5, 8}, 1))), -12.165259729209, 1e-9);
}

TEST(Fft, Gradients) {
  for (int64_t n : {5, 8}) {
    expect_gradient([](const auto& v) { return rfft(v[0]); }, {noise({2, n}, 1)});
    expect_gradient([](const auto& v) { return rfft(v[0], 6); }, {noise({2, n}, 1)});
    expect_gradient([&](const auto& v) { return irfft(v[0], n); }, {noise({2, 5, 2}, 1)});
    expect_gradient([&](const auto& v) { return fft2_real(v[0]); }, {noise({2, 3, n}, 1)});
    for (bool inverse : {false, true}) expect_gradient([&](const auto& v) { return fft(v[0], inverse); }, {noise({2, n, 2}, 1)});
  }
  expect_gradient([](const auto& v) { return stft(v[0], 8, 3, hann_window(8, true, DType::f64)); }, {noise({2, 13}, 1)});
  expect_gradient([](const auto& v) { return istft(v[0], 8, 2, hann_window(8, true, DType::f64)); }, {noise({1, 5, 4, 2}, 1)});
}

TEST(Stft, MatchesPyTorchAndInverts) {
  const Tensor x = noise({2, 50}, 1), hann = hann_window(16, true, DType::f64), hamming = hamming_window(16, true, DType::f64);
  EXPECT_NEAR(probe(stft(x, 16, 5, hann)), 4.941048309359, 1e-9);
  EXPECT_NEAR(probe(stft(x, 16, 5, hamming_window(10, false, DType::f64), false)), -2.668301813266, 1e-9);
  EXPECT_NEAR(probe(istft(noise({2, 9, 7, 2}, 1), 16, 4, hamming)), 0.546367797576, 1e-9);
  EXPECT_NEAR(probe(istft(noise({2, 9, 7, 2}, 1), 16, 4, hamming, true, 21)), 1.035632735744, 1e-9);
  EXPECT_NMSE(istft(stft(x, 16, 5, hann), 16, 5, hann, true, 50), x, 1e-24);
  EXPECT_EQ(stft(x, 16, 5, hann).shape(), (Shape{2, 9, 11, 2}));
  EXPECT_THROW(stft(x.slice(1, 0, 7), 16, 5, hann), ShapeError);
  EXPECT_THROW(istft(noise({2, 9, 7, 2}, 1), 16, 4, hann, false), ValueError);
  EXPECT_THROW(rfft(Tensor::ids({1, 2})), DTypeError);
}
}  // namespace transformers
