// Loops shared by the elementwise ops: broadcasting walks, maps over one or two tensors, gradients of broadcasting.
// Private to src/ops. Arithmetic of f16 and bf16 is done in float, of the small integers in int64.
#pragma once
#include <type_traits>

#include "base/parallel.h"
#include "transformers/tensor.h"

/// Runs the statement with `T` naming the element type that numbers are computed in: floats as they are, integers as
/// int64 (convert first).
#define TRANSFORMERS_NUMBER_SWITCH(op, dtype, ...)                                                \
  switch (dtype) {                                                                                \
    TRANSFORMERS_CASE(f64, double, __VA_ARGS__) TRANSFORMERS_CASE(f32, float, __VA_ARGS__)        \
    TRANSFORMERS_CASE(f16, ::transformers::Half, __VA_ARGS__)                                     \
    TRANSFORMERS_CASE(bf16, ::transformers::BFloat16, __VA_ARGS__)                                \
    TRANSFORMERS_CASE(i64, int64_t, __VA_ARGS__)                                                  \
    default: ::transformers::fail_dtype(op, dtype);                                               \
  }
/// Runs the statement with `U` an unsigned integer as wide as the element: for ops that only move values.
#define TRANSFORMERS_SIZE_SWITCH(bytes, ...)       \
  switch (bytes) {                                 \
    case 1: { using U = uint8_t; __VA_ARGS__; break; }  \
    case 2: { using U = uint16_t; __VA_ARGS__; break; } \
    case 4: { using U = uint32_t; __VA_ARGS__; break; } \
    default: { using U = uint64_t; __VA_ARGS__; break; } \
  }

namespace transformers::detail {

/// Type that arithmetic on T is done in.
template <class T> using Acc = std::conditional_t<std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, float, T>;
template <class T> Acc<T> load(T v) { return static_cast<Acc<T>>(v); }
template <class T, class A> T store(A v) { return static_cast<T>(v); }

constexpr int64_t kCheapGrain = 32768, kCostlyGrain = 8192;  // elements a thread should have at least

/// Strides that read t as if it had the shape `out` (0 where broadcast).
inline Shape strides_in(const Tensor& t, const Shape& out) {
  Shape st = out;
  const int64_t extra = out.rank() - t.rank();
  for (int64_t i = 0; i < out.rank(); ++i) st[i] = i < extra || t.shape()[i - extra] == 1 ? 0 : t.strides()[i - extra];
  return st;
}

/// Walks a contiguous output together with N strided inputs; neighbouring dimensions are merged where all allow it.
template <int N> struct Walk {
  int rank = 0;
  int64_t total = 1, n[Shape::kMaxRank], s[N][Shape::kMaxRank];

  Walk(const Shape& out, const Shape (&strides)[N]) {
    for (int64_t i = 0; i < out.rank(); ++i) {
      total *= out[i];
      if (out[i] == 1) continue;
      bool merge = rank > 0;
      for (int k = 0; k < N && merge; ++k) merge = s[k][rank - 1] == strides[k][i] * out[i];
      if (!merge) n[rank++] = 1;
      n[rank - 1] *= out[i];
      for (int k = 0; k < N; ++k) s[k][rank - 1] = strides[k][i];
    }
    if (rank == 0) {
      n[0] = 1, rank = 1;
      for (int k = 0; k < N; ++k) s[k][0] = 1;
    }
  }
  int64_t step(int k) const { return s[k][rank - 1]; }
  /// f(at, offsets, count): `count` outputs from element `at`; offsets[k] is where input k starts, stepping step(k).
  template <class F> void run(int64_t grain, F f) const {
    if (total == 0) return;
    parallel_for(total, grain, [&](int64_t begin, int64_t end) {
      const int64_t inner = n[rank - 1];
      int64_t index[Shape::kMaxRank] = {}, base[N] = {}, offsets[N], rest = begin / inner, at = begin % inner;
      for (int i = rank - 2; i >= 0; --i) {
        index[i] = rest % n[i], rest /= n[i];
        for (int k = 0; k < N; ++k) base[k] += index[i] * s[k][i];
      }
      while (begin < end) {
        const int64_t count = inner - at < end - begin ? inner - at : end - begin;
        for (int k = 0; k < N; ++k) offsets[k] = base[k] + at * step(k);
        f(begin, offsets, count);
        begin += count, at = 0;
        for (int i = rank - 2; i >= 0; --i) {
          for (int k = 0; k < N; ++k) base[k] += s[k][i];
          if (++index[i] < n[i]) break;
          for (int k = 0; k < N; ++k) base[k] -= n[i] * s[k][i];
          index[i] = 0;
        }
      }
    });
  }
};

/// out = f(a, b) with broadcasting; a and b hold T, out (contiguous, of the broadcast shape) holds R.
template <class T, class R, class F> void zip(const Tensor& a, const Tensor& b, Tensor& out, F f) {
  const T *pa = a.data<T>(), *pb = b.data<T>();
  R* py = out.mutable_data<R>();
  const Walk<2> w(out.shape(), {strides_in(a, out.shape()), strides_in(b, out.shape())});
  const int64_t sa = w.step(0), sb = w.step(1);
  w.run(kCheapGrain, [=](int64_t at, const int64_t* off, int64_t n) {
    const T *x = pa + off[0], *z = pb + off[1];
    R* y = py + at;
    if (sa == 1 && sb == 1) for (int64_t i = 0; i < n; ++i) y[i] = store<R>(f(load(x[i]), load(z[i])));
    else if (sa == 1 && sb == 0) {
      const auto v = load(*z);
      for (int64_t i = 0; i < n; ++i) y[i] = store<R>(f(load(x[i]), v));
    } else for (int64_t i = 0; i < n; ++i) y[i] = store<R>(f(load(x[i * sa]), load(z[i * sb])));
  });
}

/// y = f(x) for every element, x of element type T.
template <class T, class R, class F> Tensor map_as(const Tensor& x, DType result, int64_t grain, F f) {
  const Tensor c = x.detach().contiguous();
  Tensor y = Tensor::empty(x.shape(), result);
  const T* p = c.data<T>();
  R* q = y.mutable_data<R>();
  parallel_for(c.numel(), grain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) q[i] = store<R>(f(load(p[i])));
  });
  return y;
}
/// y = f(x) for a floating tensor; f takes float or double. Not recorded.
template <class F> Tensor map(const char* op, const Tensor& x, F f, int64_t grain = kCostlyGrain) {
  Tensor y;
  TRANSFORMERS_FLOAT_SWITCH(op, x.dtype(), y = map_as<T, T>(x, x.dtype(), grain, f))
  return y;
}
/// y = f(x) for any number; integers are computed in int64 and come back in their own type.
template <class F> Tensor map_number(const char* op, const Tensor& x, F f, int64_t grain = kCheapGrain) {
  if (is_floating(x.dtype())) return map(op, x, f, grain);
  return map_as<int64_t, int64_t>(x.detach().to(DType::i64), DType::i64, grain, f).to(x.dtype());
}
/// y = f(a, b) for floating tensors of the same shape; b is converted to the type of a. Not recorded. For gradients.
template <class F> Tensor map2(const char* op, const Tensor& a, const Tensor& b, F f) {
  const Tensor p = a.detach().contiguous(), q = b.detach().to(a.dtype()).contiguous();
  Tensor y = Tensor::empty(a.shape(), a.dtype());
  TRANSFORMERS_FLOAT_SWITCH(op, a.dtype(), {
    const T *u = p.data<T>(), *v = q.data<T>();
    T* w = y.mutable_data<T>();
    parallel_for(p.numel(), kCostlyGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) w[i] = store<T>(f(load(u[i]), load(v[i])));
    });
  })
  return y;
}

/// Another handle to y's memory, for a backward function of y that needs y: capturing y itself would be a cycle.
inline Tensor alias(const Tensor& y) { return y.as_strided(y.shape(), y.strides(), 0); }
/// x itself when floating, else as float32.
inline Tensor floating(const Tensor& x) { return is_floating(x.dtype()) ? x : x.to(DType::f32); }
/// Type that accumulates x: float32 for the 16-bit floats.
inline DType wide(DType t) { return t == DType::f16 || t == DType::bf16 ? DType::f32 : t; }
/// The gradient g of a broadcast result brought back to the shape and type of `input`.
Tensor unbroadcast(const Tensor& g, const Tensor& input);
/// The type of a result of two tensors; a rank 0 tensor yields to one with dimensions of the same category.
DType result_type(const Tensor& a, const Tensor& b);
/// index as contiguous int64.
Tensor as_index(const char* op, const Tensor& index);

}  // namespace transformers::detail
