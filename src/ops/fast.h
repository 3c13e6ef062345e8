// The vector kernels on whole tensors of f32, f16 and bf16; the 16-bit types pass through small float buffers.
// Private to src/ops. Nothing here is recorded.
#pragma once
#include "kernels/arithmetic.h"
#include "kernels/map.h"
#include "ops/iterate.h"

namespace transformers::detail {

inline bool has_kernel(DType t) { return t == DType::f32 || t == DType::f16 || t == DType::bf16; }

/// out = op(a, b) with broadcasting; all of one type, out contiguous.
void zip_fast(kernels::Arith op, const Tensor& a, const Tensor& b, Tensor& out);
/// op(x, number), or op(number, x) when `reversed`.
Tensor with_number_fast(kernels::Arith op, const Tensor& x, float number, bool reversed = false);
Tensor map_fast(kernels::Map f, const Tensor& x);
/// g and v of the same shape; v is converted to the type of g.
Tensor map_grad_fast(kernels::MapGrad f, const Tensor& g, const Tensor& v);

/// y = f(x): by the kernel, or by `f` in double.
template <class F> Tensor map(const char* op, const Tensor& x, kernels::Map kernel, F f) {
  if (has_kernel(x.dtype())) return map_fast(kernel, x);
  if (x.dtype() != DType::f64) fail_dtype(op, x.dtype());
  return map_as<double, double>(x, DType::f64, kCostlyGrain, f);
}
template <class F> Tensor map2(const char* op, const Tensor& g, const Tensor& v, kernels::MapGrad kernel, F f) {
  return has_kernel(g.dtype()) ? map_grad_fast(kernel, g, v) : map2(op, g, v, f);
}

/// Runs body(floats) on n values of x: in place for float, else on converted pieces of up to 256.
constexpr int64_t kPiece = 256;
/// Element i of a row that steps `step`, converted: a pointer into x itself where that is possible.
template <class T> const float* floats(const T* x, int64_t step, int64_t n, float* buffer) {
  if constexpr (std::is_same_v<T, float>) {
    if (step == 1) return x;
    for (int64_t i = 0; i < n; ++i) buffer[i] = x[i * step];
  } else {
    if (step == 1) kernels::convert(x, buffer, n);
    else for (int64_t i = 0; i < n; ++i) buffer[i] = static_cast<float>(x[i * step]);
  }
  return buffer;
}
/// body(begin, count, where to put floats) over pieces of [begin, end), each then stored into y.
template <class T, class F> void in_pieces(T* y, int64_t begin, int64_t end, F body) {
  if constexpr (std::is_same_v<T, float>) {
    body(begin, end - begin, y + begin);
  } else {
    float buffer[kPiece];
    for (; begin < end; begin += kPiece) {
      const int64_t count = end - begin < kPiece ? end - begin : kPiece;
      body(begin, count, buffer);
      kernels::convert(buffer, y + begin, count);
    }
  }
}

}  // namespace transformers::detail

#define TRANSFORMERS_FAST_SWITCH(op, dtype, ...)                              \
  switch (dtype) {                                                            \
    TRANSFORMERS_CASE(f32, float, __VA_ARGS__)                                \
    TRANSFORMERS_CASE(f16, ::transformers::Half, __VA_ARGS__)                 \
    TRANSFORMERS_CASE(bf16, ::transformers::BFloat16, __VA_ARGS__)            \
    default: ::transformers::fail_dtype(op, dtype);                           \
  }
