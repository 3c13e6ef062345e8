// Probabilities of the plain attention path: scale, soft cap, masks, bias, sinks and softmax in one pass per row, with
// an analytic backward. A row that may see nothing is uniform, as the reference's finite mask value makes it.
// B batch, H heads, T queries, S keys.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "ops/attention_detail.h"
#include "ops/rows.h"

namespace transformers::detail {
namespace {

// Strides of a tensor broadcast to [B, H, T, S].
struct Broadcast {
  Tensor t;
  Shape st;
  Broadcast(const Tensor& x, const Shape& full) {
    if (!x.defined()) return;
    t = x.detach().expand(full);
    st = t.strides();
  }
  int64_t at(int64_t b, int64_t h, int64_t q) const { return b * st[0] + h * st[1] + q * st[2]; }
};

}  // namespace

Tensor attention_probabilities(const Tensor& scores, const AttentionOptions& o, const AttentionSizes& n, double scale) {
  const Shape full{n.b, n.h, n.t, n.s};
  const Tensor in = scores.detach().contiguous();
  const DType at = acc_dtype(in.dtype());
  Tensor y = empty_like(in);
  const bool recorded = needs_grad({scores, o.bias, o.sinks});
  const Tensor sinks = dense_acc(o.sinks, in.dtype());
  Tensor sink_p = recorded && sinks.defined() ? Tensor::empty({n.b, n.h, n.t}, at) : Tensor();
  const Broadcast mask(o.mask, full), bias(o.bias.defined() ? o.bias.detach().to(at) : Tensor(), full);
  const Tensor key_mask = o.key_mask.defined() ? o.key_mask.contiguous() : Tensor();
  TRANSFORMERS_FLOAT_SWITCH("attention", in.dtype(), {
    using A = Acc<T>;
    parallel_for(n.b * n.h * n.t, std::max<int64_t>(1, 4096 / std::max<int64_t>(1, n.s)), [&](int64_t first, int64_t last) {
      std::vector<A> row(static_cast<size_t>(n.s));
      for (int64_t r = first; r < last; ++r) {
        const int64_t t = r % n.t, h = r / n.t % n.h, b = r / n.t / n.h, position = n.s - n.t + t;
        const T* x = in.data<T>() + r * n.s;
        T* p = y.mutable_data<T>() + r * n.s;
        const A* add = bias.t.defined() ? bias.t.data<A>() + bias.at(b, h, t) : nullptr;
        const bool* see = mask.t.defined() ? mask.t.data<bool>() + mask.at(b, h, t) : nullptr;
        const bool* keys = key_mask.defined() ? key_mask.data<bool>() + b * n.s : nullptr;
        A top = -std::numeric_limits<A>::infinity();
        bool any = false;
        for (int64_t s = 0; s < n.s; ++s) {
          const bool visible = (!keys || keys[s]) && (!see || see[s * mask.st[3]]) && (!o.causal || s <= position) &&
                               (o.window <= 0 || s > position - o.window);
          A v = static_cast<A>(x[s]) * static_cast<A>(scale);
          if (o.softcap > 0) v = static_cast<A>(o.softcap) * std::tanh(v / static_cast<A>(o.softcap));
          if (add) v += add[s * bias.st[3]];
          row[static_cast<size_t>(s)] = visible ? v : -std::numeric_limits<A>::infinity();
          any |= visible;
          if (visible) top = std::max(top, v);
        }
        if (sinks.defined()) top = std::max(top, sinks.data<A>()[h]);
        if (!any && !sinks.defined()) {
          for (int64_t s = 0; s < n.s; ++s) p[s] = T(A(1) / static_cast<A>(n.s));
          continue;
        }
        double exact = 0;  // rows must sum to 1 closely: the keys' gradients cancel over a row
        for (int64_t s = 0; s < n.s; ++s) exact += static_cast<double>(row[static_cast<size_t>(s)] = std::exp(row[static_cast<size_t>(s)] - top));
        const A sink = sinks.defined() ? std::exp(sinks.data<A>()[h] - top) : A(0);
        const A total = static_cast<A>(exact + static_cast<double>(sink));
        for (int64_t s = 0; s < n.s; ++s) p[s] = T(row[static_cast<size_t>(s)] / total);
        if (sink_p.defined()) sink_p.mutable_data<A>()[r] = sink / total;
      }
    });
  })
  const bool wants_bias = o.bias.defined() && o.bias.requires_grad(), wants_sinks = o.sinks.defined() && o.sinks.requires_grad();
  const Shape bias_shape = o.bias.defined() ? o.bias.shape() : Shape{}, sinks_shape = o.sinks.defined() ? o.sinks.shape() : Shape{};
  const DType bias_type = wants_bias ? o.bias.dtype() : at, sinks_type = wants_sinks ? o.sinks.dtype() : at;
  return record(y, "attention", {scores, o.bias, o.sinks},
                [=, p = y.detach(), softcap = o.softcap](const Tensor& grad) -> Grads {
    const Tensor g = grad.contiguous();
    Tensor dx = empty_like(in), db = wants_bias ? Tensor::empty(in.shape(), in.dtype()) : Tensor();
    Tensor ds = wants_sinks ? Tensor::zeros(sinks_shape, at) : Tensor(), weighted = wants_sinks ? Tensor::empty({n.b, n.h, n.t}, at) : Tensor();
    TRANSFORMERS_FLOAT_SWITCH("attention", in.dtype(), {
      using A = Acc<T>;
      parallel_for(n.b * n.h * n.t, std::max<int64_t>(1, 4096 / std::max<int64_t>(1, n.s)), [&](int64_t first, int64_t last) {
        for (int64_t r = first; r < last; ++r) {
          const T* gp = g.data<T>() + r * n.s;
          const T* pp = p.data<T>() + r * n.s;
          const T* x = in.data<T>() + r * n.s;
          T* d = dx.mutable_data<T>() + r * n.s;
          double exact = 0;
          for (int64_t s = 0; s < n.s; ++s) exact += static_cast<double>(static_cast<A>(gp[s])) * static_cast<double>(static_cast<A>(pp[s]));
          const A dot = static_cast<A>(exact);
          if (wants_sinks) weighted.mutable_data<A>()[r] = -dot * sink_p.data<A>()[r];
          for (int64_t s = 0; s < n.s; ++s) {
            A v = static_cast<A>(pp[s]) * (static_cast<A>(gp[s]) - dot);
            if (wants_bias) db.mutable_data<T>()[r * n.s + s] = T(v);
            v *= static_cast<A>(scale);
            if (softcap > 0) {
              const A th = std::tanh(static_cast<A>(x[s]) * static_cast<A>(scale / softcap));
              v *= 1 - th * th;
            }
            d[s] = T(v);
          }
        }
      });
      if (wants_sinks)
        for (int64_t r = 0; r < n.b * n.h * n.t; ++r) ds.mutable_data<A>()[r / n.t % n.h] += weighted.data<A>()[r];
    })
    return {dx, wants_bias ? sum_to(db, bias_shape).to(bias_type) : Tensor(), wants_sinks ? ds.to(sinks_type) : Tensor()};
  });
}

}  // namespace transformers::detail
