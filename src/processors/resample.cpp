// Pillow's resampling for 8-bit pictures: a horizontal and a vertical pass with fixed-point weights of 22 bits.
// Source of the method: Pillow's documentation of Image.resize and its antialiased convolution filters.
#include "processors/resample.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "transformers/error.h"

namespace transformers {
namespace {

constexpr int kBits = 22;

double sinc(double x) { return x == 0 ? 1 : std::sin(x * M_PI) / (x * M_PI); }
double weight(Resample f, double x) {
  x = std::fabs(x);
  switch (f) {
    case Resample::box: return 0;  // handled with its half-open interval below
    case Resample::bilinear: return x < 1 ? 1 - x : 0;
    case Resample::hamming: return x == 0 ? 1 : x >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * std::cos(x * M_PI));
    case Resample::bicubic: {
      constexpr double a = -0.5;
      if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    }
    case Resample::lanczos: return x < 3 ? sinc(x) * sinc(x / 3) : 0;
    default: return 0;
  }
}
double support(Resample f) { return f == Resample::box ? 0.5 : f == Resample::bicubic ? 2 : f == Resample::lanczos ? 3 : 1; }

struct Weights {
  std::vector<int64_t> first, count;
  std::vector<int32_t> values;
  int64_t width = 0;  // values per output
};

Weights make_weights(int64_t in, int64_t out, Resample f) {
  Weights w;
  const double scale = static_cast<double>(in) / static_cast<double>(out), stretch = std::max(scale, 1.0), reach = support(f) * stretch;
  w.width = static_cast<int64_t>(std::ceil(reach)) * 2 + 1;
  w.values.assign(static_cast<size_t>(out * w.width), 0);
  std::vector<double> k(static_cast<size_t>(w.width));
  for (int64_t o = 0; o < out; ++o) {
    const double center = (static_cast<double>(o) + 0.5) * scale;
    const int64_t lo = std::max<int64_t>(0, static_cast<int64_t>(center - reach + 0.5)), hi = std::min<int64_t>(in, static_cast<int64_t>(center + reach + 0.5));
    double sum = 0;
    for (int64_t i = lo; i < hi; ++i) {
      const double x = (static_cast<double>(i) - center + 0.5) / stretch;
      const double v = f == Resample::box ? (x > -0.5 && x <= 0.5 ? 1.0 : 0.0) : weight(f, x);
      k[static_cast<size_t>(i - lo)] = v, sum += v;
    }
    w.first.push_back(lo), w.count.push_back(hi - lo);
    for (int64_t i = 0; i < hi - lo; ++i) {
      const double v = (sum != 0 ? k[static_cast<size_t>(i)] / sum : 0) * (1 << kBits);
      w.values[static_cast<size_t>(o * w.width + i)] = static_cast<int32_t>(v < 0 ? v - 0.5 : v + 0.5);
    }
  }
  return w;
}

uint8_t clip(int64_t sum) { return static_cast<uint8_t>(std::clamp<int64_t>(sum >> kBits, 0, 255)); }

}  // namespace

Image resize_image(const Image& in, int64_t width, int64_t height, Resample f) {
  if (width < 1 || height < 1 || in.width < 1 || in.height < 1 || width > 65536 || height > 65536)
    throw ValueError({"resize: ", in.width, "x", in.height, " to ", width, "x", height, " is not possible"});
  if (width == in.width && height == in.height) return in;
  if (f == Resample::nearest) {
    Image out{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x) {
        const int64_t sx = std::min<int64_t>(in.width - 1, static_cast<int64_t>((static_cast<double>(x) + 0.5) * static_cast<double>(in.width) / static_cast<double>(width)));
        const int64_t sy = std::min<int64_t>(in.height - 1, static_cast<int64_t>((static_cast<double>(y) + 0.5) * static_cast<double>(in.height) / static_cast<double>(height)));
        std::copy_n(&in.pixels[static_cast<size_t>((sy * in.width + sx) * 3)], 3, &out.pixels[static_cast<size_t>((y * width + x) * 3)]);
      }
    return out;
  }
  Image across = in;
  if (width != in.width) {
    const Weights w = make_weights(in.width, width, f);
    across = {width, in.height, std::vector<uint8_t>(static_cast<size_t>(width * in.height * 3))};
    parallel_for(in.height, 16, [&](int64_t begin, int64_t end) {
      for (int64_t y = begin; y < end; ++y)
        for (int64_t x = 0; x < width; ++x) {
          const uint8_t* from = &in.pixels[static_cast<size_t>((y * in.width + w.first[static_cast<size_t>(x)]) * 3)];
          const int32_t* k = &w.values[static_cast<size_t>(x * w.width)];
          int64_t s[3] = {1 << (kBits - 1), 1 << (kBits - 1), 1 << (kBits - 1)};
          for (int64_t i = 0; i < w.count[static_cast<size_t>(x)]; ++i)
            for (int c = 0; c < 3; ++c) s[c] += int64_t{from[i * 3 + c]} * k[i];
          for (int c = 0; c < 3; ++c) across.pixels[static_cast<size_t>((y * width + x) * 3 + c)] = clip(s[c]);
        }
    });
  }
  if (height == in.height) return across;
  const Weights w = make_weights(in.height, height, f);
  Image out{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
  parallel_for(height, 16, [&](int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y)
      for (int64_t i = 0; i < width * 3; ++i) {
        int64_t s = 1 << (kBits - 1);
        const int32_t* k = &w.values[static_cast<size_t>(y * w.width)];
        for (int64_t j = 0; j < w.count[static_cast<size_t>(y)]; ++j)
          s += int64_t{across.pixels[static_cast<size_t>((w.first[static_cast<size_t>(y)] + j) * width * 3 + i)]} * k[j];
        out.pixels[static_cast<size_t>(y * width * 3 + i)] = clip(s);
      }
  });
  return out;
}

}  // namespace transformers
