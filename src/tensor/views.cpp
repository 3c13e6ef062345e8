// Views: they share storage and are differentiable.
#include <algorithm>

#include "tensor/impl.h"

namespace transformers {
using detail::make_view;

namespace detail {
Tensor make_view(const Tensor& x, const Shape& shape, const Shape& strides, int64_t offset) {
  const TensorImpl* from = x.impl();
  auto* impl = new TensorImpl;
  impl->shape = shape;
  impl->strides = strides;
  impl->numel = shape.numel();
  impl->dtype = from->dtype;
  impl->storage = from->storage;
  retain(impl->storage);
  impl->data = static_cast<char*>(from->data) + offset * size_of(from->dtype);
  const Shape dense = contiguous_strides(shape);
  impl->contiguous = true;
  for (int64_t i = 0; i < shape.rank() && impl->numel > 0; ++i) impl->contiguous &= shape[i] == 1 || strides[i] == dense[i];
  return Tensor(impl);
}
}  // namespace detail

Tensor Tensor::detach() const {
  if (!impl_ || (!impl_->node && !impl_->requires_grad)) return *this;
  return make_view(*this, shape(), strides(), 0);
}

Tensor Tensor::as_strided(const Shape& s, const Shape& st, int64_t offset) const {
  int64_t last = offset;
  for (int64_t i = 0; i < s.rank(); ++i) {
    if (s[i] < 0 || st[i] < 0) throw ShapeError({"as_strided: negative size or stride"});
    last += s[i] > 0 ? (s[i] - 1) * st[i] : 0;
  }
  const auto* base = static_cast<const char*>(impl_->storage->data);
  const int64_t here = (static_cast<const char*>(raw()) - base) / size_of(dtype());
  if (s.numel() > 0 && (offset < 0 || (here + last + 1) * size_of(dtype()) > static_cast<int64_t>(impl_->storage->bytes)))
    throw ShapeError({"as_strided: outside of the storage"});
  return make_view(*this, s, st, offset);
}

static Shape infer(const char* op, const Shape& want, int64_t numel) {
  Shape s = want;
  int64_t known = 1, hole = -1;
  for (int64_t i = 0; i < s.rank(); ++i) {
    if (s[i] == -1 && hole < 0) hole = i;
    else if (s[i] < 0) throw ShapeError({op, ": bad shape ", want.str()});
    else known *= s[i];
  }
  if (hole >= 0 && known > 0) s[hole] = numel / known;
  if (hole >= 0 && known == 0) s[hole] = 0;
  if (s.numel() != numel) throw ShapeError({op, ": ", numel, " elements do not fit ", want.str()});
  return s;
}

// Strides of the same memory seen with another shape, or false when a copy is needed.
static bool view_strides(const Tensor& x, const Shape& shape, Shape* out) {
  *out = contiguous_strides(shape);
  if (x.is_contiguous() || x.numel() == 0) return true;
  int64_t v = shape.rank() - 1;
  int64_t chunk = 1, seen = 1, step = x.strides()[x.rank() - 1];
  for (int64_t i = x.rank() - 1; i >= 0; --i) {
    chunk *= x.shape()[i];
    const bool ends = i == 0 || (x.shape()[i - 1] != 1 && x.strides()[i - 1] != chunk * step);
    if (!ends) continue;
    while (v >= 0 && (seen < chunk || shape[v] == 1)) (*out)[v] = seen * step, seen *= shape[v], --v;
    if (seen != chunk) return false;
    if (i > 0) step = x.strides()[i - 1], chunk = seen = 1;
  }
  return v == -1;
}

static Tensor viewed(const Tensor& x, const Shape& shape, const Shape& strides) {
  return record(make_view(x, shape, strides, 0), "view", {x}, [s = x.shape()](const Tensor& g) -> Grads { return {g.reshape(s)}; });
}
Tensor Tensor::view(const Shape& want) const {
  const Shape s = infer("view", want, numel());
  Shape st;
  if (!view_strides(*this, s, &st)) throw ShapeError({"view: ", shape().str(), " is not contiguous enough for ", want.str(), "; use reshape"});
  return viewed(*this, s, st);
}
Tensor Tensor::reshape(const Shape& want) const {
  const Shape s = infer("reshape", want, numel());
  Shape st;
  if (view_strides(*this, s, &st)) return viewed(*this, s, st);
  const Tensor c = contiguous();
  return viewed(c, s, contiguous_strides(s));
}
Tensor Tensor::transpose(int64_t a, int64_t b) const {
  a = wrap_dim("transpose", a, rank()), b = wrap_dim("transpose", b, rank());
  if (a == b) return *this;
  Shape s = shape(), st = strides();
  std::swap(s[a], s[b]), std::swap(st[a], st[b]);
  return record(make_view(*this, s, st, 0), "transpose", {*this}, [a, b](const Tensor& g) -> Grads { return {g.transpose(a, b)}; });
}
Tensor Tensor::permute(const Shape& order) const {
  if (order.rank() != rank()) throw ShapeError({"permute: order ", order.str(), " for shape ", shape().str()});
  Shape s = shape(), st = strides(), inverse = order;
  bool used[Shape::kMaxRank] = {};
  for (int64_t i = 0; i < rank(); ++i) {
    const int64_t d = wrap_dim("permute", order[i], rank());
    if (used[d]) throw ShapeError({"permute: repeated dim in ", order.str()});
    used[d] = true;
    s[i] = shape()[d], st[i] = strides()[d], inverse[d] = i;
  }
  return record(make_view(*this, s, st, 0), "permute", {*this}, [inverse](const Tensor& g) -> Grads { return {g.permute(inverse)}; });
}
Tensor Tensor::slice(int64_t d, int64_t begin, int64_t end, int64_t step) const {
  d = wrap_dim("slice", d, rank());
  if (step < 1) throw ShapeError({"slice: step must be positive, got ", step});
  const int64_t n = dim(d);
  if (begin < 0) begin = std::max<int64_t>(0, begin + n);
  if (end < 0) end += n;
  begin = std::min(begin, n), end = std::clamp<int64_t>(end, begin, n);
  if (begin == 0 && end == n && step == 1) return *this;
  const Shape s = shape().with(d, (end - begin + step - 1) / step), st = strides().with(d, strides()[d] * step);
  return record(make_view(*this, s, st, begin * strides()[d]), "slice", {*this}, [d, begin, end, step, full = shape()](const Tensor& g) -> Grads {
    Tensor dx = Tensor::zeros(full, g.dtype());
    dx.slice(d, begin, end, step).copy_(g);
    return {dx};
  });
}
Tensor Tensor::narrow(int64_t d, int64_t begin, int64_t length) const {
  if (begin < 0 || length < 0 || begin + length > dim(d)) throw ShapeError({"narrow: [", begin, ", ", begin + length, ") outside of dim ", d, " of ", shape().str()});
  return slice(d, begin, begin + length);
}
Tensor Tensor::select(int64_t d, int64_t index) const {
  d = wrap_dim("select", d, rank());
  if (rank() == 0) throw ShapeError({"select: rank 0"});
  const int64_t n = dim(d), i = index < 0 ? index + n : index;
  if (i < 0 || i >= n) throw ShapeError({"select: index ", index, " out of range for dim ", d, " of ", shape().str()});
  return slice(d, i, i + 1).squeeze(d);
}
Tensor Tensor::squeeze(int64_t d) const {
  d = wrap_dim("squeeze", d, rank());
  if (rank() == 0 || dim(d) != 1) return *this;
  Shape s, st;
  for (int64_t i = 0; i < rank(); ++i)
    if (i != d) s.push_back(shape()[i]), st.push_back(strides()[i]);
  return viewed(*this, s, st);
}
Tensor Tensor::unsqueeze(int64_t d) const {
  d = wrap_dim("unsqueeze", d, rank() + 1);
  Shape s, st;
  for (int64_t i = 0; i <= rank(); ++i) {
    if (i == d) s.push_back(1), st.push_back(i < rank() ? strides()[i] * shape()[i] : 1);
    if (i < rank()) s.push_back(shape()[i]), st.push_back(strides()[i]);
  }
  return viewed(*this, s, st);
}
Tensor Tensor::flatten(int64_t first, int64_t last) const {
  if (rank() == 0) return reshape({1});
  first = wrap_dim("flatten", first, rank()), last = wrap_dim("flatten", last, rank());
  Shape s;
  int64_t merged = 1;
  for (int64_t i = 0; i < rank(); ++i) {
    if (i < first || i > last) s.push_back(shape()[i]);
    else if (merged *= shape()[i]; i == last) s.push_back(merged);
  }
  return reshape(s);
}
Tensor Tensor::expand(const Shape& want) const {
  Shape s = want, st = want;
  const int64_t extra = want.rank() - rank();
  if (extra < 0) throw ShapeError({"expand: ", shape().str(), " to fewer dimensions ", want.str()});
  for (int64_t i = 0; i < want.rank(); ++i) {
    const int64_t have = i < extra ? 1 : shape()[i - extra];
    if (s[i] == -1) s[i] = have;
    if (have != s[i] && have != 1) throw ShapeError({"expand: ", shape().str(), " does not broadcast to ", want.str()});
    st[i] = i >= extra && have == s[i] ? strides()[i - extra] : 0;
  }
  if (s == shape()) return *this;
  return record(make_view(*this, s, st, 0), "expand", {*this}, [from = shape()](const Tensor& g) -> Grads { return {sum_to(g, from)}; });
}
std::vector<Tensor> Tensor::split(const std::vector<int64_t>& sizes, int64_t d) const {
  d = wrap_dim("split", d, rank());
  std::vector<Tensor> out;
  int64_t at = 0;
  for (int64_t n : sizes) out.push_back(narrow(d, at, n)), at += n;
  if (at != dim(d)) throw ShapeError({"split: sizes add up to ", at, ", the dimension is ", dim(d)});
  return out;
}
std::vector<Tensor> Tensor::split(int64_t size, int64_t d) const {
  if (size < 1) throw ShapeError({"split: size must be positive"});
  std::vector<Tensor> out;
  for (int64_t at = 0; at < dim(d); at += size) out.push_back(slice(d, at, std::min(at + size, dim(d))));
  return out;
}
std::vector<Tensor> Tensor::chunk(int64_t count, int64_t d) const { return split((dim(d) + count - 1) / count, d); }

}  // namespace transformers
