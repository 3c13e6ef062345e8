// group_norm, instance_norm, batch_norm: statistics over planes of L = prod(spatial) values, one weight per channel.
// B batch, C channels, G groups. Backward is analytic, from per-plane sums.
#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "kernels/norm.h"
#include "ops/norm.h"
#include "ops/rows.h"

namespace transformers {
namespace {

struct Planes { int64_t batch, channels, length; };
Planes planes_of(const char* op, const Tensor& x, std::initializer_list<const Tensor*> parameters) {
  check_floating(op, x);
  if (x.rank() < 2) throw ShapeError({op, ": expected [B, C, ...], got ", x.shape().str()});
  for (const Tensor* p : parameters)
    if (p->defined() && p->numel() != x.dim(1)) throw ShapeError({op, ": ", p->shape().str(), " values for ", x.dim(1), " channels"});
  int64_t length = 1;
  for (int64_t i = 2; i < x.rank(); ++i) length *= x.dim(i);
  return {x.dim(0), x.dim(1), length};
}

// y = x * scale + shift per plane, planes [count]; scale and shift indexed by plane.
template <class T, class Scale> void scale_planes(const T* x, T* y, int64_t count, int64_t length, Scale scale) {
  using A = Acc<T>;
  parallel_for(count, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, length)), [&](int64_t begin, int64_t end) {
    std::vector<A> buffer(kWide<T> ? 0 : static_cast<size_t>(2 * length));
    for (int64_t p = begin; p < end; ++p) {
      const auto [a, b] = scale(p);
      const A* in = widen_row(x + p * length, length, buffer.data());
      A* out = row_target(y + p * length, buffer.data() + length);
      kernels::combine(static_cast<const A*>(nullptr), in, A(0), A(a), A(b), out, length);
      store_row(out, length, y + p * length);
    }
  });
}
// dx = a g + b x + c per plane.
template <class T, class Scale> void grad_planes(const T* g, const T* x, T* dx, int64_t count, int64_t length, Scale scale) {
  using A = Acc<T>;
  parallel_for(count, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, length)), [&](int64_t begin, int64_t end) {
    std::vector<A> buffer(kWide<T> ? 0 : static_cast<size_t>(3 * length));
    for (int64_t p = begin; p < end; ++p) {
      const auto [a, b, c] = scale(p);
      const A* gr = widen_row(g + p * length, length, buffer.data());
      const A* xr = widen_row(x + p * length, length, buffer.data() + length);
      A* out = row_target(dx + p * length, buffer.data() + 2 * length);
      kernels::combine(gr, xr, A(a), A(b), A(c), out, length);
      store_row(out, length, dx + p * length);
    }
  });
}
// Per plane: mean and sum of squared deviations (what = 0), or sum(g) and sum(g * x) (g given). [count, 2]
template <class T> std::vector<double> plane_sums(const T* g, const T* x, int64_t count, int64_t length) {
  using A = Acc<T>;
  std::vector<double> out(static_cast<size_t>(2 * count));
  parallel_for(count, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, length)), [&](int64_t begin, int64_t end) {
    std::vector<A> buffer(kWide<T> ? 0 : static_cast<size_t>(2 * length));
    for (int64_t p = begin; p < end; ++p) {
      const A* xr = widen_row(x + p * length, length, buffer.data());
      A a = 0, b = 0;
      if (g) kernels::pair_sums(widen_row(g + p * length, length, buffer.data() + length), xr, length, &a, &b);
      else kernels::moments(xr, length, &a, &b);
      out[static_cast<size_t>(2 * p)] = static_cast<double>(a), out[static_cast<size_t>(2 * p + 1)] = static_cast<double>(b);
    }
  });
  return out;
}

// Mean and variance of a set of equally long planes from their own moments.
std::pair<double, double> merge_moments(const std::vector<double>& planes, int64_t first, int64_t step, int64_t count) {
  double mean = 0, var = 0;
  for (int64_t i = 0; i < count; ++i) mean += planes[static_cast<size_t>(2 * (first + i * step))];
  mean /= static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) {
    const double d = planes[static_cast<size_t>(2 * (first + i * step))] - mean;
    var += planes[static_cast<size_t>(2 * (first + i * step) + 1)] + d * d;
  }
  var /= static_cast<double>(count);
  return {mean, var};
}

std::vector<double> values_or(const Tensor& t, int64_t n, double otherwise) {
  std::vector<double> v(static_cast<size_t>(n), otherwise);
  if (!t.defined()) return v;
  const Tensor d = t.detach().to(DType::f64).contiguous();
  std::copy(d.data<double>(), d.data<double>() + n, v.begin());
  return v;
}
Tensor as_parameter(const std::vector<double>& v, const Tensor& like) { return Tensor::from(v, like.shape()).to(like.dtype()); }

// Shared form: sets of planes share one mean and rstd. plane p of channel c = p % C belongs to set set_of(p).
struct Sets {
  int64_t count;                              // number of sets
  int64_t per_set;                            // planes in a set
  bool batch;                                 // set = channel (batch norm) or set = p / per_set (group norm)
  int64_t of(int64_t plane, int64_t channels) const { return batch ? plane % channels : plane / per_set; }
};

Tensor normalise_sets(const char* name, const Tensor& x, const Tensor& weight, const Tensor& bias, const Planes& s, const Sets& sets,
                      std::vector<double> mean, std::vector<double> rstd, bool statistics_depend) {
  const Tensor in = x.detach().contiguous();
  Tensor y = empty_like(in);
  const int64_t planes = s.batch * s.channels;
  const std::vector<double> w = values_or(weight, s.channels, 1), b = values_or(bias, s.channels, 0);
  TRANSFORMERS_FLOAT_SWITCH(name, x.dtype(), scale_planes<T>(in.data<T>(), y.mutable_data<T>(), planes, s.length, [&](int64_t p) {
                              const size_t k = static_cast<size_t>(sets.of(p, s.channels)), c = static_cast<size_t>(p % s.channels);
                              const double a = rstd[k] * w[c];
                              return std::pair<double, double>(a, b[c] - mean[k] * a);
                            }))
  return record(y, name, {x, weight, bias}, [=, shape_w = weight.defined() ? weight.detach() : Tensor(), shape_b = bias.defined() ? bias.detach() : Tensor()](const Tensor& grad) -> Grads {
    const Tensor g = grad.contiguous();
    std::vector<double> sums;
    Tensor dx = empty_like(in);
    std::vector<double> dw(static_cast<size_t>(s.channels)), db(dw), c1(static_cast<size_t>(sets.count)), c2(c1);
    TRANSFORMERS_FLOAT_SWITCH(name, in.dtype(), sums = plane_sums<T>(g.data<T>(), in.data<T>(), planes, s.length))
    for (int64_t p = 0; p < planes; ++p) {
      const size_t k = static_cast<size_t>(sets.of(p, s.channels)), c = static_cast<size_t>(p % s.channels);
      const double sg = sums[static_cast<size_t>(2 * p)], sgx = (sums[static_cast<size_t>(2 * p + 1)] - mean[k] * sg) * rstd[k];
      dw[c] += sgx, db[c] += sg;
      c1[k] += w[c] * sg, c2[k] += w[c] * sgx;
    }
    const double n = static_cast<double>(sets.per_set * s.length);
    TRANSFORMERS_FLOAT_SWITCH(name, in.dtype(), grad_planes<T>(g.data<T>(), in.data<T>(), dx.mutable_data<T>(), planes, s.length, [&](int64_t p) {
                                struct Abc { double a, b, c; };
                                const size_t k = static_cast<size_t>(sets.of(p, s.channels)), c = static_cast<size_t>(p % s.channels);
                                if (!statistics_depend) return Abc{rstd[k] * w[c], 0, 0};
                                const double slope = -rstd[k] * rstd[k] * c2[k] / n;
                                return Abc{rstd[k] * w[c], slope, -rstd[k] * c1[k] / n - slope * mean[k]};
                              }))
    return {dx, shape_w.defined() ? as_parameter(dw, shape_w) : Tensor(), shape_b.defined() ? as_parameter(db, shape_b) : Tensor()};
  });
}

}  // namespace

Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps) {
  const Planes s = planes_of("group_norm", x, {&weight, &bias});
  if (groups < 1 || s.channels % groups != 0) throw ShapeError({"group_norm: ", groups, " groups do not divide ", s.channels, " channels"});
  const Sets sets{s.batch * groups, s.channels / groups, false};
  const Tensor in = x.detach().contiguous();
  std::vector<double> sums, mean(static_cast<size_t>(sets.count)), rstd(mean);
  TRANSFORMERS_FLOAT_SWITCH("group_norm", x.dtype(), sums = plane_sums<T>(nullptr, in.data<T>(), s.batch * s.channels, s.length))
  for (int64_t k = 0; k < sets.count; ++k) {
    const auto [m, v] = merge_moments(sums, k * sets.per_set, 1, sets.per_set);
    mean[static_cast<size_t>(k)] = m, rstd[static_cast<size_t>(k)] = 1 / std::sqrt(v + eps);
  }
  return normalise_sets("group_norm", x, weight, bias, s, sets, std::move(mean), std::move(rstd), true);
}

Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  return group_norm(x, x.rank() > 1 ? x.dim(1) : 1, weight, bias, eps);
}

Tensor batch_norm(const Tensor& x, Tensor running_mean, Tensor running_var, const Tensor& weight, const Tensor& bias, double eps,
                  bool training, double momentum) {
  const Planes s = planes_of("batch_norm", x, {&weight, &bias, &running_mean, &running_var});
  const Sets sets{s.channels, s.batch, true};
  std::vector<double> mean, rstd;
  if (!training) {
    if (!running_mean.defined() || !running_var.defined()) throw ValueError({"batch_norm: inference needs running statistics"});
    mean = values_or(running_mean, s.channels, 0), rstd = values_or(running_var, s.channels, 1);
    for (double& v : rstd) v = 1 / std::sqrt(v + eps);
    return normalise_sets("batch_norm", x, weight, bias, s, sets, std::move(mean), std::move(rstd), false);
  }
  const double n = static_cast<double>(s.batch * s.length);
  if (n <= 1) throw ValueError({"batch_norm: training needs more than one value per channel, got ", x.shape().str()});
  const Tensor in = x.detach().contiguous();
  std::vector<double> sums, variance(static_cast<size_t>(s.channels));
  mean.resize(static_cast<size_t>(s.channels)), rstd.resize(static_cast<size_t>(s.channels));
  TRANSFORMERS_FLOAT_SWITCH("batch_norm", x.dtype(), sums = plane_sums<T>(nullptr, in.data<T>(), s.batch * s.channels, s.length))
  for (int64_t c = 0; c < s.channels; ++c) {
    const auto [m, v] = merge_moments(sums, c, s.channels, s.batch);
    const size_t k = static_cast<size_t>(c);
    mean[k] = m, rstd[k] = 1 / std::sqrt(v + eps), variance[k] = v * n / (n - 1);  // the running one is unbiased
  }
  const auto update = [&](Tensor running, const std::vector<double>& now) {
    if (!running.defined()) return;
    std::vector<double> old = values_or(running, s.channels, 0);
    for (size_t i = 0; i < old.size(); ++i) old[i] += momentum * (now[i] - old[i]);
    running.detach().copy_(Tensor::from(old, running.shape()));
  };
  update(running_mean, mean), update(running_var, variance);
  return normalise_sets("batch_norm", x, weight, bias, s, sets, std::move(mean), std::move(rstd), true);
}

}  // namespace transformers
