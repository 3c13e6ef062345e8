// Packing of dense weights into panels, and back.
#include <algorithm>
#include <cstring>

#include "base/parallel.h"
#include "kernels/packed.h"

namespace transformers::kernels {

int64_t packed_depth(DType type, int64_t k) { return type == DType::bf16 ? (k + 31) / 32 * 32 : k; }
int64_t packed_bytes(DType type, int64_t n, int64_t k) {
  return (n + kPanel - 1) / kPanel * kPanel * packed_depth(type, k) * size_of(type);
}

namespace {
// One panel: rows of w become columns. `pair` values of a row lie together.
template <class T> void pack_panel(const T* w, int64_t rows, int64_t k, int64_t ldw, int64_t depth, int64_t pair, T* out) {
  if (rows < kPanel || depth > k) std::fill(out, out + depth * kPanel, T(0));
  constexpr int64_t kStep = 32;  // walk k in short runs: the lines of 64 rows and of the panel both stay in cache
  for (int64_t k0 = 0; k0 < k; k0 += kStep) {
    const int64_t end = std::min(k, k0 + kStep);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t p = k0; p < end; ++p) out[(p / pair * kPanel + r) * pair + p % pair] = w[r * ldw + p];
  }
}
}  // namespace

void pack_weight(DType type, const void* w, int64_t n, int64_t k, int64_t ldw, void* out) {
  const int64_t depth = packed_depth(type, k);
  parallel_for((n + kPanel - 1) / kPanel, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t rows = std::min(kPanel, n - i * kPanel);
      if (type == DType::f32)
        pack_panel(static_cast<const float*>(w) + i * kPanel * ldw, rows, k, ldw, depth, 1, static_cast<float*>(out) + i * kPanel * depth);
      else
        pack_panel(static_cast<const uint16_t*>(w) + i * kPanel * ldw, rows, k, ldw, depth, type == DType::bf16 ? 2 : 1,
                   static_cast<uint16_t*>(out) + i * kPanel * depth);
    }
  });
}

void unpack_row(DType type, const void* packed, int64_t k, int64_t row, float* out) {
  const int64_t base = row / kPanel * kPanel * packed_depth(type, k), r = row % kPanel;
  for (int64_t p = 0; p < k; ++p) {
    if (type == DType::f32) {
      out[p] = static_cast<const float*>(packed)[base + p * kPanel + r];
    } else if (type == DType::f16) {
      out[p] = static_cast<const Half*>(packed)[base + p * kPanel + r];
    } else {
      out[p] = static_cast<const BFloat16*>(packed)[base + (p / 2 * kPanel + r) * 2 + p % 2];
    }
  }
}

}  // namespace transformers::kernels
