// Shared by op implementations: the type an element type is computed in, and rows moved between the two.
#pragma once
#include <type_traits>

#include "kernels/arithmetic.h"
#include "transformers/tensor.h"

namespace transformers {

/// f64 is computed in f64, everything else in f32.
template <class T> using Acc = std::conditional_t<std::is_same_v<T, double>, double, float>;
template <class T> inline constexpr bool kWide = std::is_same_v<T, double> || std::is_same_v<T, float>;
inline DType acc_dtype(DType t) { return t == DType::f64 ? DType::f64 : DType::f32; }

/// n values as Acc<T>: x itself where that is its type, else converted into buffer.
template <class T> const Acc<T>* widen_row(const T* x, int64_t n, Acc<T>* buffer) {
  if constexpr (kWide<T>) return x;
  else {
    kernels::convert(x, buffer, n);
    return buffer;
  }
}
/// Where to compute a row that ends in y: y itself or the buffer; store_row then finishes.
template <class T> Acc<T>* row_target(T* y, Acc<T>* buffer) {
  if constexpr (kWide<T>) return y;
  else return buffer;
}
template <class T> void store_row(const Acc<T>* values, int64_t n, T* y) {
  if constexpr (!kWide<T>) kernels::convert(values, y, n);
}

inline void check_floating(const char* op, const Tensor& x) {
  if (!is_floating(x.dtype())) fail_dtype(op, x.dtype());
}
/// x detached, dense and in the type it is computed in; undefined stays undefined.
inline Tensor dense_acc(const Tensor& x, DType like) {
  return x.defined() ? x.detach().to(acc_dtype(like)).contiguous() : Tensor();
}
template <class A> const A* data_or_null(const Tensor& x) { return x.defined() ? x.data<A>() : nullptr; }

}  // namespace transformers
