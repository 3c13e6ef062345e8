// layer_norm, rms_norm, add_rms_norm, normalize. Rows are independent; backward is analytic.
// R rows, n values in a row; mean and 1 / std are kept for backward when there will be one.
#include "ops/norm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "kernels/norm.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/rows.h"

namespace transformers {
namespace {

int64_t grain_of(int64_t n) { return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, n)); }

// Row by row (x - mean) * rstd * w + b. Half types without centering round before the weight, as the reference does
// (`rounds`); stats [R, 2] receives mean and rstd.
template <class T>
void norm_rows(const T* x, const Acc<T>* w, const Acc<T>* b, double eps, bool centered, bool rounds, T* y, Acc<T>* stats, int64_t rows, int64_t n) {
  using A = Acc<T>;
  parallel_for(rows, grain_of(n), [&](int64_t begin, int64_t end) {
    std::vector<A> buffer(kWide<T> ? 0 : static_cast<size_t>(2 * n));
    for (int64_t r = begin; r < end; ++r) {
      const A* in = widen_row(x + r * n, n, buffer.data());
      A* out = row_target(y + r * n, buffer.data() + n);
      A mean = 0, variance;
      if (centered) kernels::moments(in, n, &mean, &variance);
      else variance = kernels::sum_squares(in, n) / static_cast<A>(n);
      const A rstd = A(1) / std::sqrt(variance + static_cast<A>(eps));
      const bool in_between = !kWide<T> && rounds && w;
      kernels::norm_row(in, in_between ? nullptr : w, b, mean, rstd, out, n);
      if constexpr (!kWide<T>)
        if (in_between) {
          store_row(out, n, y + r * n);
          widen_row(y + r * n, n, out);
          kernels::arithmetic(kernels::Arith::mul, out, w, out, n);
        }
      store_row(out, n, y + r * n);
      if (stats) stats[2 * r] = mean, stats[2 * r + 1] = rstd;
    }
  });
}

// Gradients of norm_rows. Each thread sums its rows' dw and db into its own slice, added in order afterwards.
template <class T>
void norm_grad_rows(const T* g, const T* x, const Acc<T>* w, const Acc<T>* stats, bool centered, T* dx, Acc<T>* dw, Acc<T>* db, int64_t rows, int64_t n) {
  using A = Acc<T>;
  const int64_t parts = std::min<int64_t>(num_threads(), std::max<int64_t>(1, rows / grain_of(n)));
  std::vector<A> partial(static_cast<size_t>(parts * 2 * n));
  parallel_for(parts, 1, [&](int64_t first, int64_t last) {
    std::vector<A> buffer(kWide<T> ? 0 : static_cast<size_t>(3 * n));
    for (int64_t p = first; p < last; ++p) {
      A* pw = dw ? partial.data() + p * 2 * n : nullptr;
      A* pb = db ? partial.data() + p * 2 * n + n : nullptr;
      for (int64_t r = rows * p / parts; r < rows * (p + 1) / parts; ++r) {
        const A* gr = widen_row(g + r * n, n, buffer.data());
        const A* xr = widen_row(x + r * n, n, buffer.data() + n);
        A* out = dx ? row_target(dx + r * n, buffer.data() + 2 * n) : nullptr;
        kernels::norm_grad_row(gr, xr, w, stats[2 * r], stats[2 * r + 1], centered, out, pw, pb, n);
        if (dx) store_row(out, n, dx + r * n);
      }
    }
  });
  for (int64_t p = 0; p < parts; ++p)
    for (int64_t i = 0; i < n; ++i) {
      if (dw) dw[i] += partial[static_cast<size_t>(p * 2 * n + i)];
      if (db) db[i] += partial[static_cast<size_t>(p * 2 * n + n + i)];
    }
}

// w here already includes the offset, in the computing type.
Tensor row_norm(const char* name, const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& w, double eps, bool centered,
                bool rounds, int64_t n) {
  check_floating(name, x);
  const Tensor in = x.detach().contiguous(), b = dense_acc(bias, x.dtype());
  Tensor y = empty_like(in);
  const int64_t rows = n ? in.numel() / n : 0;
  const bool record_it = needs_grad({x, weight, bias});
  Tensor stats = record_it ? Tensor::empty({rows, 2}, acc_dtype(x.dtype())) : Tensor();
  TRANSFORMERS_FLOAT_SWITCH(name, x.dtype(), {
    using A = Acc<T>;
    norm_rows<T>(in.data<T>(), data_or_null<A>(w), data_or_null<A>(b), eps, centered, rounds, y.mutable_data<T>(),
                 stats.defined() ? stats.mutable_data<A>() : nullptr, rows, n);
  })
  if (!record_it) return y;
  const bool has_w = weight.defined() && weight.requires_grad(), has_b = bias.defined() && bias.requires_grad();
  const Shape w_shape = weight.defined() ? weight.shape() : Shape{}, b_shape = bias.defined() ? bias.shape() : Shape{};
  const DType w_type = weight.defined() ? weight.dtype() : x.dtype(), b_type = bias.defined() ? bias.dtype() : x.dtype();
  return record(y, name, {x, weight, bias}, [=, wants_x = x.requires_grad()](const Tensor& grad) -> Grads {
    const Tensor g = grad.contiguous();
    const DType at = acc_dtype(in.dtype());
    Tensor dx = wants_x ? empty_like(in) : Tensor();
    Tensor dw = has_w ? Tensor::zeros({n}, at) : Tensor(), db = has_b ? Tensor::zeros({n}, at) : Tensor();
    TRANSFORMERS_FLOAT_SWITCH(name, in.dtype(), {
      using A = Acc<T>;
      norm_grad_rows<T>(g.data<T>(), in.data<T>(), data_or_null<A>(w), stats.data<A>(), centered, dx.defined() ? dx.mutable_data<T>() : nullptr,
                        has_w ? dw.mutable_data<A>() : nullptr, has_b ? db.mutable_data<A>() : nullptr, rows, n);
    })
    return {dx, has_w ? dw.to(w_type).view(w_shape) : Tensor(), has_b ? db.to(b_type).view(b_shape) : Tensor()};
  });
}

Tensor rms_weight(const Tensor& x, const Tensor& weight, double offset) {
  if (!weight.defined()) return {};
  if (x.rank() == 0 || weight.rank() != 1 || weight.dim(0) != x.dim(-1))
    throw ShapeError({"rms_norm: weight ", weight.shape().str(), " for x ", x.shape().str()});
  Tensor w = dense_acc(weight, x.dtype());
  if (offset == 0) return w;
  w = w.clone();
  if (w.dtype() == DType::f64) for (int64_t i = 0; i < w.numel(); ++i) w.mutable_data<double>()[i] += offset;
  else for (int64_t i = 0; i < w.numel(); ++i) w.mutable_data<float>()[i] += static_cast<float>(offset);
  return w;
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, int64_t last) {
  if (weight.defined()) last = weight.rank();
  if (last < 1 || last > x.rank()) throw ShapeError({"layer_norm: last ", last, " dimensions of ", x.shape().str()});
  int64_t n = 1;
  for (int64_t i = x.rank() - last; i < x.rank(); ++i) {
    n *= x.dim(i);
    const int64_t k = i - (x.rank() - last);
    for (const Tensor* p : {&weight, &bias})
      if (p->defined() && (p->rank() != last || p->dim(k) != x.dim(i)))
        throw ShapeError({"layer_norm: weight or bias ", p->shape().str(), " for x ", x.shape().str()});
  }
  return row_norm("layer_norm", x, weight, bias, dense_acc(weight, x.dtype()), eps, true, false, n);
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps, double weight_offset) {
  const Tensor w = rms_weight(x, weight, weight_offset);
  return row_norm("rms_norm", x, weight, {}, w, eps, false, weight_offset == 0, x.dim(-1));
}

std::pair<Tensor, Tensor> add_rms_norm(const Tensor& a, const Tensor& b, const Tensor& weight, double eps, double weight_offset) {
  if (needs_grad({a, b, weight}) || !(a.shape() == b.shape()) || a.dtype() != b.dtype()) {
    const Tensor s = a + b;
    return {s, rms_norm(s, weight, eps, weight_offset)};
  }
  check_floating("add_rms_norm", a);
  const Tensor w = rms_weight(a, weight, weight_offset), x = a.contiguous(), z = b.contiguous();
  Tensor s = empty_like(x), y = empty_like(x);
  const int64_t n = a.dim(-1), rows = n ? a.numel() / n : 0;
  TRANSFORMERS_FLOAT_SWITCH("add_rms_norm", a.dtype(), {
    using A = Acc<T>;
    const T* xp = x.data<T>();
    const T* zp = z.data<T>();
    T* sp = s.mutable_data<T>();
    T* yp = y.mutable_data<T>();
    parallel_for(rows, grain_of(n), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        for (int64_t i = r * n; i < (r + 1) * n; ++i) sp[i] = T(static_cast<A>(xp[i]) + static_cast<A>(zp[i]));
        norm_rows<T>(sp + r * n, data_or_null<A>(w), nullptr, eps, false, weight_offset == 0, yp + r * n, nullptr, 1, n);
      }
    });
  })
  return {s, y};
}

Tensor normalize(const Tensor& x, double p, int64_t dim, double eps) {
  dim = wrap_dim("normalize", dim, x.rank());
  return x / clamp(norm(x, p, {dim}, true), eps, std::numeric_limits<double>::infinity());
}

}  // namespace transformers
