// Attention: checks, the choice of path, and the plain-op path that training and returned probabilities use.
// B batch, H query heads, K key/value heads, T queries, S keys, D head size.
#include <cmath>

#include "ops/attention_detail.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/random.h"
#include "ops/rows.h"

namespace transformers {
namespace {

detail::AttentionSizes check(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o) {
  check_floating("attention", q), check_floating("attention", k), check_floating("attention", v);
  if (q.rank() != 4 || k.rank() != 4 || v.rank() != 4)
    throw ShapeError({"attention: expected q, k, v of rank 4, got ", q.shape().str(), ", ", k.shape().str(), ", ", v.shape().str()});
  const detail::AttentionSizes n{q.dim(0), q.dim(1), k.dim(1), q.dim(2), k.dim(2), q.dim(3), v.dim(3)};
  if (k.dim(0) != n.b || v.dim(0) != n.b || v.dim(1) != n.k || v.dim(2) != n.s || k.dim(3) != n.d || n.k == 0 || n.h % n.k != 0)
    throw ShapeError({"attention: q ", q.shape().str(), ", k ", k.shape().str(), " and v ", v.shape().str(), " do not fit"});
  const Shape full{n.b, n.h, n.t, n.s};
  for (const Tensor* m : {&o.mask, &o.bias, &o.head_mask})
    if (m->defined() && !(broadcast_shapes("attention", m->shape(), full) == full))
      throw ShapeError({"attention: mask or bias ", m->shape().str(), " for scores ", full.str()});
  if (o.mask.defined() && o.mask.dtype() != DType::boolean) throw DTypeError({"attention: mask must be bool, got ", name_of(o.mask.dtype())});
  if (o.key_mask.defined() && (o.key_mask.dtype() != DType::boolean || !(o.key_mask.shape() == Shape{n.b, n.s})))
    throw ShapeError({"attention: key_mask must be bool ", Shape{n.b, n.s}.str(), ", got ", name_of(o.key_mask.dtype()), " ", o.key_mask.shape().str()});
  if (o.sinks.defined() && o.sinks.numel() != n.h) throw ShapeError({"attention: ", o.sinks.numel(), " sinks for ", n.h, " heads"});
  return n;
}

// Queries of the heads that share a key/value head become rows of one product: [B, H, T, x] -> [B, K, H / K * T, x].
Tensor group(const Tensor& x, const detail::AttentionSizes& n) {
  return n.h == n.k ? x : x.reshape({n.b, n.k, n.h / n.k * n.t, x.dim(3)});
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o) {
  const detail::AttentionSizes n = check(q, k, v, o);
  const bool plain = needs_grad({q, k, v, o.bias, o.head_mask, o.sinks}) || o.probabilities || o.dropout > 0 || o.head_mask.defined() ||
                     q.dtype() == DType::f64 || k.dtype() == DType::f64 || v.dtype() == DType::f64;
  if (!plain) return detail::attention_fused(q, k, v, o, n);

  const double scale = o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<double>(n.d));
  const Tensor scores = matmul(group(q, n), k.to(q.dtype()).transpose(2, 3)).reshape({n.b, n.h, n.t, n.s});
  Tensor p = detail::attention_probabilities(scores, o, n, scale);
  if (o.probabilities) *o.probabilities = p;
  if (o.dropout > 0) p = dropout(p, o.dropout);
  if (o.head_mask.defined()) p = p * o.head_mask.to(p.dtype());
  return matmul(group(p, n), v.to(q.dtype())).reshape({n.b, n.h, n.t, n.dv});
}

Tensor split_heads(const Tensor& x, int64_t head_dim) {
  if (x.rank() != 3 || head_dim < 1 || x.dim(2) % head_dim != 0) throw ShapeError({"split_heads: heads of ", head_dim, " in ", x.shape().str()});
  return x.reshape({x.dim(0), x.dim(1), x.dim(2) / head_dim, head_dim}).transpose(1, 2);
}
Tensor merge_heads(const Tensor& x) {
  if (x.rank() != 4) throw ShapeError({"merge_heads: expected [B, H, T, D], got ", x.shape().str()});
  return x.transpose(1, 2).reshape({x.dim(0), x.dim(2), x.dim(1) * x.dim(3)});
}

}  // namespace transformers
