// Reductions. Floats are accumulated in double (f64, f32, f16 and bf16 alike), integers in int64.
#include "ops/reduce.h"

#include <cmath>
#include <limits>
#include <vector>

#include "ops/elementwise.h"
#include "kernels/reduce.h"
#include "ops/fast.h"
#include "ops/fold.h"
#include "ops/index.h"

namespace transformers {
using namespace detail;
namespace {

// Each rule: where an accumulation starts, and how a value (or another accumulation) joins it.
struct Sum {
  template <class A> static A start() { return 0; }
  template <class A> static A join(A a, A v) { return a + v; }
};
struct Prod {
  template <class A> static A start() { return 1; }
  template <class A> static A join(A a, A v) { return a * v; }
};
struct Max {
  template <class A> static A start() { return std::is_integral_v<A> ? std::numeric_limits<A>::min() : -std::numeric_limits<A>::infinity(); }
  template <class A> static A join(A a, A v) { return a > v || a != a ? a : v; }
};
struct Min {
  template <class A> static A start() { return std::is_integral_v<A> ? std::numeric_limits<A>::max() : std::numeric_limits<A>::infinity(); }
  template <class A> static A join(A a, A v) { return a < v || a != a ? a : v; }
};

// A row of floats by the kernels, where the rule has one.
template <class Rule> constexpr bool kHasKernel = !std::is_same_v<Rule, Prod>;
template <class Rule> double reduce_floats(const float* x, int64_t n) {
  if constexpr (std::is_same_v<Rule, Sum>) return kernels::sum(x, n);
  else return static_cast<double>(kernels::extreme(std::is_same_v<Rule, Max>, x, n));
}
// Four partial results hide the latency.
template <class Rule, class A, class T> A reduce_row(const T* p, int64_t n) {
  A a[4] = {Rule::template start<A>(), Rule::template start<A>(), Rule::template start<A>(), Rule::template start<A>()};
  int64_t i = 0;
  if constexpr (kHasKernel<Rule> && sizeof(Acc<T>) == 4) {
    float buffer[kPiece];
    for (; n - i >= 16;) {
      const int64_t count = std::is_same_v<T, float> ? n - i : std::min(n - i, kPiece);
      a[0] = Rule::join(a[0], reduce_floats<Rule>(floats(p + i, 1, count, buffer), count));
      i += count;
    }
  }
  for (; i + 4 <= n; i += 4)
    for (int k = 0; k < 4; ++k) a[k] = Rule::join(a[k], static_cast<A>(load(p[i + k])));
  for (; i < n; ++i) a[0] = Rule::join(a[0], static_cast<A>(load(p[i])));
  return Rule::join(Rule::join(a[0], a[1]), Rule::join(a[2], a[3]));
}

template <class Rule, class T> void reduce_rows(const Fold& f, const T* x, T* y, double scale) {
  using A = std::conditional_t<std::is_integral_v<T>, int64_t, double>;
  const auto finish = [scale](A a) {
    if constexpr (std::is_integral_v<A>) return static_cast<T>(a);
    else return store<T>(static_cast<Acc<T>>(a * scale));
  };
  const int64_t n = f.n, inner = f.inner;
  if (inner == 1) {
    parallel_for(f.outer, std::max<int64_t>(1, kCheapGrain / std::max<int64_t>(1, n)), [=](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) y[o] = finish(reduce_row<Rule, A>(x + o * n, n));
    });
    return;
  }
  // Columns: runs of up to 256 neighbouring results accumulate together.
  constexpr int64_t kRun = 256;
  const int64_t runs = (inner + kRun - 1) / kRun;
  parallel_for(f.outer * runs, std::max<int64_t>(1, kCheapGrain / (std::min(inner, kRun) * std::max<int64_t>(1, n))), [=](int64_t begin, int64_t end) {
    A a[kRun];
    for (int64_t at = begin; at < end; ++at) {
      const int64_t o = at / runs, first = at % runs * kRun, count = std::min(kRun, inner - first);
      for (int64_t i = 0; i < count; ++i) a[i] = Rule::template start<A>();
      for (int64_t r = 0; r < n; ++r) {
        const T* p = x + (o * n + r) * inner + first;
        if constexpr (std::is_same_v<Rule, Sum> && sizeof(Acc<T>) == 4) {
          float buffer[kRun];
          kernels::add_to(floats(p, 1, count, buffer), a, count);
        } else {
          for (int64_t i = 0; i < count; ++i) a[i] = Rule::join(a[i], static_cast<A>(load(p[i])));
        }
      }
      for (int64_t i = 0; i < count; ++i) y[o * inner + first + i] = finish(a[i]);
    }
  });
}

// Integers must come as int64.
template <class Rule> Tensor reduced(const char* op, const Fold& f, double scale = 1) {
  Tensor y = Tensor::empty(f.out, f.x.dtype());
  TRANSFORMERS_NUMBER_SWITCH(op, f.x.dtype(), reduce_rows<Rule>(f, f.x.data<T>(), y.mutable_data<T>(), scale))
  return y;
}
Tensor number(const Tensor& x) { return is_floating(x.dtype()) ? x : x.to(DType::i64); }

// The extreme's gradient, shared evenly by all elements equal to it.
template <class Rule> Tensor extreme(const char* op, const Tensor& x, const Shape& dims, bool keepdim) {
  const Fold f(op, number(x), dims, keepdim);
  if (f.n == 0) throw ShapeError({op, ": no elements to reduce in ", x.shape().str()});
  const Tensor y = reduced<Rule>(op, f).to(x.dtype());
  if (!needs_grad({x})) return y;
  return record(y, op, {x}, [x, dims, kept = f.kept, y = alias(y)](const Tensor& g) -> Grads {
    const Tensor hit = eq(x, y.reshape(kept)).to(g.dtype());
    return {hit * (g.reshape(kept) / sum(hit, dims, true))};
  });
}

template <bool kLargest, class T> void arg_rows(const T* x, int64_t* out, int64_t outer, int64_t n, int64_t inner) {
  parallel_for(outer * inner, std::max<int64_t>(1, kCheapGrain / n), [=](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      const T* row = x + at / inner * n * inner + at % inner;
      if constexpr (std::is_same_v<T, float>) {
        if (inner == 1) { out[at] = kernels::find(row, n, kernels::extreme(kLargest, row, n)); continue; }
      }
      auto best = load(row[0]);
      int64_t where = 0;
      for (int64_t i = 1; i < n && best == best; ++i) {
        const auto v = load(row[i * inner]);
        if ((kLargest ? v > best : v < best) || v != v) best = v, where = i;
      }
      out[at] = where;
    }
  });
}
template <bool kLargest> Tensor arg_extreme(const char* op, const Tensor& x, int64_t dim, bool keepdim) {
  const Fold f(op, number(x), x.rank() ? Shape{wrap_dim(op, dim, x.rank())} : Shape{}, keepdim);
  if (f.n == 0) throw ShapeError({op, ": no elements to reduce in ", x.shape().str()});
  Tensor y = Tensor::empty(f.out, DType::i64);
  TRANSFORMERS_NUMBER_SWITCH(op, f.x.dtype(), arg_rows<kLargest>(f.x.data<T>(), y.mutable_data<int64_t>(), f.outer, f.n, f.inner))
  return y;
}
ValuesIndices picked(const Tensor& x, int64_t dim, bool keepdim, const Tensor& index) {
  if (x.rank() == 0) return {x, index};
  const Tensor values = gather(x, dim, index);
  return keepdim ? ValuesIndices{values, index} : ValuesIndices{values.squeeze(dim), index.squeeze(dim)};
}

}  // namespace

Tensor sum(const Tensor& x, const Shape& dims, bool keepdim) {
  const Fold f("sum", number(x), dims, keepdim);
  return record(reduced<Sum>("sum", f), "sum", {x}, [kept = f.kept, shape = x.shape()](const Tensor& g) -> Grads {
    return {g.reshape(kept).expand(shape)};
  });
}
Tensor mean(const Tensor& x, const Shape& dims, bool keepdim) {
  if (!is_floating(x.dtype())) throw DTypeError({"mean: needs a floating tensor, got ", name_of(x.dtype()), "; convert it first"});
  const Fold f("mean", x, dims, keepdim);
  const double scale = f.n ? 1.0 / static_cast<double>(f.n) : NAN;
  return record(reduced<Sum>("mean", f, scale), "mean", {x}, [kept = f.kept, shape = x.shape(), scale](const Tensor& g) -> Grads {
    return {(g * scale).reshape(kept).expand(shape)};
  });
}
Tensor var(const Tensor& x, const Shape& dims, int64_t correction, bool keepdim) {
  if (wide(x.dtype()) != x.dtype()) return var(x.to(wide(x.dtype())), dims, correction, keepdim).to(x.dtype());
  const Tensor centred = x - mean(x, dims, true);
  const Tensor total = sum(square(centred), dims, keepdim);
  const int64_t n = total.numel() ? x.numel() / total.numel() : 0;
  return total * (n > correction ? 1.0 / static_cast<double>(n - correction) : NAN);
}
Tensor std_dev(const Tensor& x, const Shape& dims, int64_t correction, bool keepdim) {
  if (wide(x.dtype()) != x.dtype()) return std_dev(x.to(wide(x.dtype())), dims, correction, keepdim).to(x.dtype());
  return sqrt(var(x, dims, correction, keepdim));
}
Tensor prod(const Tensor& x, int64_t dim, bool keepdim) {
  const Fold f("prod", number(x), x.rank() ? Shape{dim} : Shape{}, keepdim);
  return record(reduced<Prod>("prod", f), "prod", {x}, [x, kept = f.kept, outer = f.outer, n = f.n, inner = f.inner](const Tensor& g) -> Grads {
    // d/dx_i is the product of the others: what is before i times what is after it. Right also with zeros.
    const Tensor c = x.detach().contiguous(), go = g.to(x.dtype()).contiguous();
    Tensor dx = empty_like(c);
    TRANSFORMERS_FLOAT_SWITCH("prod", x.dtype(), {
      const T *p = c.data<T>(), *pg = go.data<T>();
      T* d = dx.mutable_data<T>();
      std::vector<double> before(static_cast<size_t>(n));
      for (int64_t at = 0; at < outer * inner; ++at) {
        const int64_t base = at / inner * n * inner + at % inner;
        double run = 1;
        for (int64_t i = 0; i < n; ++i) before[static_cast<size_t>(i)] = run, run *= static_cast<double>(load(p[base + i * inner]));
        run = static_cast<double>(load(pg[at]));
        for (int64_t i = n - 1; i >= 0; --i) {
          d[base + i * inner] = store<T>(static_cast<Acc<T>>(before[static_cast<size_t>(i)] * run));
          run *= static_cast<double>(load(p[base + i * inner]));
        }
      }
    })
    return {dx};
  });
}
Tensor amax(const Tensor& x, const Shape& dims, bool keepdim) { return extreme<Max>("amax", x, dims, keepdim); }
Tensor amin(const Tensor& x, const Shape& dims, bool keepdim) { return extreme<Min>("amin", x, dims, keepdim); }
Tensor argmax(const Tensor& x, int64_t dim, bool keepdim) { return arg_extreme<true>("argmax", x, dim, keepdim); }
Tensor argmin(const Tensor& x, int64_t dim, bool keepdim) { return arg_extreme<false>("argmin", x, dim, keepdim); }
ValuesIndices max(const Tensor& x, int64_t dim, bool keepdim) { return picked(x, dim, keepdim, argmax(x, dim, true)); }
ValuesIndices min(const Tensor& x, int64_t dim, bool keepdim) { return picked(x, dim, keepdim, argmin(x, dim, true)); }

Tensor any(const Tensor& x, const Shape& dims, bool keepdim) {
  const Fold f("any", x.detach().to(DType::boolean).to(DType::i64), dims, keepdim);
  return gt(reduced<Sum>("any", f), 0.0);
}
Tensor all(const Tensor& x, const Shape& dims, bool keepdim) {
  const Fold f("all", x.detach().to(DType::boolean).to(DType::i64), dims, keepdim);
  return gt(reduced<Prod>("all", f), 0.0);
}

Tensor logsumexp(const Tensor& x, int64_t dim, bool keepdim) {
  if (wide(x.dtype()) != x.dtype()) return logsumexp(x.to(wide(x.dtype())), dim, keepdim).to(x.dtype());
  const Shape dims = x.rank() ? Shape{dim} : Shape{};
  const Tensor flat = x.detach();
  Tensor top = amax(flat, dims, true);
  top = where(isfinite(top), top, 0.0);  // keeps rows of -inf from becoming nan
  const Tensor kept = log(sum(exp(flat - top), dims, true)) + top;
  const Tensor y = keepdim || x.rank() == 0 ? kept : kept.squeeze(dim);
  if (!needs_grad({x})) return y;
  return record(y, "logsumexp", {x}, [x, kept = alias(kept)](const Tensor& g) -> Grads {
    return {g.reshape(kept.shape()) * where(isinf(kept), x * 0.0, exp(x - kept))};
  });
}

Tensor norm(const Tensor& x, double p, const Shape& dims, bool keepdim) {
  if (wide(x.dtype()) != x.dtype()) return norm(x.to(wide(x.dtype())), p, dims, keepdim).to(x.dtype());
  if (std::isinf(p)) return p > 0 ? amax(abs(x), dims, keepdim) : amin(abs(x), dims, keepdim);
  if (p == 1) return sum(abs(x), dims, keepdim);
  if (p == 0) return sum(ne(x, 0.0).to(x.dtype()), dims, keepdim);
  if (p != 2) return pow(sum(pow(abs(x), p), dims, keepdim), 1 / p);
  const Fold f("norm", x, dims, keepdim);
  const Tensor y = sqrt(sum(square(x.detach()), dims, keepdim));
  if (!needs_grad({x})) return y;
  // x / norm, and 0 where the norm is 0.
  return record(y, "norm", {x}, [x, kept = f.kept, y = alias(y)](const Tensor& g) -> Grads {
    const Tensor scale = where(eq(y, 0.0), 0.0 * g, g / y);
    return {x * scale.reshape(kept)};
  });
}

}  // namespace transformers
