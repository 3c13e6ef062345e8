// Complex discrete Fourier transform of any length, unnormalised. Interleaved re, im. f32 and f64.
// Mixed radix Stockham passes for lengths with small prime factors, Bluestein's chirp for the rest.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

namespace transformers::kernels {

template <class A> class Fft {
 public:
  explicit Fft(int64_t n);
  int64_t size() const { return n_; }
  /// Values of work space that run() needs.
  int64_t work_size() const { return work_; }
  /// data [n, 2] is transformed in place; inverse = conjugated exponent, no 1 / n.
  void run(A* data, bool inverse, A* work) const;

 private:
  struct Stage { int64_t radix, m, s; std::vector<A> twiddle, root; };
  void forward(A* data, A* work) const;
  void pass(const Stage& t, const A* x, A* y) const;
  int64_t n_, work_ = 0;
  std::vector<Stage> stages_;
  std::unique_ptr<Fft<A>> inner_;       // Bluestein: power of two length
  std::vector<A> chirp_, chirp_spectrum_;
};

/// The plan for length n, made once per process (a bounded number is kept).
template <class A> std::shared_ptr<const Fft<A>> fft_plan(int64_t n);

}  // namespace transformers::kernels
