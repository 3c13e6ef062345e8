// Short-time Fourier transform and its inverse, as torch.stft and torch.istft (one-sided, unnormalised), and windows.
#include <algorithm>
#include <cmath>

#include "ops/conv.h"
#include "ops/elementwise.h"
#include "ops/fft.h"
#include "ops/index.h"
#include "ops/rows.h"

namespace transformers {
namespace {

Tensor cosine_window(int64_t n, bool periodic, DType dtype, double a) {
  if (n < 0) throw ShapeError({"window: length ", n});
  Tensor w = Tensor::empty({n}, DType::f64);
  const double span = static_cast<double>(periodic ? n : n - 1);
  for (int64_t i = 0; i < n; ++i)
    w.mutable_data<double>()[i] = n == 1 ? 1 : a - (1 - a) * std::cos(6.283185307179586476925286766559 * static_cast<double>(i) / span);
  return w.to(dtype);
}

// The window in x's type, zero padded on both sides to n_fft.
Tensor fit_window(const char* op, const Tensor& window, int64_t n_fft, DType dtype) {
  if (!window.defined()) return Tensor::full({n_fft}, 1, dtype);
  if (window.rank() != 1 || window.dim(0) < 1 || window.dim(0) > n_fft) throw ShapeError({op, ": window ", window.shape().str(), " for n_fft ", n_fft});
  const int64_t missing = n_fft - window.dim(0), left = missing / 2;
  return (missing ? pad(window, {left, missing - left}) : window).to(dtype);
}

}  // namespace

Tensor hann_window(int64_t n, bool periodic, DType dtype) { return cosine_window(n, periodic, dtype, 0.5); }
Tensor hamming_window(int64_t n, bool periodic, DType dtype) { return cosine_window(n, periodic, dtype, 0.54); }

Tensor stft(const Tensor& x0, int64_t n_fft, int64_t hop, const Tensor& window, bool center) {
  if (x0.rank() != 2 || n_fft < 1 || hop < 1) throw ShapeError({"stft: expected [B, L] and positive n_fft and hop, got ", x0.shape().str(), ", ", n_fft, ", ", hop});
  Tensor x = x0;
  if (center) {
    if (x.dim(1) <= n_fft / 2) throw ShapeError({"stft: ", x.dim(1), " samples are too few to reflect ", n_fft / 2});
    x = pad(x, {n_fft / 2, n_fft / 2}, 0, PadMode::reflect);
  }
  if (x.dim(1) < n_fft) throw ShapeError({"stft: ", x.dim(1), " samples for n_fft ", n_fft});
  const Tensor frames = unfold_dim(x, 1, n_fft, hop) * fit_window("stft", window, n_fft, x.dtype());  // [B, frames, n_fft]
  return rfft(frames).transpose(1, 2).contiguous();
}

Tensor istft(const Tensor& x, int64_t n_fft, int64_t hop, const Tensor& window, bool center, int64_t length) {
  if (x.rank() != 4 || x.dim(3) != 2 || x.dim(1) != n_fft / 2 + 1 || hop < 1 || hop > n_fft || x.dim(2) < 1)
    throw ShapeError({"istft: expected [B, ", n_fft / 2 + 1, ", frames, 2] and a hop of at most n_fft, got ", x.shape().str(), ", ", hop});
  const int64_t B = x.dim(0), frames = x.dim(2), total = n_fft + hop * (frames - 1);
  const Tensor w = fit_window("istft", window, n_fft, x.dtype());
  ConvOptions o;
  o.stride = {1, hop};
  const auto overlap_add = [&](const Tensor& f) {  // [b, frames, n_fft] -> [b, total]
    return fold(f.transpose(1, 2), {1, total}, {1, n_fft}, o).reshape({f.dim(0), total});
  };
  const Tensor y = overlap_add(irfft(x.transpose(1, 2), n_fft) * w);
  const Tensor envelope = overlap_add((w * w).expand({1, frames, n_fft}));
  const int64_t begin = center ? n_fft / 2 : 0, end = length >= 0 ? std::min(total, begin + length) : center ? total - n_fft / 2 : total;
  if (end < begin) throw ShapeError({"istft: nothing is left of ", total, " samples"});
  const Tensor e = envelope.slice(1, begin, end), dense = e.to(DType::f64).contiguous();
  for (int64_t i = 0; i < dense.numel(); ++i)
    if (std::fabs(dense.data<double>()[i]) <= 1e-11) throw ValueError({"istft: the windows do not cover sample ", i});
  const Tensor out = y.slice(1, begin, end) / e;
  if (length > end - begin) return pad(out, {0, length - (end - begin)});
  return out.reshape({B, end - begin});
}

}  // namespace transformers
