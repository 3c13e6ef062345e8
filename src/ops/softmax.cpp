// Softmax and log-softmax along one dimension; f16 and bf16 are computed in float, f32 sums in double.
#include <cmath>

#include "ops/iterate.h"
#include "ops/reduce.h"

namespace transformers {
using namespace detail;
namespace {

template <class T> void softmax_rows(const T* x, T* y, int64_t rows, int64_t n, bool log) {
  using A = Acc<T>;
  parallel_for(rows, std::max<int64_t>(1, kCostlyGrain / std::max<int64_t>(1, n)), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* p = x + r * n;
      T* q = y + r * n;
      A top = -INFINITY;
      for (int64_t i = 0; i < n; ++i) { const A v = load(p[i]); top = top > v || top != top ? top : v; }
      double total = 0;
      for (int64_t i = 0; i < n; ++i) total += static_cast<double>(std::exp(load(p[i]) - top));
      const A shift = top + static_cast<A>(std::log(total)), scale = static_cast<A>(1 / total);
      if (log) for (int64_t i = 0; i < n; ++i) q[i] = store<T>(load(p[i]) - shift);
      else for (int64_t i = 0; i < n; ++i) q[i] = store<T>(std::exp(load(p[i]) - top) * scale);
    }
  });
}
// softmax: dx = y (g - sum(g y)); log-softmax: dx = g - exp(y) sum(g).
template <class T> void softmax_grad_rows(const T* g, const T* y, T* dx, int64_t rows, int64_t n, bool log) {
  parallel_for(rows, std::max<int64_t>(1, kCostlyGrain / std::max<int64_t>(1, n)), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T *pg = g + r * n, *py = y + r * n;
      T* d = dx + r * n;
      double total = 0;
      for (int64_t i = 0; i < n; ++i) total += static_cast<double>(load(pg[i])) * (log ? 1.0 : static_cast<double>(load(py[i])));
      const auto t = static_cast<Acc<T>>(total);
      if (log) for (int64_t i = 0; i < n; ++i) d[i] = store<T>(load(pg[i]) - std::exp(load(py[i])) * t);
      else for (int64_t i = 0; i < n; ++i) d[i] = store<T>(load(py[i]) * (load(pg[i]) - t));
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
