// Picking elements and rows by index; the gradient adds into the picked places.
#include <cstring>

#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/iterate.h"

namespace transformers {
using namespace detail;

Tensor detail::as_index(const char* op, const Tensor& index) {
  if (index.dtype() == DType::i64) return index.detach().contiguous();
  if (is_floating(index.dtype()) || index.dtype() == DType::boolean) throw DTypeError({op, ": the index must hold int64, got ", name_of(index.dtype())});
  return index.to(DType::i64).contiguous();
}

namespace {

// Indices within [-n, n) brought to [0, n).
Tensor checked(const char* op, const Tensor& index, int64_t n, bool negative = true) {
  Tensor c = as_index(op, index);
  const int64_t* p = c.data<int64_t>();
  bool any_negative = false;
  for (int64_t i = 0; i < c.numel(); ++i) {
    if (p[i] >= n || p[i] < (negative ? -n : 0)) throw ShapeError({op, ": index ", p[i], " is out of range for size ", n});
    any_negative |= p[i] < 0;
  }
  if (!any_negative) return c;
  Tensor y = empty_like(c);
  for (int64_t i = 0; i < c.numel(); ++i) y.mutable_data<int64_t>()[i] = p[i] < 0 ? p[i] + n : p[i];
  return y;
}

// Copies rows of `width` bytes: y[i] = x[index[i]].
void pick_rows(const char* x, const int64_t* index, char* y, int64_t count, int64_t width) {
  parallel_for(count, std::max<int64_t>(1, 65536 / std::max<int64_t>(1, width)), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::memcpy(y + i * width, x + index[i] * width, static_cast<size_t>(width));
  });
}
// table [n, width] += rows of src [count, width] at index; 16-bit floats add in float. Rows at `skip` are left out.
Tensor add_rows(const Tensor& src, const Tensor& index, int64_t n, int64_t width, int64_t skip = -1) {
  const Tensor s = src.to(wide(src.dtype())).contiguous();
  Tensor table = Tensor::zeros({n, width}, s.dtype());
  const int64_t *at = index.data<int64_t>(), count = index.numel();
  TRANSFORMERS_FLOAT_SWITCH("index", s.dtype(), {
    const T* p = s.data<T>();
    T* t = table.mutable_data<T>();
    for (int64_t i = 0; i < count; ++i) {
      if (at[i] == skip) continue;
      T* row = t + at[i] * width;
      for (int64_t k = 0; k < width; ++k) row[k] = store<T>(load(row[k]) + load(p[i * width + k]));
    }
  })
  return table.to(src.dtype());
}

// x seen as [outer, n, inner] around dim.
struct Around {
  int64_t outer = 1, n, inner = 1;
  Around(const Shape& s, int64_t dim) : n(s[dim]) {
    for (int64_t i = 0; i < s.rank(); ++i)
      if (i != dim) (i < dim ? outer : inner) *= s[i];
  }
};

}  // namespace

Tensor embedding(const Tensor& ids, const Tensor& table, int64_t padding_idx) {
  if (table.rank() != 2) throw ShapeError({"embedding: the table must have 2 dimensions, got ", table.shape().str()});
  const Tensor index = checked("embedding", ids, table.dim(0), false);
  Shape s = ids.shape();
  s.push_back(table.dim(1));
  Tensor y = Tensor::empty(s, table.dtype());
  const Tensor t = table.detach().contiguous();
  pick_rows(static_cast<const char*>(t.raw()), index.data<int64_t>(), static_cast<char*>(y.mutable_raw()), index.numel(), table.dim(1) * size_of(table.dtype()));
  return record(y, "embedding", {table}, [index, n = table.dim(0), width = table.dim(1), padding_idx](const Tensor& g) -> Grads {
    return {add_rows(g, index, n, width, padding_idx < 0 ? padding_idx + (padding_idx < -1 ? n : 0) : padding_idx)};
  });
}

Tensor index_rows(const Tensor& x, const Tensor& index) {
  if (x.rank() == 0) throw ShapeError("index_rows: rank 0");
  const Tensor at = checked("index_rows", index, x.dim(0));
  const int64_t n = x.dim(0), width = n ? x.numel() / n : 0;
  Shape s = index.shape();
  for (int64_t i = 1; i < x.rank(); ++i) s.push_back(x.shape()[i]);
  Tensor y = Tensor::empty(s, x.dtype());
  const Tensor c = x.detach().contiguous();
  pick_rows(static_cast<const char*>(c.raw()), at.data<int64_t>(), static_cast<char*>(y.mutable_raw()), at.numel(), width * size_of(x.dtype()));
  return record(y, "index_rows", {x}, [at, n, width, shape = x.shape()](const Tensor& g) -> Grads {
    return {add_rows(g, at, n, width).reshape(shape)};
  });
}

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  if (index.rank() > 1) throw ShapeError({"index_select: the index must have one dimension, got ", index.shape().str()});
  dim = wrap_dim("index_select", dim, x.rank());
  if (dim == 0 && x.rank() > 0) return index_rows(x, index.reshape({-1}));
  const Tensor c = x.detach().contiguous(), at = checked("index_select", index, x.dim(dim));
  const Around a(x.shape(), dim);
  const int64_t count = at.numel();
  Tensor y = Tensor::empty(x.shape().with(dim, count), x.dtype());
  const int64_t width = a.inner * size_of(x.dtype());
  const char* from = static_cast<const char*>(c.raw());
  char* to = static_cast<char*>(y.mutable_raw());
  const int64_t* p = at.data<int64_t>();
  parallel_for(a.outer, std::max<int64_t>(1, 65536 / std::max<int64_t>(1, width * count)), [=](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o)
      for (int64_t i = 0; i < count; ++i)
        std::memcpy(to + (o * count + i) * width, from + (o * a.n + p[i]) * width, static_cast<size_t>(width));
  });
  return record(y, "index_select", {x}, [x, dim, at](const Tensor& g) -> Grads { return {index_add(zeros_like(x), dim, at, g)}; });
}

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  dim = wrap_dim("gather", dim, x.rank());
  if (index.rank() != x.rank()) throw ShapeError({"gather: index ", index.shape().str(), " and x ", x.shape().str(), " differ in rank"});
  for (int64_t i = 0; i < x.rank(); ++i)
    if (i != dim && index.shape()[i] > x.shape()[i]) throw ShapeError({"gather: index ", index.shape().str(), " is larger than x ", x.shape().str()});
  const Tensor at = checked("gather", index, x.rank() ? x.dim(dim) : 1, false);
  const Tensor base = x.detach();
  Tensor y = Tensor::empty(index.shape(), x.dtype());
  // x as if `dim` had stride 0: the walk gives where each picked line starts.
  const int64_t stride = x.rank() ? x.strides()[dim] : 0;
  const Walk<1> w(index.shape(), {x.rank() ? x.strides().with(dim, 0) : x.strides()});
  const int64_t step = w.step(0);
  const int64_t* p = at.data<int64_t>();
  TRANSFORMERS_SIZE_SWITCH(size_of(x.dtype()), {
    const U* from = static_cast<const U*>(base.raw());
    U* to = static_cast<U*>(y.mutable_raw());
    w.run(kCheapGrain, [=](int64_t o, const int64_t* off, int64_t n) {
      for (int64_t i = 0; i < n; ++i) to[o + i] = from[off[0] + i * step + p[o + i] * stride];
    });
  })
  return record(y, "gather", {x}, [x, dim, at](const Tensor& g) -> Grads { return {scatter_add(zeros_like(x), dim, at, g)}; });
}
Tensor take_along_dim(const Tensor& x, const Tensor& index, int64_t dim) {
  if (index.rank() != x.rank()) throw ShapeError({"take_along_dim: index ", index.shape().str(), " and x ", x.shape().str(), " differ in rank"});
  dim = wrap_dim("take_along_dim", dim, x.rank());
  if (x.rank() == 0) return gather(x, dim, index);
  const Shape both = broadcast_shapes("take_along_dim", x.shape().with(dim, 1), index.shape().with(dim, 1));
  return gather(x.expand(both.with(dim, x.dim(dim))), dim, index.expand(both.with(dim, index.dim(dim))));
}

Tensor index_put_get(const Tensor& x, const std::vector<Tensor>& indices) {
  if (indices.empty() || static_cast<int64_t>(indices.size()) > x.rank()) throw ShapeError({"index_put_get: ", static_cast<uint64_t>(indices.size()), " indices for ", x.shape().str()});
  Tensor flat;  // position in the flattened leading dimensions
  int64_t leading = 1;
  for (size_t i = 0; i < indices.size(); ++i) {
    const int64_t n = x.shape()[static_cast<int64_t>(i)];
    const Tensor at = checked("index_put_get", indices[i], n).reshape(indices[i].shape());
    flat = i ? flat * static_cast<double>(n) + at : at;
    leading *= n;
  }
  Shape s{leading};
  for (int64_t i = static_cast<int64_t>(indices.size()); i < x.rank(); ++i) s.push_back(x.shape()[i]);
  return index_rows(x.reshape(s), flat);
}

namespace {
// Positions of the true elements of a mask over the leading dims of x; x as [positions, width].
Tensor true_rows(const char* op, const Tensor& x, const Tensor& mask) {
  if (mask.rank() > x.rank()) throw ShapeError({op, ": mask ", mask.shape().str(), " for ", x.shape().str()});
  for (int64_t i = 0; i < mask.rank(); ++i)
    if (mask.shape()[i] != x.shape()[i]) throw ShapeError({op, ": mask ", mask.shape().str(), " does not fit the first dimensions of ", x.shape().str()});
  return nonzero(mask.reshape({-1})).reshape({-1});
}
Shape as_rows(const Tensor& x, const Tensor& mask) {
  Shape s{mask.numel()};
  for (int64_t i = mask.rank(); i < x.rank(); ++i) s.push_back(x.shape()[i]);
  return s;
}
}  // namespace

Tensor masked_select_rows(const Tensor& x, const Tensor& mask) {
  const Tensor rows = true_rows("masked_select_rows", x, mask);
  return index_rows(x.reshape(as_rows(x, mask)), rows);
}
Tensor masked_scatter_rows(const Tensor& x, const Tensor& mask, const Tensor& src) {
  const Tensor rows = true_rows("masked_scatter_rows", x, mask);
  int64_t width = 1;
  for (int64_t i = mask.rank(); i < x.rank(); ++i) width *= x.shape()[i];
  if (src.numel() < rows.numel() * width) throw ShapeError({"masked_scatter_rows: ", rows.numel(), " rows are masked, src is ", src.shape().str()});
  const Tensor s = src.detach().to(x.dtype()).contiguous();
  Tensor y = x.detach().contiguous().clone();
  const int64_t bytes = width * size_of(x.dtype());
  for (int64_t i = 0; i < rows.numel(); ++i)
    std::memcpy(static_cast<char*>(y.mutable_raw()) + rows.data<int64_t>()[i] * bytes, static_cast<const char*>(s.raw()) + i * bytes, static_cast<size_t>(bytes));
  return record(y, "masked_scatter_rows", {x, src}, [x, src, mask = mask.detach(), width, rows](const Tensor& g) -> Grads {
    Tensor gx, gs;
    if (x.requires_grad()) {
      Tensor m = mask;
      while (m.rank() < x.rank()) m = m.unsqueeze(-1);
      gx = masked_fill(g, m, 0);
    }
    if (src.requires_grad()) {
      const Tensor picked = masked_select_rows(g, mask).reshape({-1}).to(src.dtype());
      gs = src.numel() == picked.numel() ? picked.reshape(src.shape()) : pad(picked, {0, src.numel() - picked.numel()}).reshape(src.shape());
    }
    return {gx, gs};
  });
}

}  // namespace transformers
