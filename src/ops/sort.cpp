// Ordering and searching. nan counts as greater than every number, as in torch. Values of sort and topk are gathered,
// so their gradient is that of gather.
#include <algorithm>
#include <numeric>
#include <type_traits>

#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/iterate.h"

namespace transformers {
using namespace detail;
namespace {

template <class A> bool below(A a, A b) { return a < b || (b != b && a == a); }

// Index tensor of x's shape with `keep` entries along dim, filled by rank(row of the last dim, n, out).
template <class F> Tensor ranked(const char* op, const Tensor& x, int64_t dim, int64_t keep, F rank_row) {
  const Tensor moved = x.detach().transpose(dim, -1).contiguous();
  const int64_t n = moved.shape().back(), rows = n ? moved.numel() / n : 0;
  Tensor index = Tensor::empty(moved.shape().with(moved.rank() - 1, keep), DType::i64);
  int64_t* out = index.mutable_data<int64_t>();
  const Tensor numbers = is_floating(x.dtype()) ? moved : moved.to(DType::i64);
  TRANSFORMERS_NUMBER_SWITCH(op, numbers.dtype(), {
    const T* p = numbers.data<T>();
    parallel_for(rows, std::max<int64_t>(1, 4096 / std::max<int64_t>(1, n)), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) rank_row(p + r * n, n, out + r * keep);
    });
  })
  return index.transpose(dim, -1).contiguous();
}
Tensor sorted_indices(const char* op, const Tensor& x, int64_t dim, bool descending) {
  return ranked(op, x, dim, x.dim(dim), [descending](const auto* row, int64_t n, int64_t* out) {
    std::iota(out, out + n, int64_t{0});
    if (descending) std::stable_sort(out, out + n, [row](int64_t a, int64_t b) { return below(load(row[b]), load(row[a])); });
    else std::stable_sort(out, out + n, [row](int64_t a, int64_t b) { return below(load(row[a]), load(row[b])); });
  });
}

// The k first of a row in the order of `before`, by a heap of k: nearly one comparison per element.
template <class Before> void first_k(int64_t n, int64_t k, int64_t* out, Before before) {
  if (k == 0) return;
  std::iota(out, out + k, int64_t{0});
  std::make_heap(out, out + k, before);  // the last of the kept is at out[0]
  for (int64_t i = k; i < n; ++i) {
    if (!before(i, out[0])) continue;
    std::pop_heap(out, out + k, before);
    out[k - 1] = i;
    std::push_heap(out, out + k, before);
  }
  std::sort_heap(out, out + k, before);
}

}  // namespace

ValuesIndices topk(const Tensor& x, int64_t k, int64_t dim, bool largest) {
  if (x.rank() == 0) { const ValuesIndices v = topk(x.reshape({1}), k, 0, largest); return {v.values.reshape({}), v.indices.reshape({})}; }
  dim = wrap_dim("topk", dim, x.rank());
  if (k < 0 || k > x.dim(dim)) throw ShapeError({"topk: k = ", k, " is out of range for dim ", dim, " of ", x.shape().str()});
  const Tensor index = ranked("topk", x, dim, k, [k, largest](const auto* row, int64_t n, int64_t* out) {
    if (largest) first_k(n, k, out, [row](int64_t a, int64_t b) {
      const auto u = load(row[a]), v = load(row[b]);
      return below(v, u) || (!below(u, v) && a < b);
    });
    else first_k(n, k, out, [row](int64_t a, int64_t b) {
      const auto u = load(row[a]), v = load(row[b]);
      return below(u, v) || (!below(v, u) && a < b);
    });
  });
  return {gather(x, dim, index), index};
}
ValuesIndices sort(const Tensor& x, int64_t dim, bool descending) {
  if (x.rank() == 0) return {x, Tensor::zeros({}, DType::i64)};
  dim = wrap_dim("sort", dim, x.rank());
  const Tensor index = sorted_indices("sort", x, dim, descending);
  return {gather(x, dim, index), index};
}
Tensor argsort(const Tensor& x, int64_t dim, bool descending) {
  if (x.rank() == 0) return Tensor::zeros({}, DType::i64);
  return sorted_indices("argsort", x, wrap_dim("argsort", dim, x.rank()), descending);
}

Tensor nonzero(const Tensor& x) {
  const Tensor mask = x.detach().to(DType::boolean).contiguous();
  const bool* p = mask.data<bool>();
  const int64_t n = mask.numel(), rank = x.rank(), count = std::count(p, p + n, true);
  Tensor y = Tensor::empty({count, rank}, DType::i64);
  int64_t* out = y.mutable_data<int64_t>();
  for (int64_t i = 0; i < n; ++i) {
    if (!p[i]) continue;
    int64_t rest = i;
    for (int64_t d = rank - 1; d >= 0; --d) out[d] = rest % x.shape()[d], rest /= x.shape()[d];
    out += rank;
  }
  return y;
}
Tensor bincount(const Tensor& x, int64_t min_length) {
  const Tensor c = as_index("bincount", x);
  int64_t length = std::max<int64_t>(0, min_length);
  for (int64_t i = 0; i < c.numel(); ++i) {
    if (c.data<int64_t>()[i] < 0) throw ValueError({"bincount: negative value ", c.data<int64_t>()[i]});
    length = std::max(length, c.data<int64_t>()[i] + 1);
  }
  Tensor y = Tensor::zeros({length}, DType::i64);
  for (int64_t i = 0; i < c.numel(); ++i) ++y.mutable_data<int64_t>()[c.data<int64_t>()[i]];
  return y;
}

Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right) {
  if (sorted.rank() == 0) throw ShapeError("searchsorted: the sorted tensor needs a dimension");
  const bool shared = sorted.rank() == 1;  // one row for all values
  if (!shared && (values.rank() != sorted.rank() || !(values.shape().with(values.rank() - 1, 0) == sorted.shape().with(sorted.rank() - 1, 0))))
    throw ShapeError({"searchsorted: values ", values.shape().str(), " do not fit ", sorted.shape().str()});
  const DType common = promote(sorted.dtype(), values.dtype()), t = is_floating(common) ? common : DType::i64;
  const Tensor s = sorted.detach().to(t).contiguous(), v = values.detach().to(t).contiguous();
  Tensor y = Tensor::empty(values.shape(), DType::i64);
  const int64_t n = s.shape().back(), per_row = shared ? std::max<int64_t>(1, v.numel()) : std::max<int64_t>(1, v.shape().back());
  TRANSFORMERS_NUMBER_SWITCH("searchsorted", t, {
    for (int64_t i = 0; i < v.numel(); ++i) {
      const T *row = s.data<T>() + i / per_row * n, *end = row + n;
      const auto value = load(v.data<T>()[i]);
      const T* at = right ? std::partition_point(row, end, [value](const T& e) { return !below(value, load(e)); })
                          : std::partition_point(row, end, [value](const T& e) { return below(load(e), value); });
      y.mutable_data<int64_t>()[i] = at - row;
    }
  })
  return y;
}
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right) {
  if (boundaries.rank() != 1) throw ShapeError({"bucketize: boundaries must have one dimension, got ", boundaries.shape().str()});
  return searchsorted(boundaries, x, right);
}
Tensor unique(const Tensor& x) {
  const DType t = is_floating(x.dtype()) ? x.dtype() : DType::i64;
  const Tensor flat = sort(x.detach().to(t).reshape({-1}), 0).values;
  if (flat.numel() == 0) return flat.to(x.dtype());
  int64_t count = 1;
  TRANSFORMERS_NUMBER_SWITCH("unique", t, {
    T* p = flat.mutable_data<T>();
    for (int64_t i = 1; i < flat.numel(); ++i)
      if (load(p[i]) != load(p[count - 1])) p[count++] = p[i];
  })
  return flat.narrow(0, 0, count).clone().to(x.dtype());
}

}  // namespace transformers
