// Stockham autosort passes (radix 2, 3, 4, 5 and any small prime) and Bluestein's algorithm.
#include "kernels/fft.h"

#include <cmath>
#include <cstring>
#include <map>
#include <mutex>

namespace transformers::kernels {
namespace {

constexpr int64_t kLargestRadix = 31;
constexpr double kTau = 6.283185307179586476925286766559;

template <class A> void root_of_unity(int64_t k, int64_t n, A* out) {  // exp(-2 pi i k / n)
  const double angle = -kTau * static_cast<double>(k % n) / static_cast<double>(n);
  out[0] = static_cast<A>(std::cos(angle)), out[1] = static_cast<A>(std::sin(angle));
}

}  // namespace

template <class A> Fft<A>::Fft(int64_t n) : n_(n) {
  int64_t rest = n;
  std::vector<int64_t> radices;
  for (int64_t r : {4, 2, 3, 5})
    while (rest % r == 0) radices.push_back(r), rest /= r;
  for (int64_t r = 7; r <= kLargestRadix && rest > 1; r += 2)
    while (rest % r == 0) radices.push_back(r), rest /= r;
  if (rest == 1) {
    int64_t length = n, s = 1;
    for (int64_t r : radices) {
      Stage t{r, length / r, s, std::vector<A>(static_cast<size_t>(2 * length)), std::vector<A>(static_cast<size_t>(2 * r))};
      for (int64_t p = 0; p < t.m; ++p)
        for (int64_t j = 0; j < r; ++j) root_of_unity(j * p, length, t.twiddle.data() + 2 * (p * r + j));
      for (int64_t j = 0; j < r; ++j) root_of_unity(j, r, t.root.data() + 2 * j);
      stages_.push_back(std::move(t));
      length /= r, s *= r;
    }
    work_ = 2 * n;
    return;
  }
  int64_t m = 1;
  while (m < 2 * n - 1) m *= 2;
  inner_ = std::make_unique<Fft<A>>(m);
  chirp_.resize(static_cast<size_t>(2 * n)), chirp_spectrum_.assign(static_cast<size_t>(2 * m), A(0));
  for (int64_t k = 0; k < n; ++k) {
    // exp(-pi i k^2 / n); k^2 modulo 2 n keeps the angle exact.
    root_of_unity((k % (2 * n)) * (k % (2 * n)) % (2 * n), 2 * n, chirp_.data() + 2 * k);
    for (int64_t at : {k, (m - k) % m}) {
      chirp_spectrum_[static_cast<size_t>(2 * at)] = chirp_[static_cast<size_t>(2 * k)];
      chirp_spectrum_[static_cast<size_t>(2 * at + 1)] = -chirp_[static_cast<size_t>(2 * k + 1)];
    }
  }
  std::vector<A> work(static_cast<size_t>(inner_->work_size()));
  inner_->run(chirp_spectrum_.data(), false, work.data());
  work_ = 2 * m + inner_->work_size();
}

// y[q + s (r p + j)] = w^(j p) sum_k x[q + s (p + m k)] root^(j k)
template <class A> void Fft<A>::pass(const Stage& t, const A* x, A* y) const {
  const int64_t r = t.radix, m = t.m, s = t.s;
  for (int64_t p = 0; p < m; ++p) {
    const A* w = t.twiddle.data() + 2 * p * r;
    const A* in = x + 2 * s * p;
    A* out = y + 2 * s * r * p;
    const int64_t far = 2 * s * m, near = 2 * s;
    if (r == 2) {
      for (int64_t q = 0; q < 2 * s; q += 2) {
        const A ar = in[q], ai = in[q + 1], br = in[q + far], bi = in[q + far + 1], dr = ar - br, di = ai - bi;
        out[q] = ar + br, out[q + 1] = ai + bi;
        out[q + near] = dr * w[2] - di * w[3], out[q + near + 1] = dr * w[3] + di * w[2];
      }
    } else if (r == 4) {
      for (int64_t q = 0; q < 2 * s; q += 2) {
        const A ar = in[q], ai = in[q + 1], br = in[q + far], bi = in[q + far + 1];
        const A cr = in[q + 2 * far], ci = in[q + 2 * far + 1], dr = in[q + 3 * far], di = in[q + 3 * far + 1];
        const A pr = ar + cr, pi = ai + ci, mr = ar - cr, mi = ai - ci, qr = br + dr, qi = bi + di, nr = bi - di, ni = dr - br;  // n = -i (b - d)
        const A er = mr + nr, ei = mi + ni, fr = pr - qr, fi = pi - qi, gr = mr - nr, gi = mi - ni;
        out[q] = pr + qr, out[q + 1] = pi + qi;
        out[q + near] = er * w[2] - ei * w[3], out[q + near + 1] = er * w[3] + ei * w[2];
        out[q + 2 * near] = fr * w[4] - fi * w[5], out[q + 2 * near + 1] = fr * w[5] + fi * w[4];
        out[q + 3 * near] = gr * w[6] - gi * w[7], out[q + 3 * near + 1] = gr * w[7] + gi * w[6];
      }
    } else {
      for (int64_t q = 0; q < 2 * s; q += 2)
        for (int64_t j = 0; j < r; ++j) {
          A sr = 0, si = 0;
          for (int64_t k = 0, e = 0; k < r; ++k, e = e + j >= r ? e + j - r : e + j) {
            const A ar = in[q + k * far], ai = in[q + k * far + 1], cr = t.root[static_cast<size_t>(2 * e)], ci = t.root[static_cast<size_t>(2 * e + 1)];
            sr += ar * cr - ai * ci, si += ar * ci + ai * cr;
          }
          out[q + j * near] = sr * w[2 * j] - si * w[2 * j + 1], out[q + j * near + 1] = sr * w[2 * j + 1] + si * w[2 * j];
        }
    }
  }
}

template <class A> void Fft<A>::forward(A* data, A* work) const {
  if (inner_) {
    const int64_t m = inner_->size();
    A* a = work;
    std::memset(a, 0, static_cast<size_t>(2 * m) * sizeof(A));
    for (int64_t k = 0; k < n_; ++k) {
      const A c = chirp_[static_cast<size_t>(2 * k)], d = chirp_[static_cast<size_t>(2 * k + 1)];
      a[2 * k] = data[2 * k] * c - data[2 * k + 1] * d, a[2 * k + 1] = data[2 * k] * d + data[2 * k + 1] * c;
    }
    inner_->run(a, false, work + 2 * m);
    for (int64_t k = 0; k < m; ++k) {
      const A c = chirp_spectrum_[static_cast<size_t>(2 * k)], d = chirp_spectrum_[static_cast<size_t>(2 * k + 1)], re = a[2 * k] * c - a[2 * k + 1] * d;
      a[2 * k + 1] = a[2 * k] * d + a[2 * k + 1] * c, a[2 * k] = re;
    }
    inner_->run(a, true, work + 2 * m);
    const A scale = A(1) / static_cast<A>(m);
    for (int64_t k = 0; k < n_; ++k) {
      const A c = chirp_[static_cast<size_t>(2 * k)] * scale, d = chirp_[static_cast<size_t>(2 * k + 1)] * scale;
      data[2 * k] = a[2 * k] * c - a[2 * k + 1] * d, data[2 * k + 1] = a[2 * k] * d + a[2 * k + 1] * c;
    }
    return;
  }
  A *from = data, *to = work;
  for (const Stage& t : stages_) {
    pass(t, from, to);
    std::swap(from, to);
  }
  if (from != data) std::memcpy(data, from, static_cast<size_t>(2 * n_) * sizeof(A));
}

template <class A> void Fft<A>::run(A* data, bool inverse, A* work) const {
  if (inverse) for (int64_t i = 0; i < n_; ++i) data[2 * i + 1] = -data[2 * i + 1];
  forward(data, work);
  if (inverse) for (int64_t i = 0; i < n_; ++i) data[2 * i + 1] = -data[2 * i + 1];
}

template <class A> std::shared_ptr<const Fft<A>> fft_plan(int64_t n) {
  static std::mutex mutex;
  static std::map<int64_t, std::shared_ptr<const Fft<A>>> plans;
  std::lock_guard lock(mutex);
  const auto found = plans.find(n);
  if (found != plans.end()) return found->second;
  if (plans.size() >= 64) plans.clear();
  return plans[n] = std::make_shared<Fft<A>>(n);
}

template class Fft<float>;
template class Fft<double>;
template std::shared_ptr<const Fft<float>> fft_plan<float>(int64_t);
template std::shared_ptr<const Fft<double>> fft_plan<double>(int64_t);

}  // namespace transformers::kernels
