// Fourier transforms along the last dimension, torch's normalisation ("backward"), and FNet's two-dimensional one.
// N length, F = N / 2 + 1 frequencies of a real signal.
#include "ops/fft.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "kernels/fft.h"
#include "ops/rows.h"

namespace transformers {
namespace {

void check_wide(const char* op, const Tensor& x, bool complex) {
  if (x.dtype() != DType::f32 && x.dtype() != DType::f64) fail_dtype(op, x.dtype());
  if (x.rank() < (complex ? 2 : 1) || (complex && x.dim(-1) != 2)) throw ShapeError({op, ": ", complex ? "expected [..., N, 2]" : "expected [..., N]", ", got ", x.shape().str()});
}
int64_t grain_of(int64_t n) { return std::max<int64_t>(1, 2048 / std::max<int64_t>(1, n)); }
Shape last(const Shape& s, int64_t drop, std::initializer_list<int64_t> tail) {
  Shape r;
  for (int64_t i = 0; i < s.rank() - drop; ++i) r.push_back(s[i]);
  for (int64_t d : tail) r.push_back(d);
  return r;
}

// In place over rows [rows, n, 2].
template <class A> void transform(A* data, int64_t rows, int64_t n, bool inverse, A scale) {
  const auto plan = kernels::fft_plan<A>(n);
  parallel_for(rows, grain_of(n), [&](int64_t begin, int64_t end) {
    std::vector<A> work(static_cast<size_t>(plan->work_size()));
    for (int64_t r = begin; r < end; ++r) {
      plan->run(data + r * 2 * n, inverse, work.data());
      if (scale != 1) for (int64_t i = r * 2 * n; i < (r + 1) * 2 * n; ++i) data[i] *= scale;
    }
  });
}

// Real rows (have values each, cut or zero padded to n) to F frequencies. Even n: one complex transform of n / 2.
template <class A> void real_rows(const A* x, int64_t have, A* y, int64_t rows, int64_t n) {
  const int64_t F = n / 2 + 1, used = std::min(have, n), half = n / 2;
  const bool even = n % 2 == 0;
  const auto plan = kernels::fft_plan<A>(even ? half : n);
  std::vector<A> turn(static_cast<size_t>(even ? 2 * F : 0));
  for (int64_t k = 0; even && k < F; ++k) {
    const double angle = -6.283185307179586476925286766559 * static_cast<double>(k) / static_cast<double>(n);
    turn[static_cast<size_t>(2 * k)] = static_cast<A>(std::cos(angle)), turn[static_cast<size_t>(2 * k + 1)] = static_cast<A>(std::sin(angle));
  }
  parallel_for(rows, grain_of(n), [&](int64_t begin, int64_t end) {
    std::vector<A> work(static_cast<size_t>(plan->work_size())), z(static_cast<size_t>(2 * n + 2));
    for (int64_t r = begin; r < end; ++r) {
      const A* in = x + r * have;
      A* out = y + r * 2 * F;
      std::fill(z.begin(), z.end(), A(0));
      if (!even) {
        for (int64_t i = 0; i < used; ++i) z[static_cast<size_t>(2 * i)] = in[i];
        plan->run(z.data(), false, work.data());
        std::copy(z.begin(), z.begin() + 2 * F, out);
        continue;
      }
      std::copy(in, in + used, z.begin());  // even samples become real, odd ones imaginary parts
      plan->run(z.data(), false, work.data());
      for (int64_t k = 0; k < F; ++k) {
        const A* a = z.data() + 2 * (k % half);
        const A* b = z.data() + 2 * ((half - k) % half);
        const A er = (a[0] + b[0]) / 2, ei = (a[1] - b[1]) / 2, dr = (a[1] + b[1]) / 2, di = (b[0] - a[0]) / 2;
        const A c = turn[static_cast<size_t>(2 * k)], s = turn[static_cast<size_t>(2 * k + 1)];
        out[2 * k] = er + dr * c - di * s, out[2 * k + 1] = ei + dr * s + di * c;
      }
    }
  });
}

// have frequencies to n real values; mirror: the other half is the conjugate (irfft), else zero (rfft's adjoint).
template <class A> void real_back(const A* x, int64_t have, A* y, int64_t rows, int64_t n, bool mirror, A scale) {
  const int64_t used = std::min(have, n / 2 + 1);
  const auto plan = kernels::fft_plan<A>(n);
  parallel_for(rows, grain_of(n), [&](int64_t begin, int64_t end) {
    std::vector<A> work(static_cast<size_t>(plan->work_size())), z(static_cast<size_t>(2 * n));
    for (int64_t r = begin; r < end; ++r) {
      std::fill(z.begin(), z.end(), A(0));
      for (int64_t k = 0; k < used; ++k) {
        const A re = x[(r * have + k) * 2], im = x[(r * have + k) * 2 + 1];
        const bool own = k == 0 || 2 * k == n;  // its own mirror image: only the real part counts
        z[static_cast<size_t>(2 * k)] = re, z[static_cast<size_t>(2 * k + 1)] = mirror && own ? A(0) : im;
        if (mirror && !own) z[static_cast<size_t>(2 * (n - k))] = re, z[static_cast<size_t>(2 * (n - k) + 1)] = -im;
      }
      plan->run(z.data(), true, work.data());
      for (int64_t i = 0; i < n; ++i) y[r * n + i] = z[static_cast<size_t>(2 * i)] * scale;
    }
  });
}

#define WIDE_SWITCH(dtype, ...)                                  \
  if ((dtype) == DType::f64) { using A = double; __VA_ARGS__; }  \
  else { using A = float; __VA_ARGS__; }

Tensor rfft_plain(const Tensor& x, int64_t n) {
  const Tensor in = x.detach().contiguous();
  const int64_t have = x.dim(-1), rows = have ? in.numel() / have : 0;
  Tensor y = Tensor::empty(last(x.shape(), 1, {n / 2 + 1, 2}), x.dtype());
  WIDE_SWITCH(x.dtype(), real_rows(in.data<A>(), have, y.mutable_data<A>(), rows, n))
  return y;
}
Tensor real_back_plain(const Tensor& x, int64_t n, bool mirror, double scale) {
  const Tensor in = x.detach().contiguous();
  const int64_t have = x.dim(-2), rows = have ? in.numel() / have / 2 : 0;
  Tensor y = Tensor::empty(last(x.shape(), 2, {n}), x.dtype());
  WIDE_SWITCH(x.dtype(), real_back(in.data<A>(), have, y.mutable_data<A>(), rows, n, mirror, static_cast<A>(scale)))
  return y;
}
Tensor fft_plain(const Tensor& x, bool inverse, double scale) {
  Tensor y = x.detach().clone();
  const int64_t n = x.dim(-2);
  if (y.numel() == 0) return y;
  WIDE_SWITCH(x.dtype(), transform(y.mutable_data<A>(), y.numel() / n / 2, n, inverse, static_cast<A>(scale)))
  return y;
}
// Zero padded or cut along `dim` to n.
Tensor fitted(const Tensor& x, int64_t dim, int64_t n) {
  if (x.dim(dim) == n) return x;
  Tensor y = Tensor::zeros(x.shape().with(wrap_dim("fft", dim, x.rank()), n), x.dtype());
  const int64_t both = std::min(n, x.dim(dim));
  y.narrow(dim, 0, both).copy_(x.narrow(dim, 0, both));
  return y;
}

Tensor fft2_plain(const Tensor& x) {
  const int64_t M = x.dim(-2), N = x.dim(-1), F = N / 2 + 1;
  const Tensor columns = rfft_plain(x, N).transpose(-3, -2).contiguous();  // [..., F, M, 2]
  Tensor z = columns.same_storage(x) ? columns.clone() : columns, y = Tensor::empty(x.shape(), x.dtype());
  WIDE_SWITCH(x.dtype(), {
    const int64_t images = x.numel() / (M * N);
    transform(z.mutable_data<A>(), images * F, M, false, A(1));
    parallel_for(images * M, grain_of(N), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t u = r % M, mirrored = (M - u) % M;
        const A* spectrum = z.data<A>() + r / M * F * M * 2;
        A* out = y.mutable_data<A>() + r * N;
        for (int64_t v = 0; v < F; ++v) out[v] = spectrum[(v * M + u) * 2];
        for (int64_t v = F; v < N; ++v) out[v] = spectrum[((N - v) * M + mirrored) * 2];  // X[-u, -v] is the conjugate of X[u, v]
      }
    });
  })
  return y;
}

}  // namespace

Tensor rfft(const Tensor& x, int64_t n) {
  check_wide("rfft", x, false);
  if (n < 0) n = x.dim(-1);
  if (n < 1) throw ShapeError({"rfft: length ", n});
  return record(rfft_plain(x, n), "rfft", {x}, [n, have = x.dim(-1)](const Tensor& g) -> Grads {
    return {fitted(real_back_plain(g, n, false, 1), -1, have)};
  });
}

Tensor irfft(const Tensor& x, int64_t n) {
  check_wide("irfft", x, true);
  if (n < 0) n = 2 * (x.dim(-2) - 1);
  if (n < 1) throw ShapeError({"irfft: length ", n});
  return record(real_back_plain(x, n, true, 1 / static_cast<double>(n)), "irfft", {x}, [n, have = x.dim(-2)](const Tensor& g) -> Grads {
    Tensor d = rfft_plain(g, n);
    const int64_t F = n / 2 + 1;
    WIDE_SWITCH(d.dtype(), {
      A* p = d.mutable_data<A>();
      for (int64_t i = 0; i < d.numel() / 2; ++i) {
        const int64_t k = i % F;
        const A scale = static_cast<A>((k == 0 || 2 * k == n ? 1.0 : 2.0) / static_cast<double>(n));
        p[2 * i] *= scale, p[2 * i + 1] *= scale;
      }
    })
    return {fitted(d, -2, have)};
  });
}

Tensor fft(const Tensor& x, bool inverse) {
  check_wide("fft", x, true);
  const double n = static_cast<double>(x.dim(-2));
  return record(fft_plain(x, inverse, inverse ? 1 / n : 1), "fft", {x}, [inverse, n](const Tensor& g) -> Grads {
    return {fft_plain(g, !inverse, inverse ? 1 / n : 1)};
  });
}

Tensor fft2_real(const Tensor& x) {
  check_wide("fft2_real", x, false);
  if (x.rank() < 2) throw ShapeError({"fft2_real: expected [..., M, N], got ", x.shape().str()});
  if (x.numel() == 0) return x;
  return record(fft2_plain(x), "fft2_real", {x}, [](const Tensor& g) -> Grads { return {fft2_plain(g)}; });  // symmetric: its own adjoint
}

}  // namespace transformers
