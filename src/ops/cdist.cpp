// Pairwise p-norm distances. Accumulated in double for f64, else in float; large p = 2 problems are still exact differences.
// B batch, P and R rows, M features.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "ops/matmul.h"

namespace transformers {
namespace {

template <class T> T distance(const T* x, const T* y, int64_t m, double p) {
  T sum = 0;
  if (p == 2) {
    for (int64_t i = 0; i < m; ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
    return std::sqrt(sum);
  }
  if (p == 1) {
    for (int64_t i = 0; i < m; ++i) sum += std::fabs(x[i] - y[i]);
    return sum;
  }
  if (std::isinf(p)) {
    for (int64_t i = 0; i < m; ++i) sum = std::max(sum, std::fabs(x[i] - y[i]));
    return sum;
  }
  if (p == 0) {
    for (int64_t i = 0; i < m; ++i) sum += x[i] != y[i];
    return sum;
  }
  for (int64_t i = 0; i < m; ++i) sum += std::pow(std::fabs(x[i] - y[i]), static_cast<T>(p));
  return std::pow(sum, static_cast<T>(1 / p));
}

// Gradient of the distance d with respect to one difference x - y.
template <class T> T slope(T diff, T d, double p) {
  if (diff == 0 || d == 0 || p == 0) return 0;
  const T sign = diff > 0 ? T(1) : T(-1);
  if (p == 1) return sign;
  if (p == 2) return diff / d;
  if (std::isinf(p)) return std::fabs(diff) == d ? sign : T(0);
  return sign * std::pow(std::fabs(diff) / d, static_cast<T>(p - 1));
}

struct Sizes { int64_t batch, rows, cols, features; };

template <class T> void forward(const Sizes& s, const Tensor& a, const Tensor& b, double p, Tensor& y) {
  const T *pa = a.data<T>(), *pb = b.data<T>();
  T* out = y.mutable_data<T>();
  const int64_t R = s.cols, M = s.features;
  parallel_for(s.batch * s.rows, std::max<int64_t>(1, 16384 / (R * M + 1)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < R; ++j) out[i * R + j] = distance(pa + i * M, pb + (i / s.rows * R + j) * M, M, p);
  });
}

template <class T> void backward(const Sizes& s, const Tensor& a, const Tensor& b, const Tensor& d, const Tensor& g, double p, Tensor& da, Tensor& db) {
  const int64_t R = s.cols, M = s.features;
  for (int64_t i = 0; i < s.batch * s.rows; ++i)
    for (int64_t j = 0; j < R; ++j) {
      const int64_t r = i / s.rows * R + j;
      const T *x = a.data<T>() + i * M, *z = b.data<T>() + r * M;
      T *gx = da.mutable_data<T>() + i * M, *gz = db.mutable_data<T>() + r * M;
      const T up = g.data<T>()[i * R + j], far = d.data<T>()[i * R + j];
      for (int64_t m = 0; m < M; ++m) {
        const T v = up * slope(T(x[m] - z[m]), far, p);
        gx[m] += v, gz[m] -= v;
      }
    }
}

}  // namespace

Tensor cdist(const Tensor& a_in, const Tensor& b_in, double p) {
  if (a_in.dtype() != b_in.dtype()) throw DTypeError({"cdist: operands must have one dtype, got ", name_of(a_in.dtype()), " and ", name_of(b_in.dtype())});
  if (a_in.rank() < 2 || b_in.rank() < 2 || a_in.dim(-1) != b_in.dim(-1))
    throw ShapeError({"cdist: expected a [B, P, M] and b [B, R, M], got ", a_in.shape().str(), " and ", b_in.shape().str()});
  if (!(p >= 0)) throw ValueError({"cdist: p must not be negative, got ", p});
  if (!is_floating(a_in.dtype())) throw DTypeError({"cdist: expected floating point, got ", name_of(a_in.dtype())});
  if (a_in.dtype() == DType::f16 || a_in.dtype() == DType::bf16) return cdist(a_in.to(DType::f32), b_in.to(DType::f32), p).to(a_in.dtype());
  const Shape batch = broadcast_shapes("cdist", Shape(a_in.shape().begin(), a_in.shape().size() - 2), Shape(b_in.shape().begin(), b_in.shape().size() - 2));
  Shape sa = batch, sb = batch, sy = batch;
  sa.push_back(a_in.dim(-2)), sa.push_back(a_in.dim(-1)), sb.push_back(b_in.dim(-2)), sb.push_back(b_in.dim(-1));
  sy.push_back(a_in.dim(-2)), sy.push_back(b_in.dim(-2));
  const Tensor a = a_in.expand(sa).contiguous(), b = b_in.expand(sb).contiguous();
  const Sizes sizes{batch.numel(), a.dim(-2), b.dim(-2), a.dim(-1)};
  Tensor y = Tensor::empty(sy, a.dtype());
  if (a.dtype() == DType::f64) forward<double>(sizes, a, b, p, y);
  else forward<float>(sizes, a, b, p, y);
  return record(y, "cdist", {a, b}, [a = a.detach(), b = b.detach(), d = y.detach(), p, sizes](const Tensor& g_in) -> Grads {
    const Tensor g = g_in.contiguous();
    Tensor da = zeros_like(a), db = zeros_like(b);
    if (a.dtype() == DType::f64) backward<double>(sizes, a, b, d, g, p, da, db);
    else backward<float>(sizes, a, b, d, g, p, da, db);
    return {da, db};
  });
}

}  // namespace transformers
