// Cumulative sums and products along one dimension.
#include "ops/fold.h"
#include "ops/index.h"
#include "ops/reduce.h"

namespace transformers {
using namespace detail;
namespace {

// y_i = op(y_{i-1}, x_i) along f.n, from the last element backwards when `reverse`.
template <class Op> Tensor scanned(const char* name, const Fold& f, const Shape& shape, bool reverse, Op op) {
  Tensor y = Tensor::empty(shape, f.x.dtype());
  const int64_t n = f.n, inner = f.inner;
  TRANSFORMERS_NUMBER_SWITCH(name, f.x.dtype(), {
    using A = std::conditional_t<std::is_integral_v<T>, int64_t, double>;
    const T* p = f.x.data<T>();
    T* q = y.mutable_data<T>();
    if (n > 0) parallel_for(f.outer * inner, std::max<int64_t>(1, kCheapGrain / n), [=](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at) {
        const int64_t base = at / inner * n * inner + at % inner, last = base + (n - 1) * inner;
        const int64_t first = reverse ? last : base, step = reverse ? -inner : inner;
        A run = static_cast<A>(load(p[first]));
        q[first] = p[first];
        for (int64_t i = 1; i < n; ++i) {
          run = op(run, static_cast<A>(load(p[first + i * step])));
          q[first + i * step] = store<T>(static_cast<Acc<T>>(run));
        }
      }
    });
  })
  return y;
}
Shape one_dim(const Tensor& x, int64_t dim) { return x.rank() ? Shape{dim} : Shape{}; }
Tensor number(const Tensor& x) { return is_floating(x.dtype()) ? x : x.to(DType::i64); }
const auto add = [](auto a, auto b) { return a + b; };
const auto multiply = [](auto a, auto b) { return a * b; };

// Gradient of cumprod: dx_j = sum over i >= j of g_i times the product of x_0..x_i without x_j. Where x_j is not 0 that
// is a reverse running sum of g * y over x_j; at a zero the product is taken again.
Tensor cumprod_grad(const Tensor& x, const Tensor& g, int64_t dim) {
  const Fold f("cumprod", x, one_dim(x, dim), false), fg("cumprod", g.to(x.dtype()), one_dim(x, dim), false);
  Tensor dx = Tensor::empty(x.shape(), x.dtype());
  const int64_t n = f.n, inner = f.inner;
  TRANSFORMERS_FLOAT_SWITCH("cumprod", x.dtype(), {
    const T *p = f.x.data<T>(), *pg = fg.x.data<T>();
    T* d = dx.mutable_data<T>();
    std::vector<double> v(static_cast<size_t>(n)), before(static_cast<size_t>(n)), tail(static_cast<size_t>(n) + 1);
    for (int64_t at = 0; at < f.outer * inner; ++at) {
      const int64_t base = at / inner * n * inner + at % inner;
      double run = 1;
      for (size_t i = 0; i < v.size(); ++i) {
        v[i] = static_cast<double>(load(p[base + static_cast<int64_t>(i) * inner]));
        before[i] = run, run *= v[i];
      }
      tail[v.size()] = 0;
      for (size_t i = v.size(); i-- > 0;) tail[i] = tail[i + 1] + static_cast<double>(load(pg[base + static_cast<int64_t>(i) * inner])) * before[i] * v[i];
      for (size_t j = 0; j < v.size(); ++j) {
        double total = 0;
        if (v[j] != 0) total = tail[j] / v[j];
        else {
          double product = before[j];
          for (size_t i = j; i < v.size() && product != 0; ++i) {
            if (i > j) product *= v[i];
            total += static_cast<double>(load(pg[base + static_cast<int64_t>(i) * inner])) * product;
          }
        }
        d[base + static_cast<int64_t>(j) * inner] = store<T>(static_cast<Acc<T>>(total));
      }
    }
  })
  return dx;
}

}  // namespace

Tensor cumsum(const Tensor& x, int64_t dim) {
  const Fold f("cumsum", number(x), one_dim(x, dim), false);
  return record(scanned("cumsum", f, x.shape(), false, add), "cumsum", {x}, [dim](const Tensor& g) -> Grads {
    return {scanned("cumsum", Fold("cumsum", g, one_dim(g, dim), false), g.shape(), true, add)};
  });
}
Tensor cumprod(const Tensor& x, int64_t dim) {
  const Fold f("cumprod", number(x), one_dim(x, dim), false);
  return record(scanned("cumprod", f, x.shape(), false, multiply), "cumprod", {x}, [x, dim](const Tensor& g) -> Grads {
    return {cumprod_grad(x, g, dim)};
  });
}

}  // namespace transformers
