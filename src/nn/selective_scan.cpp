// Selective scan: one pass forward, one pass back that recomputes the states. Letters as in the header.
#include "nn/selective_scan.h"

#include <cmath>

#include "base/parallel.h"
#include "ops/reduce.h"

namespace transformers {
namespace {

struct Scan {
  int64_t B, T, I, N;
  const float *x, *dt, *a, *b, *c, *h0;  // h0 may be null
};

/// One channel of one batch row; `states` (if set) receives h_0 .. h_T as [T + 1, N].
void run_channel(const Scan& s, int64_t row, int64_t i, float* h, float* y, float* states) {
  for (int64_t n = 0; n < s.N; ++n) h[n] = s.h0 ? s.h0[(row * s.I + i) * s.N + n] : 0;
  const float* a = s.a + i * s.N;
  for (int64_t t = 0; t < s.T; ++t) {
    const int64_t at = row * s.T + t;
    const float *b = s.b + at * s.N, *c = s.c + at * s.N;
    const float dt = s.dt[at * s.I + i], drive = dt * s.x[at * s.I + i];
    if (states) std::copy(h, h + s.N, states + t * s.N);
    float sum = 0;
    for (int64_t n = 0; n < s.N; ++n) {
      h[n] = std::exp(dt * a[n]) * h[n] + drive * b[n];
      sum += c[n] * h[n];
    }
    if (y) y[at * s.I + i] = sum;
  }
  if (states) std::copy(h, h + s.N, states + s.T * s.N);
}

struct ScanGrads {
  float *x, *dt, *a, *b, *c;
};

void back_channel(const Scan& s, int64_t row, int64_t i, const float* gy, const float* states, float* dh,
                  const ScanGrads& g) {
  std::fill(dh, dh + s.N, 0.f);
  const float* a = s.a + i * s.N;
  for (int64_t t = s.T - 1; t >= 0; --t) {
    const int64_t at = row * s.T + t;
    const float *b = s.b + at * s.N, *c = s.c + at * s.N, *before = states + t * s.N, *after = before + s.N;
    const float dt = s.dt[at * s.I + i], x = s.x[at * s.I + i], out = gy[at * s.I + i];
    float gx = 0, gdt = 0;
    for (int64_t n = 0; n < s.N; ++n) {
      const float grad = dh[n] + out * c[n], decay = std::exp(dt * a[n]);
      g.c[at * s.N + n] += out * after[n];
      g.b[at * s.N + n] += grad * dt * x;
      g.a[i * s.N + n] += grad * dt * decay * before[n];
      gdt += grad * (a[n] * decay * before[n] + b[n] * x);
      gx += grad * dt * b[n];
      dh[n] = grad * decay;
    }
    g.x[at * s.I + i] = gx;
    g.dt[at * s.I + i] = gdt;
  }
}

void check(const char* name, const Tensor& t, const Shape& want) {
  if (!(t.shape() == want))
    throw ShapeError({"selective_scan: expected ", name, " of shape ", want.str(), ", got ", t.shape().str()});
}

}  // namespace

ScanResult selective_scan(const Tensor& x_in, const Tensor& dt_in, const Tensor& a_in, const Tensor& b_in,
                          const Tensor& c_in, const Tensor& state_in) {
  if (x_in.rank() != 3 || a_in.rank() != 2)
    throw ShapeError(
        {"selective_scan: expected x [B, T, I] and a [I, N], got ", x_in.shape().str(), " and ", a_in.shape().str()});
  const int64_t B = x_in.dim(0), T = x_in.dim(1), I = x_in.dim(2), N = a_in.dim(1);
  check("dt", dt_in, {B, T, I}), check("a", a_in, {I, N}), check("b", b_in, {B, T, N}), check("c", c_in, {B, T, N});
  if (state_in.defined()) check("state", state_in, {B, I, N});
  const auto plain = [](const Tensor& t) { return t.to(DType::f32).contiguous(); };
  const Tensor x = plain(x_in), dt = plain(dt_in), a = plain(a_in), b = plain(b_in), c = plain(c_in),
               h0 = state_in.defined() ? plain(state_in) : Tensor();
  const Scan s{B,
               T,
               I,
               N,
               x.data<float>(),
               dt.data<float>(),
               a.data<float>(),
               b.data<float>(),
               c.data<float>(),
               h0.defined() ? h0.data<float>() : nullptr};
  ScanResult result{Tensor::empty({B, T, I}), Tensor::empty({B, I, N})};
  float *y = result.y.mutable_data<float>(), *last = result.state.mutable_data<float>();
  parallel_for(B * I, std::max<int64_t>(1, 4096 / std::max<int64_t>(1, T * N)), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) run_channel(s, k / I, k % I, last + k * N, y, nullptr);
  });
  result.y = record(result.y, "selective_scan", {x, dt, a, b, c}, [=](const Tensor& grad) -> Grads {
    // b and c are shared by all channels: each block of channels sums into its own copy, added in order afterwards.
    const int64_t blocks = std::min<int64_t>(I, num_threads());
    const Tensor gy = grad.to(DType::f32).contiguous();
    const Tensor gx = Tensor::empty({B, T, I}), gdt = Tensor::empty({B, T, I}), ga = Tensor::zeros({I, N});
    const Tensor gb = Tensor::zeros({blocks, B, T, N}), gc = Tensor::zeros({blocks, B, T, N});
    const Scan scan{B,
                    T,
                    I,
                    N,
                    x.data<float>(),
                    dt.data<float>(),
                    a.data<float>(),
                    b.data<float>(),
                    c.data<float>(),
                    h0.defined() ? h0.data<float>() : nullptr};
    const auto at = [](const Tensor& t) { return static_cast<float*>(t.mutable_raw()); };
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> states(static_cast<size_t>((T + 1) * N)), h(static_cast<size_t>(N));
      for (int64_t block = begin; block < end; ++block) {
        const ScanGrads g{at(gx), at(gdt), at(ga), at(gb) + block * B * T * N, at(gc) + block * B * T * N};
        for (int64_t row = 0; row < B; ++row)
          for (int64_t i = I * block / blocks; i < I * (block + 1) / blocks; ++i) {
            run_channel(scan, row, i, h.data(), nullptr, states.data());
            back_channel(scan, row, i, gy.data<float>(), states.data(), h.data(), g);
          }
      }
    });
    return {gx, gdt, ga, sum(gb, {0}), sum(gc, {0})};
  });
  return result;
}

}  // namespace transformers
