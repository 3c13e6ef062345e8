// Joining, repeating, flipping and windowing. Most are views and copies, so gradients come from those.
#include <cstring>

#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/iterate.h"

namespace transformers {
using namespace detail;

Tensor cat(const std::vector<Tensor>& xs, int64_t dim) {
  std::vector<Tensor> parts;
  for (const Tensor& x : xs)
    if (!(x.rank() == 1 && x.numel() == 0)) parts.push_back(x);
  if (parts.empty()) {
    if (xs.empty()) throw ShapeError("cat: nothing to join");
    return xs[0];
  }
  if (parts.size() == 1) return parts[0];
  const Tensor& first = parts[0];
  if (first.rank() == 0) throw ShapeError("cat: rank 0 tensors cannot be joined; use stack");
  dim = wrap_dim("cat", dim, first.rank());
  DType t = first.dtype();
  int64_t total = 0;
  for (const Tensor& x : parts) {
    if (x.rank() != first.rank() || !(x.shape().with(dim, 0) == first.shape().with(dim, 0)))
      throw ShapeError({"cat: ", x.shape().str(), " does not fit ", first.shape().str(), " along dim ", dim});
    t = promote(t, x.dtype());
    total += x.dim(dim);
  }
  Tensor y = Tensor::empty(first.shape().with(dim, total), t);
  std::vector<int64_t> sizes;
  int64_t at = 0;
  for (const Tensor& x : parts) {
    y.narrow(dim, at, x.dim(dim)).copy_(x);
    at += x.dim(dim), sizes.push_back(x.dim(dim));
  }
  return record(y, "cat", parts, [dim, sizes, parts](const Tensor& g) -> Grads {
    Grads out = g.split(sizes, dim);
    for (size_t i = 0; i < out.size(); ++i) out[i] = parts[i].requires_grad() ? out[i].to(parts[i].dtype()) : Tensor();
    return out;
  });
}
Tensor stack(const std::vector<Tensor>& xs, int64_t dim) {
  if (xs.empty()) throw ShapeError("stack: nothing to join");
  dim = wrap_dim("stack", dim, xs[0].rank() + 1);
  std::vector<Tensor> parts;
  for (const Tensor& x : xs) {
    if (!(x.shape() == xs[0].shape())) throw ShapeError({"stack: ", x.shape().str(), " does not fit ", xs[0].shape().str()});
    parts.push_back(x.unsqueeze(dim));
  }
  return cat(parts, dim);
}

// The dimensions before, at and after `dim` as one each.
static Shape around(const Tensor& x, int64_t dim) {
  Shape s{1, x.shape()[dim], 1};
  for (int64_t i = 0; i < x.rank(); ++i)
    if (i != dim) s[i < dim ? 0 : 2] *= x.shape()[i];
  return s;
}
Tensor repeat(const Tensor& x, const Shape& times) {
  if (times.rank() < x.rank()) throw ShapeError({"repeat: ", times.str(), " has fewer dimensions than ", x.shape().str()});
  Tensor y = x;
  while (y.rank() < times.rank()) y = y.unsqueeze(0);
  for (int64_t d = 0; d < times.rank(); ++d) {
    if (times[d] < 0) throw ShapeError({"repeat: negative count in ", times.str()});
    if (times[d] == 1) continue;
    const Shape s = around(y, d);
    const Shape result = y.shape().with(d, s[1] * times[d]);
    y = y.reshape({s[0], 1, s[1] * s[2]}).expand({s[0], times[d], s[1] * s[2]}).reshape(result);
  }
  return y;
}
Tensor repeat_interleave(const Tensor& x, int64_t times, int64_t dim) {
  dim = wrap_dim("repeat_interleave", dim, x.rank());
  if (times < 0) throw ShapeError({"repeat_interleave: negative count ", times});
  if (times == 1) return x;
  const Shape s = around(x, dim);
  return x.reshape({s[0] * s[1], 1, s[2]}).expand({s[0] * s[1], times, s[2]}).reshape(x.shape().with(dim, s[1] * times));
}

Tensor flip(const Tensor& x, const Shape& dims) {
  Shape st = x.strides();
  int64_t offset = 0;
  for (int64_t d : dims) {
    d = wrap_dim("flip", d, x.rank());
    if (x.rank() == 0 || x.dim(d) == 0) continue;
    offset += (x.dim(d) - 1) * st[d], st[d] = -st[d];
  }
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  const Walk<1> w(x.shape(), {st});
  const int64_t step = w.step(0);
  TRANSFORMERS_SIZE_SWITCH(size_of(x.dtype()), {
    const U* p = static_cast<const U*>(x.raw()) + offset;
    U* q = static_cast<U*>(y.mutable_raw());
    w.run(kCheapGrain, [=](int64_t at, const int64_t* off, int64_t n) {
      for (int64_t i = 0; i < n; ++i) q[at + i] = p[off[0] + i * step];
    });
  })
  return record(y, "flip", {x}, [dims](const Tensor& g) -> Grads { return {flip(g, dims)}; });
}
Tensor roll(const Tensor& x, const Shape& shifts, const Shape& dims) {
  if (shifts.rank() != dims.rank()) throw ShapeError({"roll: shifts ", shifts.str(), " and dims ", dims.str(), " differ in length"});
  Tensor y = x;
  for (int64_t i = 0; i < dims.rank(); ++i) {
    const int64_t n = y.dim(dims[i]);
    const int64_t shift = n ? ((shifts[i] % n) + n) % n : 0;
    if (shift) y = cat({y.narrow(dims[i], n - shift, shift), y.narrow(dims[i], 0, n - shift)}, dims[i]);
  }
  return y;
}

Tensor unfold_dim(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
  dim = wrap_dim("unfold_dim", dim, x.rank());
  if (size < 0 || step < 1 || size > x.dim(dim)) throw ShapeError({"unfold_dim: windows of ", size, " every ", step, " do not fit dim ", dim, " of ", x.shape().str()});
  const int64_t count = (x.dim(dim) - size) / step + 1;
  Shape s = x.shape().with(dim, count), st = x.strides().with(dim, x.strides()[dim] * step);
  s.push_back(size), st.push_back(x.strides()[dim]);
  return record(x.as_strided(s, st, 0), "unfold_dim", {x}, [shape = x.shape(), dim, size, step, count](const Tensor& g) -> Grads {
    Tensor dx = Tensor::zeros(shape, g.dtype());
    for (int64_t k = 0; k < size; ++k) {  // the k-th element of every window
      Tensor part = dx.slice(dim, k, k + (count - 1) * step + 1, step);
      part.copy_(part + g.select(-1, k));
    }
    return {dx};
  });
}
Tensor diagonal(const Tensor& x, int64_t dim1, int64_t dim2) {
  dim1 = wrap_dim("diagonal", dim1, x.rank()), dim2 = wrap_dim("diagonal", dim2, x.rank());
  if (dim1 == dim2) throw ShapeError("diagonal: the two dimensions are the same");
  const auto view = [dim1, dim2](const Tensor& t) {
    Shape s, st;
    for (int64_t i = 0; i < t.rank(); ++i)
      if (i != dim1 && i != dim2) s.push_back(t.shape()[i]), st.push_back(t.strides()[i]);
    s.push_back(std::min(t.dim(dim1), t.dim(dim2))), st.push_back(t.strides()[dim1] + t.strides()[dim2]);
    return t.as_strided(s, st, 0);
  };
  return record(view(x), "diagonal", {x}, [view, shape = x.shape()](const Tensor& g) -> Grads {
    Tensor dx = Tensor::zeros(shape, g.dtype());
    view(dx).copy_(g);
    return {dx};
  });
}

}  // namespace transformers
