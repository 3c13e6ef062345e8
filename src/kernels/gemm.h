// Dense matrix products: c[M, N] = a[M, K] b[K, N], batched, any strides of a and b.
#pragma once
#include <cstdint>

#include "transformers/dtype.h"

namespace transformers::kernels {

/// A batch of matrices; strides in elements.
struct Matrices {
  const void* data;
  int64_t batch, row, col;
};

/// c is contiguous [batch, m, n] of the same type: f64, f32 or bf16. bf16 is accumulated in f32.
void gemm(DType type, int64_t batch, int64_t m, int64_t n, int64_t k, const Matrices& a, const Matrices& b, void* c);

/// Own loops, f32 and f64; threads over batches or row blocks. c has row stride ldc.
template <class T> void gemm_loops(int64_t batch, int64_t m, int64_t n, int64_t k, const Matrices& a, const Matrices& b, T* c);

/// oneDNN; false when it has no fast kernel for this type, layout or machine (nothing was written then).
bool gemm_onednn(DType type, int64_t batch, int64_t m, int64_t n, int64_t k, const Matrices& a, const Matrices& b, void* c);

}  // namespace transformers::kernels
