// Elementwise losses with the semantics of torch.nn.functional: one value and one derivative per element.
#include "ops/loss.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/rows.h"

namespace transformers {
namespace {

Tensor reduced(const Tensor& x, Reduction r) { return r == Reduction::none ? x : r == Reduction::mean ? mean(x) : sum(x); }

// value(x, y) and derivative(x, y) by x, both in the accumulator type. When symmetric, d/dy = -d/dx is given to target too.
template <class Value, class Derivative>
Tensor pointwise(const char* name, const Tensor& x0, const Tensor& y0, bool symmetric, Value value, Derivative derivative) {
  check_floating(name, x0);
  const Shape shape = broadcast_shapes(name, x0.shape(), y0.shape());
  const Tensor x = x0.expand(shape), y = (is_floating(y0.dtype()) ? y0 : y0.to(x0.dtype())).expand(shape);
  const Tensor a = dense_acc(x, x0.dtype()), b = dense_acc(y, x0.dtype());
  Tensor out = Tensor::empty(shape, x0.dtype());
  TRANSFORMERS_FLOAT_SWITCH(name, out.dtype(), {
    using A = Acc<T>;
    const A* p = a.data<A>();
    const A* q = b.data<A>();
    T* o = out.mutable_data<T>();
    parallel_for(out.numel(), 16384, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) o[i] = T(static_cast<A>(value(p[i], q[i])));
    });
  })
  return record(out, name, symmetric ? std::vector<Tensor>{x, y} : std::vector<Tensor>{x}, [=, type = y.dtype()](const Tensor& grad) -> Grads {
    const Tensor g = grad.contiguous();
    Tensor dx = Tensor::empty(g.shape(), g.dtype());
    TRANSFORMERS_FLOAT_SWITCH(name, g.dtype(), {
      using A = Acc<T>;
      const A* p = a.data<A>();
      const A* q = b.data<A>();
      const T* gp = g.data<T>();
      T* d = dx.mutable_data<T>();
      parallel_for(g.numel(), 16384, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) d[i] = T(static_cast<A>(gp[i]) * static_cast<A>(derivative(p[i], q[i])));
      });
    })
    return symmetric ? Grads{dx, (-dx).to(type)} : Grads{dx};
  });
}

Tensor weighted(const Tensor& loss, const Tensor& weight) { return weight.defined() ? loss * weight.to(loss.dtype()) : loss; }
template <class A> A softplus_of_minus_abs(A x) { return std::log1p(std::exp(-std::fabs(x))); }

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction r) {
  return reduced(pointwise("mse_loss", x, target, true, [](auto a, auto b) { return (a - b) * (a - b); }, [](auto a, auto b) { return 2 * (a - b); }), r);
}
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction r) {
  return reduced(pointwise("l1_loss", x, target, true, [](auto a, auto b) { return std::fabs(a - b); },
                           [](auto a, auto b) { return decltype(a)((a > b) - (a < b)); }), r);
}
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta, Reduction r) {
  if (beta < 0) throw ValueError({"smooth_l1_loss: beta ", beta, " is negative"});
  if (beta == 0) return l1_loss(x, target, r);
  return reduced(pointwise("smooth_l1_loss", x, target, true,
                           [beta](auto a, auto b) {
                             const double z = std::fabs(static_cast<double>(a - b));
                             return z < beta ? 0.5 * z * z / beta : z - 0.5 * beta;
                           },
                           [beta](auto a, auto b) { return std::clamp(static_cast<double>(a - b) / beta, -1.0, 1.0); }), r);
}
Tensor huber_loss(const Tensor& x, const Tensor& target, double delta, Reduction r) {
  if (delta <= 0) throw ValueError({"huber_loss: delta ", delta, " must be positive"});
  return reduced(pointwise("huber_loss", x, target, true,
                           [delta](auto a, auto b) {
                             const double z = std::fabs(static_cast<double>(a - b));
                             return z <= delta ? 0.5 * z * z : delta * (z - 0.5 * delta);
                           },
                           [delta](auto a, auto b) { return std::clamp(static_cast<double>(a - b), -delta, delta); }), r);
}
Tensor binary_cross_entropy(const Tensor& p, const Tensor& target, const Tensor& weight, Reduction r) {
  if (!(p.shape() == target.shape())) throw ShapeError({"binary_cross_entropy: ", p.shape().str(), " against ", target.shape().str()});
  const Tensor loss = pointwise("binary_cross_entropy", p, target, false,
                                [](auto a, auto b) {
                                  using A = decltype(a);
                                  return -(b * std::max(std::log(a), A(-100)) + (1 - b) * std::max(std::log1p(-a), A(-100)));
                                },
                                [](auto a, auto b) { return (a - b) / std::max((1 - a) * a, decltype(a)(1e-12)); });
  return reduced(weighted(loss, weight), r);
}
Tensor bce_with_logits(const Tensor& logits, const Tensor& target, const Tensor& weight, const Tensor& pos_weight, Reduction r) {
  if (!(logits.shape() == target.shape())) throw ShapeError({"bce_with_logits: ", logits.shape().str(), " against ", target.shape().str()});
  if (!pos_weight.defined())
    return reduced(weighted(pointwise("bce_with_logits", logits, target, false,
                                      [](auto a, auto b) { return std::max(a, decltype(a)(0)) - a * b + softplus_of_minus_abs(a); },
                                      [](auto a, auto b) { return 1 / (1 + std::exp(-a)) - b; }), weight), r);
  // (1 - t) x + (1 + (w - 1) t) softplus(-x), with the weight of each element
  const Tensor t = target.detach().to(logits.dtype()), w = pos_weight.detach().to(logits.dtype());
  const Tensor negative = pointwise("bce_with_logits", logits, t, false, [](auto a, auto b) { return (1 - b) * a; }, [](auto, auto b) { return 1 - b; });
  const Tensor minus_log = pointwise("bce_with_logits", logits, t, false,
                                     [](auto a, auto) { return softplus_of_minus_abs(a) + std::max(-a, decltype(a)(0)); },
                                     [](auto a, auto) { return 1 / (1 + std::exp(-a)) - 1; });
  return reduced(weighted(negative + minus_log * ((w - 1.0) * t + 1.0), weight), r);
}
Tensor kl_div(const Tensor& log_x, const Tensor& target, Reduction r, bool log_target, bool batch_mean) {
  const Tensor loss = log_target ? pointwise("kl_div", log_x, target, false, [](auto a, auto b) { return std::exp(b) * (b - a); },
                                             [](auto, auto b) { return -std::exp(b); })
                                 : pointwise("kl_div", log_x, target, false,
                                             [](auto a, auto b) { return (b > 0 ? b * std::log(b) : b == 0 ? b : decltype(b)(NAN)) - b * a; },
                                             [](auto, auto b) { return -b; });
  if (batch_mean) return sum(loss) / static_cast<double>(std::max<int64_t>(1, log_x.rank() ? log_x.dim(0) : 1));
  return reduced(loss, r);
}
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int64_t dim, double eps) {
  const Shape shape = broadcast_shapes("cosine_similarity", a.shape(), b.shape());
  dim = wrap_dim("cosine_similarity", dim, shape.rank());
  const Tensor x = a.expand(shape), y = b.expand(shape);
  const Tensor nx = clamp(norm(x, 2, {dim}, true), eps, INFINITY), ny = clamp(norm(y, 2, {dim}, true), eps, INFINITY);
  return sum((x / nx) * (y / ny), {dim});
}
Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin, Reduction r) {
  const int64_t dim = target.rank();
  const double eps = 1e-12;  // added to the squares, as the reference's native function does
  const Tensor cosine = sum(a * b, {dim}) / sqrt((sum(square(a), {dim}) + eps) * (sum(square(b), {dim}) + eps));
  const Tensor zeros = Tensor::zeros(cosine.shape(), cosine.dtype());
  const Tensor positive = where(eq(target, 1.0), 1.0 - cosine, zeros), negative = where(eq(target, -1.0), relu(cosine - margin), zeros);
  return reduced(positive + negative, r);
}

}  // namespace transformers
