// Softmax and log-softmax along one dimension; f16 and bf16 are computed in float.
#include <cmath>
#include <vector>

#include "kernels/reduce.h"
#include "ops/fast.h"
#include "ops/reduce.h"

namespace transformers {
using namespace detail;
namespace {

// One row in double: the kernels do float.
void softmax_row(const double* x, double* y, int64_t n, bool log) {
  double top = -INFINITY, total = 0;
  for (int64_t i = 0; i < n; ++i) top = top > x[i] || top != top ? top : x[i];
  for (int64_t i = 0; i < n; ++i) total += std::exp(x[i] - top);
  const double rest = std::log(total), scale = 1 / total;
  for (int64_t i = 0; i < n; ++i) y[i] = log ? x[i] - top - rest : std::exp(x[i] - top) * scale;
}
void softmax_row(const float* x, float* y, int64_t n, bool log) { log ? kernels::log_softmax(x, y, n) : kernels::softmax(x, y, n); }
// softmax: dx = y (g - sum(g y)); log-softmax: dx = g - exp(y) sum(g).
void grad_row(const double* g, const double* y, double* dx, int64_t n, bool log) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += log ? g[i] : g[i] * y[i];
  for (int64_t i = 0; i < n; ++i) dx[i] = log ? g[i] - std::exp(y[i]) * total : y[i] * (g[i] - total);
}
void grad_row(const float* g, const float* y, float* dx, int64_t n, bool log) {
  log ? kernels::log_softmax_grad(g, y, dx, n) : kernels::softmax_grad(g, y, dx, n);
}

template <class T> void softmax_rows(const T* x, T* y, int64_t rows, int64_t n, bool log) {
  parallel_for(rows, std::max<int64_t>(1, kCostlyGrain / n), [=](int64_t begin, int64_t end) {
    if constexpr (sizeof(T) >= 4) {
      for (int64_t r = begin; r < end; ++r) softmax_row(x + r * n, y + r * n, n, log);
    } else {
      std::vector<float> row(static_cast<size_t>(n));
      for (int64_t r = begin; r < end; ++r) {
        kernels::convert(x + r * n, row.data(), n);
        softmax_row(row.data(), row.data(), n, log);
        kernels::convert(row.data(), y + r * n, n);
      }
    }
  });
}
template <class T> void softmax_grad_rows(const T* g, const T* y, T* dx, int64_t rows, int64_t n, bool log) {
  parallel_for(rows, std::max<int64_t>(1, kCostlyGrain / n), [=](int64_t begin, int64_t end) {
    if constexpr (sizeof(T) >= 4) {
      for (int64_t r = begin; r < end; ++r) grad_row(g + r * n, y + r * n, dx + r * n, n, log);
    } else {
      std::vector<float> rg(static_cast<size_t>(n)), ry(static_cast<size_t>(n));
      for (int64_t r = begin; r < end; ++r) {
        kernels::convert(g + r * n, rg.data(), n);
        kernels::convert(y + r * n, ry.data(), n);
        grad_row(rg.data(), ry.data(), rg.data(), n, log);
        kernels::convert(rg.data(), dx + r * n, n);
      }
    }
  });
}

Tensor softmax_along(const char* name, const Tensor& x, int64_t dim, bool log) {
  if (x.rank() == 0) return softmax_along(name, x.reshape({1}), 0, log).reshape({});
  dim = wrap_dim(name, dim, x.rank());
  if (dim != x.rank() - 1) return softmax_along(name, x.transpose(dim, -1), -1, log).transpose(dim, -1);
  const Tensor c = x.detach().contiguous();
  const int64_t n = c.shape().back(), rows = n ? c.numel() / n : 0;
  Tensor y = empty_like(c);
  if (n == 0) return y;
  TRANSFORMERS_FLOAT_SWITCH(name, x.dtype(), softmax_rows(c.data<T>(), y.mutable_data<T>(), rows, n, log))
  if (!needs_grad({x})) return y;
  return record(y, name, {x}, [y = alias(y), name, rows, n, log](const Tensor& g) -> Grads {
    const Tensor gc = g.contiguous();
    Tensor dx = empty_like(gc);
    TRANSFORMERS_FLOAT_SWITCH(name, gc.dtype(), softmax_grad_rows(gc.data<T>(), y.data<T>(), dx.mutable_data<T>(), rows, n, log))
    return {dx};
  });
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t dim) { return softmax_along("softmax", x, dim, false); }
Tensor log_softmax(const Tensor& x, int64_t dim) { return softmax_along("log_softmax", x, dim, true); }

}  // namespace transformers
