// Connectionist temporal classification (Graves et al. 2006) by the forward-backward recursion in log space.
// T frames, N sequences, C classes, S labels; the extended target has 2 S + 1 states with blanks between labels.
// The gradient is PyTorch's: it takes log_probs as the output of log_softmax, so that it equals the logits' gradient.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "ops/loss.h"
#include "ops/rows.h"

namespace transformers {
namespace {

template <class A> constexpr A kNever = -std::numeric_limits<A>::infinity();

template <class A> A log_add(A a, A b, A c) {
  A top = std::max(a, std::max(b, c));
  if (top == kNever<A>) return top;
  return top + std::log(std::exp(a - top) + std::exp(b - top) + std::exp(c - top));
}

struct Sequence { int64_t frames, states; std::vector<int64_t> label; };  // label of each state

// alpha [frames, states]; returns the negative log likelihood.
template <class A> A forward_pass(const A* lp, int64_t step, const Sequence& q, std::vector<A>& alpha) {
  const int64_t L = q.states;
  alpha.assign(static_cast<size_t>(std::max<int64_t>(1, q.frames) * L), kNever<A>);
  if (q.frames == 0) return L == 1 ? A(0) : -kNever<A>;
  alpha[0] = lp[q.label[0]];
  if (L > 1) alpha[1] = lp[q.label[1]];
  for (int64_t t = 1; t < q.frames; ++t) {
    const A* before = alpha.data() + (t - 1) * L;
    A* now = alpha.data() + t * L;
    for (int64_t s = 0; s < L; ++s) {
      const size_t i = static_cast<size_t>(s);
      const A skip = s > 1 && q.label[i] != q.label[i - 2] ? before[s - 2] : kNever<A>;
      now[s] = log_add(before[s], s > 0 ? before[s - 1] : kNever<A>, skip) + lp[t * step + q.label[i]];
    }
  }
  const A* last = alpha.data() + (q.frames - 1) * L;
  return -log_add(last[L - 1], L > 1 ? last[L - 2] : kNever<A>, kNever<A>);
}

template <class A> void gradient(const A* lp, int64_t step, const Sequence& q, const std::vector<A>& alpha, A nll, A scale, int64_t C, A* g) {
  const int64_t L = q.states;
  std::vector<A> beta(static_cast<size_t>(L)), next(beta), mass(static_cast<size_t>(C));
  for (int64_t t = q.frames - 1; t >= 0; --t) {
    const A* row = lp + t * step;
    for (int64_t s = L - 1; s >= 0; --s) {
      const size_t i = static_cast<size_t>(s);
      A b;
      if (t == q.frames - 1) b = s >= L - 2 ? A(0) : kNever<A>;
      else b = log_add(next[i], s + 1 < L ? next[i + 1] : kNever<A>, s + 2 < L && q.label[i] != q.label[i + 2] ? next[i + 2] : kNever<A>);
      beta[i] = b + row[q.label[i]];
    }
    std::fill(mass.begin(), mass.end(), kNever<A>);
    for (int64_t s = 0; s < L; ++s) {
      A& m = mass[static_cast<size_t>(q.label[static_cast<size_t>(s)])];
      m = log_add(m, alpha[static_cast<size_t>(t * L + s)] + beta[static_cast<size_t>(s)], kNever<A>);
    }
    for (int64_t c = 0; c < C; ++c) g[t * step + c] = (std::exp(row[c]) - std::exp(mass[static_cast<size_t>(c)] + nll - row[c])) * scale;
    std::swap(beta, next);
  }
}

std::vector<int64_t> lengths_of(const char* what, const Tensor& t, int64_t n, int64_t most) {
  if (is_floating(t.dtype()) || t.numel() != n) throw ShapeError({"ctc_loss: ", what, " must be ", n, " integers, got ", t.shape().str()});
  std::vector<int64_t> v = t.to_ints();
  for (int64_t x : v)
    if (x < 0 || x > most) throw ValueError({"ctc_loss: ", what, " ", x, " outside of [0, ", most, "]"});
  return v;
}

}  // namespace

Tensor ctc_loss(const Tensor& log_probs0, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths, int64_t blank,
                Reduction r, bool zero_infinity) {
  check_floating("ctc_loss", log_probs0);
  if (log_probs0.rank() != 2 && log_probs0.rank() != 3) throw ShapeError({"ctc_loss: expected log_probs [T, N, C], got ", log_probs0.shape().str()});
  const Tensor log_probs = log_probs0.rank() == 2 ? log_probs0.unsqueeze(1) : log_probs0;
  const int64_t T0 = log_probs.dim(0), N = log_probs.dim(1), C = log_probs.dim(2);
  if (blank < 0 || blank >= C) throw ValueError({"ctc_loss: blank ", blank, " outside of [0, ", C, ")"});
  const bool joined = targets.rank() == 1 && log_probs0.rank() == 3;
  const int64_t S = joined ? targets.numel() : targets.rank() == 1 ? targets.dim(0) : targets.dim(1);
  if (!joined && targets.numel() != N * S) throw ShapeError({"ctc_loss: targets ", targets.shape().str(), " for ", N, " sequences"});
  const std::vector<int64_t> frames = lengths_of("input length", input_lengths, N, T0), labels = lengths_of("target length", target_lengths, N, S);
  const std::vector<int64_t> ids = targets.to_ints();
  std::vector<Sequence> sequences(static_cast<size_t>(N));
  int64_t offset = 0;
  for (int64_t n = 0; n < N; ++n) {
    const int64_t count = labels[static_cast<size_t>(n)];
    Sequence& q = sequences[static_cast<size_t>(n)];
    q.frames = frames[static_cast<size_t>(n)], q.states = 2 * count + 1;
    q.label.assign(static_cast<size_t>(q.states), blank);
    if (joined && offset + count > S) throw ShapeError({"ctc_loss: target lengths add up to more than ", S});
    for (int64_t s = 0; s < count; ++s) {
      const int64_t id = ids[static_cast<size_t>(joined ? offset + s : n * S + s)];
      if (id < 0 || id >= C) throw ValueError({"ctc_loss: target ", id, " outside of [0, ", C, ")"});
      q.label[static_cast<size_t>(2 * s + 1)] = id;
    }
    offset += count;
  }

  const DType at = acc_dtype(log_probs.dtype());
  const int64_t grain = std::max<int64_t>(1, 2000 / std::max<int64_t>(1, T0 * (2 * std::min<int64_t>(S, T0) + 1)));
  const Tensor lp = dense_acc(log_probs, log_probs.dtype());
  Tensor losses = Tensor::empty({N}, at);
  TRANSFORMERS_FLOAT_SWITCH("ctc_loss", at, {
    using A = Acc<T>;
    parallel_for(N, grain, [&](int64_t begin, int64_t end) {
      std::vector<A> alpha;
      for (int64_t n = begin; n < end; ++n) {
        losses.mutable_data<A>()[n] = forward_pass<A>(lp.data<A>() + n * C, N * C, sequences[static_cast<size_t>(n)], alpha);
      }
    });
  })
  // Weight of each sequence in the result; infinite ones count nothing when asked so.
  std::vector<double> share(static_cast<size_t>(N), 1);
  double total = 0;
  std::vector<double> kept(static_cast<size_t>(N));
  const Tensor wide = losses.to(DType::f64);
  for (int64_t n = 0; n < N; ++n) {
    const size_t i = static_cast<size_t>(n);
    if (r == Reduction::mean) share[i] = 1 / (static_cast<double>(std::max<int64_t>(1, labels[i])) * static_cast<double>(N));
    const double loss = wide.data<double>()[n];
    const bool dropped = zero_infinity && std::isinf(loss);
    kept[i] = dropped ? 0 : loss;
    if (dropped) share[i] = 0;
    total += kept[i] * (r == Reduction::mean ? share[i] : 1);
  }
  Tensor y = r == Reduction::none ? Tensor::from(kept, {N}).to(log_probs.dtype()) : Tensor::scalar(total, log_probs.dtype());
  if (log_probs0.rank() == 2 && r == Reduction::none) y = y.reshape({});
  return record(y, "ctc_loss", {log_probs}, [=, sequences = std::move(sequences), share = std::move(share)](const Tensor& grad) -> Grads {
    const std::vector<double> g = [&] {
      const Tensor d = grad.to(DType::f64).contiguous();
      return std::vector<double>(d.data<double>(), d.data<double>() + d.numel());
    }();
    Tensor dx = Tensor::zeros(lp.shape(), at);
    TRANSFORMERS_FLOAT_SWITCH("ctc_loss", at, {
      using A = Acc<T>;
      parallel_for(N, grain, [&](int64_t begin, int64_t end) {
        std::vector<A> alpha;
        for (int64_t n = begin; n < end; ++n) {
          const size_t i = static_cast<size_t>(n);
          if (share[i] == 0) continue;
          const A scale = static_cast<A>(share[i] * g[g.size() == 1 ? 0 : i]);
          const A* row = lp.data<A>() + n * C;
          const A nll = forward_pass<A>(row, N * C, sequences[i], alpha);
          gradient<A>(row, N * C, sequences[i], alpha, nll, scale, C, dx.mutable_data<A>() + n * C);
        }
      });
    })
    return {dx.to(log_probs.dtype())};
  });
}

}  // namespace transformers
