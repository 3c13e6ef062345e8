// Chooses who computes a dense product: oneDNN for large f32 and bf16, own loops for the rest.
#include "kernels/gemm.h"

#include <cstring>

#include "base/parallel.h"
#include "kernels/scratch.h"

namespace transformers::kernels {
namespace {

// A oneDNN call costs a few microseconds: smaller products are done sooner by own loops.
constexpr int64_t kSmall = 32 * 1024;

void widen(const BFloat16* x, const Matrices& m, int64_t rows, int64_t cols, float* out) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) out[i * cols + j] = x[i * m.row + j * m.col];
}

// bf16 through f32 copies, one batch item at a time.
void gemm_widened(int64_t batch, int64_t m, int64_t n, int64_t k, const Matrices& a, const Matrices& b, BFloat16* c) {
  const auto range = [&](int64_t begin, int64_t end) {
    float* wide = static_cast<float*>(scratch(Scratch::gemm_c, (m * k + k * n + m * n) * 4));
    float *wa = wide, *wb = wa + m * k, *wc = wb + k * n;
    for (int64_t i = begin; i < end; ++i) {
      widen(static_cast<const BFloat16*>(a.data) + i * a.batch, a, m, k, wa);
      widen(static_cast<const BFloat16*>(b.data) + i * b.batch, b, k, n, wb);
      gemm(DType::f32, 1, m, n, k, {wa, 0, k, 1}, {wb, 0, n, 1}, wc);
      for (int64_t j = 0; j < m * n; ++j) c[i * m * n + j] = BFloat16(wc[j]);
    }
  };
  if (m * n * k > kSmall * 16) range(0, batch);
  else parallel_for(batch, 1, range);
}

}  // namespace

void gemm(DType type, int64_t batch, int64_t m, int64_t n, int64_t k, const Matrices& a, const Matrices& b, void* c) {
  if (batch == 0 || m == 0 || n == 0) return;
  if (k == 0) { std::memset(c, 0, static_cast<size_t>(batch * m * n * size_of(type))); return; }
  if (type == DType::f64) return gemm_loops(batch, m, n, k, a, b, static_cast<double*>(c));
  if (m * n * k >= kSmall && gemm_onednn(type, batch, m, n, k, a, b, c)) return;
  if (type == DType::f32) return gemm_loops(batch, m, n, k, a, b, static_cast<float*>(c));
  gemm_widened(batch, m, n, k, a, b, static_cast<BFloat16*>(c));
}

}  // namespace transformers::kernels
