// Random numbers. Generator: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): block
// number -> 128 random bits, so that any thread can make any part and the result does not depend on their number.
#include "ops/random.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <vector>

#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/iterate.h"

namespace transformers {
using namespace detail;
namespace {

std::atomic<uint64_t> g_seed{0x5DEECE66Dull};
std::atomic<uint64_t> g_counter{0};

struct Block { uint32_t r[4]; };
Block philox(uint64_t seed, uint64_t counter) {
  uint32_t c[4] = {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0, 0};
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * c[0], b = uint64_t{0xCD9E8D57} * c[2];
    const uint32_t next[4] = {static_cast<uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(b),
                              static_cast<uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(a)};
    std::copy(next, next + 4, c);
    k0 += 0x9E3779B9, k1 += 0xBB67AE85;
  }
  return {{c[0], c[1], c[2], c[3]}};
}
uint64_t bits64(const Block& b, int i) { return uint64_t{b.r[2 * i + 1]} << 32 | b.r[2 * i]; }
double unit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }  // [0, 1)

// Fills n values: f(block, values, count) makes up to `per` of them from one block.
template <class T, class F> void fill_blocks(T* out, int64_t n, int64_t per, F f) {
  const int64_t blocks = (n + per - 1) / per;
  const uint64_t seed = g_seed, first = g_counter.fetch_add(static_cast<uint64_t>(blocks));
  parallel_for(blocks, 4096, [=](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      f(philox(seed, first + static_cast<uint64_t>(b)), out + b * per, std::min(per, n - b * per));
  });
}
// Uniform numbers with `bits` random bits, so that rounding to a narrower type cannot reach 1.
Tensor uniform(const Shape& shape, int bits) {
  Tensor y = Tensor::empty(shape);
  const float scale = std::ldexp(1.0f, -bits);
  fill_blocks(y.mutable_data<float>(), y.numel(), 4, [=](const Block& b, float* out, int64_t n) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(b.r[i] >> (32 - bits)) * scale;
  });
  return y;
}
void check_probability(const char* op, double p) {
  if (!(p >= 0 && p <= 1)) throw ValueError({op, ": the probability must be within [0, 1], got ", p});
}
void check_float(const char* op, DType t) {
  if (!is_floating(t) || t > DType::bf16) fail_dtype(op, t);
}

}  // namespace

void manual_seed(uint64_t seed) { g_seed = seed, g_counter = 0; }
uint64_t next_random() { return bits64(philox(g_seed, g_counter.fetch_add(1)), 0); }
double next_uniform() { return unit(next_random()); }
RandomState random_state() { return {g_seed, g_counter}; }
void set_random_state(RandomState s) { g_seed = s.seed, g_counter = s.counter; }

Tensor rand(const Shape& shape, DType dtype) {
  check_float("rand", dtype);
  if (dtype != DType::f64) return uniform(shape, dtype == DType::f32 ? 24 : dtype == DType::f16 ? 11 : 8).to(dtype);
  Tensor y = Tensor::empty(shape, dtype);
  fill_blocks(y.mutable_data<double>(), y.numel(), 2, [](const Block& b, double* out, int64_t n) {
    for (int i = 0; i < n; ++i) out[i] = unit(bits64(b, i));
  });
  return y;
}
Tensor randn(const Shape& shape, DType dtype) {  // Box-Muller
  check_float("randn", dtype);
  if (dtype == DType::f64) {
    Tensor y = Tensor::empty(shape, dtype);
    fill_blocks(y.mutable_data<double>(), y.numel(), 2, [](const Block& b, double* out, int64_t n) {
      const double radius = std::sqrt(-2 * std::log(1 - unit(bits64(b, 0)))), angle = 6.283185307179586 * unit(bits64(b, 1));
      out[0] = radius * std::cos(angle);
      if (n > 1) out[1] = radius * std::sin(angle);
    });
    return y;
  }
  Tensor y = Tensor::empty(shape);
  fill_blocks(y.mutable_data<float>(), y.numel(), 4, [](const Block& b, float* out, int64_t n) {
    float v[4];
    for (int k = 0; k < 2; ++k) {
      const float u = (static_cast<float>(b.r[2 * k] >> 8) + 1) * 0x1p-24f;
      const float radius = std::sqrt(-2 * std::log(u)), angle = 6.2831853f * static_cast<float>(b.r[2 * k + 1] >> 8) * 0x1p-24f;
      v[2 * k] = radius * std::cos(angle), v[2 * k + 1] = radius * std::sin(angle);
    }
    std::copy(v, v + n, out);
  });
  return y.to(dtype);
}
Tensor randint(int64_t low, int64_t high, const Shape& shape) {
  if (low >= high) throw ValueError({"randint: empty range [", low, ", ", high, ")"});
  Tensor y = Tensor::empty(shape, DType::i64);
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  fill_blocks(y.mutable_data<int64_t>(), y.numel(), 2, [=](const Block& b, int64_t* out, int64_t n) {
    for (int i = 0; i < n; ++i) out[i] = static_cast<int64_t>(static_cast<uint64_t>(low) + bits64(b, i) % range);
  });
  return y;
}
Tensor randperm(int64_t n) {
  Tensor y = arange(n);
  int64_t* p = y.mutable_data<int64_t>();
  for (int64_t i = n - 1; i > 0; --i) std::swap(p[i], p[next_random() % static_cast<uint64_t>(i + 1)]);
  return y;
}
Tensor bernoulli(const Shape& shape, double p) {
  check_probability("bernoulli", p);
  Tensor y = Tensor::empty(shape, DType::boolean);
  const auto limit = static_cast<uint64_t>(p * 0x1p32);
  fill_blocks(y.mutable_data<bool>(), y.numel(), 4, [limit](const Block& b, bool* out, int64_t n) {
    for (int64_t i = 0; i < n; ++i) out[i] = b.r[i] < limit;
  });
  return y;
}

Tensor multinomial(const Tensor& probabilities, int64_t count, bool replacement) {
  if (probabilities.rank() == 0) throw ShapeError("multinomial: needs at least one dimension");
  if (count < 1) throw ValueError({"multinomial: count must be positive, got ", count});
  const Tensor p = probabilities.detach().to(DType::f64).contiguous();
  const int64_t n = p.shape().back(), rows = n ? p.numel() / n : 0;
  Tensor y = Tensor::empty(p.shape().with(p.rank() - 1, count), DType::i64);
  std::vector<double> work(static_cast<size_t>(n));
  for (int64_t r = 0; r < rows; ++r) {
    const double* row = p.data<double>() + r * n;
    int64_t* out = y.mutable_data<int64_t>() + r * count;
    double total = 0;
    int64_t usable = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (!(row[i] >= 0) || std::isinf(row[i])) throw ValueError({"multinomial: probability ", row[i], " at ", i, "; all must be finite and not negative"});
      usable += row[i] > 0;
      work[static_cast<size_t>(i)] = total += row[i];
    }
    if (usable == 0) throw ValueError("multinomial: a row has no probability above 0");
    if (!replacement && count > usable) throw ValueError({"multinomial: cannot draw ", count, " different values from ", usable, " with a probability above 0"});
    if (replacement || count == 1) {
      for (int64_t k = 0; k < count; ++k) {
        const double u = next_uniform() * total;
        int64_t at = std::upper_bound(work.begin(), work.end(), u) - work.begin();
        if (at == n) at = std::lower_bound(work.begin(), work.end(), total) - work.begin();  // u rounded up to the total
        out[k] = at;
      }
      continue;
    }
    // The smallest of exponential times with rates p are a draw without replacement.
    for (int64_t i = 0; i < n; ++i) work[static_cast<size_t>(i)] = row[i] > 0 ? -std::log(1 - next_uniform()) / row[i] : INFINITY;
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), int64_t{0});
    std::partial_sort(order.begin(), order.begin() + count, order.end(),
                      [&](int64_t a, int64_t b) { return work[static_cast<size_t>(a)] < work[static_cast<size_t>(b)]; });
    std::copy(order.begin(), order.begin() + count, out);
  }
  return y;
}

Tensor dropout(const Tensor& x, double p) {
  check_probability("dropout", p);
  if (p == 0) return x;
  const Tensor drop = bernoulli(x.shape(), p);
  const double scale = p < 1 ? 1 / (1 - p) : 0;
  return masked_fill(x, drop, 0) * scale;
}
Tensor drop_path(const Tensor& x, double p) {
  check_probability("drop_path", p);
  if (p == 0 || x.rank() == 0) return x;
  Shape s = x.shape();
  for (int64_t i = 1; i < s.rank(); ++i) s[i] = 1;
  return masked_fill(x, bernoulli(s, p), 0) * (p < 1 ? 1 / (1 - p) : 0);
}

}  // namespace transformers
