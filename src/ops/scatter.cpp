// Writing and adding at indices: always into a copy.
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/iterate.h"

namespace transformers {
using namespace detail;
namespace {

Tensor check(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor* src) {
  if (index.rank() != x.rank()) throw ShapeError({op, ": index ", index.shape().str(), " and x ", x.shape().str(), " differ in rank"});
  for (int64_t i = 0; i < x.rank(); ++i) {
    if (i != dim && index.shape()[i] > x.shape()[i]) throw ShapeError({op, ": index ", index.shape().str(), " is larger than x ", x.shape().str()});
    if (src && (src->rank() != x.rank() || index.shape()[i] > src->shape()[i])) throw ShapeError({op, ": index ", index.shape().str(), " is larger than src ", src->shape().str()});
  }
  Tensor at = as_index(op, index);
  const int64_t n = x.rank() ? x.dim(dim) : 1;
  for (int64_t i = 0; i < at.numel(); ++i)
    if (const int64_t k = at.data<int64_t>()[i]; k < 0 || k >= n) throw ShapeError({op, ": index ", k, " is out of range for size ", n});
  return at;
}

// f(offset in y, offset in src) for every element of index, in order.
template <class F> void visit(const Tensor& y, int64_t dim, const Tensor& at, const Shape& src_strides, F f) {
  const int64_t stride = y.rank() ? y.strides()[dim] : 0;
  const Walk<2> w(at.shape(), {y.rank() ? y.strides().with(dim, 0) : y.strides(), src_strides});
  const int64_t sy = w.step(0), ss = w.step(1);
  const int64_t* p = at.data<int64_t>();
  w.run(w.total, [=](int64_t o, const int64_t* off, int64_t n) {  // one thread: places may repeat
    for (int64_t i = 0; i < n; ++i) f(off[0] + i * sy + p[o + i] * stride, off[1] + i * ss);
  });
}

// Copy of x with src written at index. src is of x's type; broadcasts when all its strides are 0.
Tensor written(const Tensor& x, int64_t dim, const Tensor& at, const Tensor& src, const Shape& src_strides) {
  Tensor y = x.detach().contiguous().clone();
  TRANSFORMERS_SIZE_SWITCH(size_of(x.dtype()), {
    const U* from = static_cast<const U*>(src.raw());
    U* to = static_cast<U*>(y.mutable_raw());
    visit(y, dim, at, src_strides, [=](int64_t i, int64_t k) { to[i] = from[k]; });
  })
  return y;
}
Tensor without(const Tensor& g, int64_t dim, const Tensor& at) {
  const Tensor zero = Tensor::full({}, 0, g.dtype());
  return written(g, dim, at, zero, strides_in(zero, at.shape()));
}
// The gradient of src: picked from g, zero where index does not reach.
Tensor to_source(const Tensor& g, int64_t dim, const Tensor& at, const Tensor& src) {
  const Tensor picked = gather(g, dim, at).to(src.dtype());
  if (picked.shape() == src.shape()) return picked;
  Shape pads;
  for (int64_t d = src.rank() - 1; d >= 0; --d) pads.push_back(0), pads.push_back(src.dim(d) - picked.dim(d));
  return pad(picked, pads);
}

}  // namespace

Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  dim = wrap_dim("scatter", dim, x.rank());
  const Tensor at = check("scatter", x, dim, index, &src), s = src.detach().to(x.dtype());
  return record(written(x, dim, at, s, s.strides()), "scatter", {x, src}, [x, src, dim, at](const Tensor& g) -> Grads {
    return {x.requires_grad() ? without(g, dim, at) : Tensor(), src.requires_grad() ? to_source(g, dim, at, src) : Tensor()};
  });
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, double value) {
  dim = wrap_dim("scatter", dim, x.rank());
  const Tensor at = check("scatter", x, dim, index, nullptr), s = Tensor::full({}, value, x.dtype());
  return record(written(x, dim, at, s, strides_in(s, at.shape())), "scatter", {x}, [dim, at](const Tensor& g) -> Grads {
    return {without(g, dim, at)};
  });
}
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  dim = wrap_dim("scatter_add", dim, x.rank());
  const Tensor at = check("scatter_add", x, dim, index, &src);
  const DType t = is_floating(x.dtype()) ? wide(x.dtype()) : DType::i64;
  const Tensor s = src.detach().to(t);
  Tensor y = x.detach().to(t).contiguous().clone();
  TRANSFORMERS_NUMBER_SWITCH("scatter_add", t, {
    const T* from = s.data<T>();
    T* to = y.mutable_data<T>();
    visit(y, dim, at, s.strides(), [=](int64_t i, int64_t k) { to[i] = store<T>(load(to[i]) + load(from[k])); });
  })
  return record(y.to(x.dtype()), "scatter_add", {x, src}, [x, src, dim, at](const Tensor& g) -> Grads {
    return {x.requires_grad() ? g : Tensor(), src.requires_grad() ? to_source(g, dim, at, src) : Tensor()};
  });
}
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  dim = wrap_dim("index_add", dim, x.rank());
  if (x.rank() == 0 || index.rank() > 1 || !(src.shape() == x.shape().with(dim, index.numel())))
    throw ShapeError({"index_add: index ", index.shape().str(), " and src ", src.shape().str(), " do not fit x ", x.shape().str()});
  Shape view = x.shape();
  for (int64_t i = 0; i < x.rank(); ++i) view[i] = i == dim ? index.numel() : 1;
  return scatter_add(x, dim, index.reshape(view).expand(src.shape()), src);
}

Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t begin, int64_t end) {
  dim = wrap_dim("slice_scatter", dim, x.rank());
  Tensor y = x.detach().contiguous().clone();
  Tensor part = y.slice(dim, begin, end);
  if (!(part.shape() == src.shape())) throw ShapeError({"slice_scatter: src ", src.shape().str(), " does not fit the slice ", part.shape().str()});
  part.copy_(src);
  return record(y, "slice_scatter", {x, src}, [x, src, dim, begin, end](const Tensor& g) -> Grads {
    Tensor gx;
    if (x.requires_grad()) gx = g.clone(), gx.slice(dim, begin, end).zero_();
    return {gx, src.requires_grad() ? g.slice(dim, begin, end).to(src.dtype()) : Tensor()};
  });
}

}  // namespace transformers
