// cross_entropy and nll_loss with the semantics of torch.nn.functional. R rows, C classes.
// Every case is loss_r = sum_c coef[r, c] * (lse_r - x[r, c]); probabilities are recomputed in backward, never stored.
#include <cmath>

#include "base/parallel.h"
#include "kernels/cross_entropy.h"
#include "ops/loss.h"
#include "ops/rows.h"

namespace transformers {
namespace {

// [N, C, ...] -> [R, C] (views recorded), so that classes are the last dimension.
Tensor class_rows(const Tensor& x) {
  if (x.rank() <= 2) return x.rank() == 1 ? x.unsqueeze(0) : x;
  Shape order{0};
  for (int64_t i = 2; i < x.rank(); ++i) order.push_back(i);
  order.push_back(1);
  return x.permute(order).reshape({-1, x.dim(1)});
}
Shape label_shape(const Tensor& x) {
  Shape s;
  for (int64_t i = 0; i < x.rank(); ++i)
    if (i != (x.rank() == 1 ? 0 : 1)) s.push_back(x.dim(i));
  return s;
}
Tensor check_labels(const char* op, const Tensor& labels, int64_t rows, int64_t classes, int64_t ignore) {
  if (is_floating(labels.dtype()) || labels.dtype() == DType::boolean) throw DTypeError({op, ": labels must be integers, got ", name_of(labels.dtype())});
  if (labels.numel() != rows) throw ShapeError({op, ": ", labels.numel(), " labels for ", rows, " rows"});
  const Tensor y = labels.to(DType::i64).reshape({rows});
  const Tensor flat = y.contiguous();
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t l = flat.data<int64_t>()[r];
    if (l != ignore && (l < 0 || l >= classes)) throw ValueError({op, ": label ", l, " outside of [0, ", classes, ")"});
  }
  return flat;
}
void check_weight(const char* op, const Tensor& weight, int64_t classes) {
  if (weight.defined() && weight.numel() != classes) throw ShapeError({op, ": ", weight.numel(), " weights for ", classes, " classes"});
}

struct Terms {
  Tensor labels;   // i64 [R], or
  Tensor soft;     // accumulator type [R, C]
  Tensor weight;   // accumulator type [C] or undefined
  double smoothing = 0;
  int64_t ignore = -100;
  bool log_softmax = true;  // false: x already holds log probabilities
};

// Calls f(class, coefficient) for every class with one; returns false for an ignored row.
template <class A, class F> bool each_term(const Terms& t, int64_t r, int64_t C, F&& f) {
  const A* w = data_or_null<A>(t.weight);
  const A spread = static_cast<A>(t.smoothing / static_cast<double>(C)), keep = static_cast<A>(1 - t.smoothing);
  if (t.soft.defined()) {
    const A* p = t.soft.data<A>() + r * C;
    for (int64_t c = 0; c < C; ++c) f(c, (p[c] * keep + spread) * (w ? w[c] : A(1)));
    return true;
  }
  const int64_t label = t.labels.data<int64_t>()[r];
  if (label == t.ignore) return false;
  if (t.smoothing > 0)
    for (int64_t c = 0; c < C; ++c) f(c, spread * (w ? w[c] : A(1)));
  f(label, keep * (w ? w[label] : A(1)));
  return true;
}

Tensor row_losses(const char* name, const Tensor& x, const Terms& t) {
  const Tensor in = x.detach().contiguous();
  const int64_t R = in.dim(0), C = in.dim(1);
  Tensor y = Tensor::empty({R}, x.dtype()), lse = Tensor::empty({R}, acc_dtype(x.dtype()));
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, C));
  TRANSFORMERS_FLOAT_SWITCH(name, in.dtype(), {
    using A = Acc<T>;
    parallel_for(R, grain, [&](int64_t begin, int64_t end) {
      std::vector<A> buffer(kWide<T> ? 0 : static_cast<size_t>(C));
      for (int64_t r = begin; r < end; ++r) {
        const A* row = widen_row(in.data<T>() + r * C, C, buffer.data());
        const A top = t.log_softmax ? kernels::log_sum_exp(row, C) : A(0);
        A loss = 0;
        each_term<A>(t, r, C, [&](int64_t c, A k) { if (k != 0) loss += k * (top - row[c]); });
        lse.mutable_data<A>()[r] = top;
        y.mutable_data<T>()[r] = T(loss);
      }
    });
  })
  return record(y, name, {x}, [=](const Tensor& grad) -> Grads {
    const Tensor g = dense_acc(grad, in.dtype());
    Tensor dx = empty_like(in);
    TRANSFORMERS_FLOAT_SWITCH(name, in.dtype(), {
      using A = Acc<T>;
      parallel_for(R, grain, [&](int64_t begin, int64_t end) {
        std::vector<A> buffer(kWide<T> ? 0 : static_cast<size_t>(2 * C));
        for (int64_t r = begin; r < end; ++r) {
          const A* row = widen_row(in.data<T>() + r * C, C, buffer.data());
          A* out = row_target(dx.mutable_data<T>() + r * C, buffer.data() + C);
          const A scale = g.data<A>()[r];
          A total = 0;
          const bool used = each_term<A>(t, r, C, [&](int64_t, A k) { total += k; });
          if (!used || !t.log_softmax || scale == 0) std::fill(out, out + C, A(0));
          else kernels::scaled_exp(row, C, lse.data<A>()[r], scale * total, out);
          if (used) each_term<A>(t, r, C, [&](int64_t c, A k) { out[c] -= scale * k; });
          store_row(out, C, dx.mutable_data<T>() + r * C);
        }
      });
    })
    return {dx};
  });
}

// Sum or mean with a given divisor. Differentiable.
Tensor reduce_rows(const Tensor& losses, double divisor) {
  double total = 0;
  const Tensor d = losses.detach();
  TRANSFORMERS_FLOAT_SWITCH("cross_entropy", d.dtype(), for (int64_t i = 0; i < d.numel(); ++i) total += static_cast<double>(d.data<T>()[i]))
  return record(Tensor::scalar(total / divisor, d.dtype()), "reduce", {losses}, [s = d.shape(), divisor, t = d.dtype()](const Tensor& g) -> Grads {
    return {Tensor::full(s, g.item() / divisor, t)};
  });
}

Tensor finish(const char* name, const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& o, bool log_softmax) {
  check_floating(name, logits);
  if (logits.rank() < 1) throw ShapeError({name, ": expected [N, C, ...], got ", logits.shape().str()});
  const Tensor x = class_rows(logits);
  const int64_t R = x.dim(0), C = x.dim(1);
  check_weight(name, o.weight, C);
  Terms t;
  t.weight = dense_acc(o.weight, x.dtype());
  t.ignore = o.ignore_index, t.smoothing = o.label_smoothing, t.log_softmax = log_softmax;
  const bool soft = is_floating(labels.dtype());
  if (soft) {
    if (!(labels.shape() == logits.shape())) throw ShapeError({name, ": probabilities ", labels.shape().str(), " for logits ", logits.shape().str()});
    t.soft = dense_acc(class_rows(labels.detach()), x.dtype());
  } else {
    if (!(labels.shape() == label_shape(logits))) throw ShapeError({name, ": labels ", labels.shape().str(), " for logits ", logits.shape().str()});
    t.labels = check_labels(name, labels, R, C, o.ignore_index);
  }
  const Tensor losses = row_losses(name, x, t);
  if (o.reduction == Reduction::none) return losses.reshape(label_shape(logits));
  double divisor = 1;
  if (o.reduction == Reduction::mean) {
    divisor = soft ? static_cast<double>(R) : 0;
    const Tensor w = o.weight.defined() ? o.weight.detach().to(DType::f64).contiguous() : Tensor();
    for (int64_t r = 0; !soft && r < R; ++r) {
      const int64_t label = t.labels.data<int64_t>()[r];
      if (label != o.ignore_index) divisor += w.defined() ? w.data<double>()[label] : 1.0;
    }
  }
  return reduce_rows(losses, divisor);
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& o) {
  if (o.label_smoothing < 0 || o.label_smoothing > 1) throw ValueError({"cross_entropy: label_smoothing ", o.label_smoothing, " outside of [0, 1]"});
  return finish("cross_entropy", logits, labels, o, true);
}

Tensor nll_loss(const Tensor& log_probs, const Tensor& labels, const CrossEntropyOptions& o) {
  if (is_floating(labels.dtype())) throw DTypeError({"nll_loss: labels must be integers, got ", name_of(labels.dtype())});
  CrossEntropyOptions plain = o;
  plain.label_smoothing = 0;
  return finish("nll_loss", log_probs, labels, plain, false);
}

}  // namespace transformers
