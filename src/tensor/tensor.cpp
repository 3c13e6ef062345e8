// Tensor handles: making, looking, copying between dtypes and strides, printing.
#include "transformers/tensor.h"

#include <cstdio>
#include <cstring>

#include "base/parallel.h"
#include "tensor/impl.h"

namespace transformers {
using detail::TensorImpl;

Shape::Shape(const int64_t* dims, size_t rank) : rank_(static_cast<int>(rank)) {
  if (rank > kMaxRank) throw ShapeError({"a tensor has at most 8 dimensions, got ", static_cast<uint64_t>(rank)});
  for (size_t i = 0; i < rank; ++i) dims_[i] = dims[i];
}
void Shape::push_back(int64_t d) {
  if (rank_ == kMaxRank) throw ShapeError({"a tensor has at most 8 dimensions"});
  dims_[rank_++] = d;
}
int64_t Shape::numel() const {
  int64_t n = 1;
  bool empty = false;
  for (int64_t d : *this) {
    if (d < 0) throw ShapeError({"negative dimension in ", str()});
    if (d == 0) empty = true;
    else if (__builtin_mul_overflow(n, d, &n) || n > (int64_t{1} << 62)) throw ShapeError({"shape ", str(), " is too large"});
  }
  return empty ? 0 : n;
}
std::string Shape::str() const {
  std::string s = "[";
  for (int i = 0; i < rank_; ++i) s += (i ? ", " : "") + std::to_string(dims_[i]);
  return s + "]";
}
bool Shape::operator==(const Shape& o) const {
  if (rank_ != o.rank_) return false;
  for (int i = 0; i < rank_; ++i)
    if (dims_[i] != o.dims_[i]) return false;
  return true;
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = shape;
  int64_t step = 1;
  for (int64_t i = shape.rank() - 1; i >= 0; --i) strides[i] = step, step *= shape[i] > 0 ? shape[i] : 1;
  return strides;
}

// ---- lifetime -----------------------------------------------------------------------------------------------------
static void destroy(TensorImpl* impl) {
  // Long graphs would recurse through node -> inputs -> node; unlink them iteratively instead.
  thread_local std::vector<TensorImpl*>* pending = nullptr;
  if (pending) { pending->push_back(impl); return; }
  std::vector<TensorImpl*> list{impl};
  pending = &list;
  while (!list.empty()) {
    TensorImpl* next = list.back();
    list.pop_back();
    detail::release(next->storage);
    delete next;
  }
  pending = nullptr;
}
static void retain(TensorImpl* p) {
  if (p) p->refs.fetch_add(1, std::memory_order_relaxed);
}
static void release(TensorImpl* p) {
  if (p && p->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(p);
}
Tensor::Tensor(const Tensor& o) : impl_(o.impl_) { retain(impl_); }
Tensor& Tensor::operator=(const Tensor& o) {
  retain(o.impl_);
  release(impl_);
  impl_ = o.impl_;
  return *this;
}
Tensor& Tensor::operator=(Tensor&& o) noexcept {
  std::swap(impl_, o.impl_);
  return *this;
}
Tensor::~Tensor() { release(impl_); }

// ---- making -------------------------------------------------------------------------------------------------------
Tensor Tensor::empty(const Shape& shape, DType dtype) {
  const int64_t n = shape.numel();
  if (n > (int64_t{1} << 46) / size_of(dtype)) throw ShapeError({"tensor ", shape.str(), " is too large"});
  auto* impl = new TensorImpl;
  Tensor out(impl);
  impl->shape = shape;
  impl->strides = contiguous_strides(shape);
  impl->numel = n;
  impl->dtype = dtype;
  try {
    impl->storage = detail::new_storage(static_cast<size_t>(n * size_of(dtype)));
  } catch (...) {
    out.impl_ = nullptr;
    delete impl;
    throw;
  }
  impl->data = impl->storage->data;
  return out;
}
Tensor Tensor::zeros(const Shape& shape, DType dtype) {
  Tensor t = empty(shape, dtype);
  std::memset(t.mutable_raw(), 0, static_cast<size_t>(t.nbytes()));
  return t;
}
Tensor Tensor::full(const Shape& shape, double value, DType dtype) {
  Tensor t = empty(shape, dtype);
  t.fill_(value);
  return t;
}
template <class T> Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  Tensor t = empty(shape, DTypeOf<T>::value);
  if (t.numel() != static_cast<int64_t>(values.size())) throw ShapeError({"from: ", static_cast<uint64_t>(values.size()), " values do not fill ", shape.str()});
  if (!values.empty()) std::memcpy(t.mutable_raw(), values.data(), values.size_bytes());
  return t;
}
template Tensor Tensor::from(std::span<const double>, const Shape&);
template Tensor Tensor::from(std::span<const float>, const Shape&);
template Tensor Tensor::from(std::span<const int64_t>, const Shape&);
template Tensor Tensor::from(std::span<const int32_t>, const Shape&);
template Tensor Tensor::from(std::span<const int16_t>, const Shape&);
template Tensor Tensor::from(std::span<const int8_t>, const Shape&);
template Tensor Tensor::from(std::span<const uint8_t>, const Shape&);

Tensor Tensor::wrap(const void* data, const Shape& shape, DType dtype, std::shared_ptr<const void> owner) {
  auto* impl = new TensorImpl;
  impl->storage = new detail::Storage;
  impl->shape = shape;
  impl->strides = contiguous_strides(shape);
  impl->numel = shape.numel();
  impl->dtype = dtype;
  impl->storage->data = impl->data = const_cast<void*>(data);
  impl->storage->bytes = static_cast<size_t>(impl->numel * size_of(dtype));
  impl->storage->owner = owner ? std::move(owner) : std::shared_ptr<const void>(data, [](const void*) {});
  return Tensor(impl);
}

// ---- looking ------------------------------------------------------------------------------------------------------
static const TensorImpl& get(const TensorImpl* p) {
  if (!p) throw Error("use of an undefined tensor");
  return *p;
}
const Shape& Tensor::shape() const { return get(impl_).shape; }
const Shape& Tensor::strides() const { return get(impl_).strides; }
int64_t Tensor::rank() const { return get(impl_).shape.rank(); }
int64_t Tensor::dim(int64_t i) const { return shape()[wrap_dim("dim", i, rank())]; }
int64_t Tensor::numel() const { return get(impl_).numel; }
DType Tensor::dtype() const { return get(impl_).dtype; }
bool Tensor::is_contiguous() const { return get(impl_).contiguous; }
const void* Tensor::raw() const { return get(impl_).data; }
void* Tensor::mutable_raw() const { return get(impl_).data; }
void Tensor::check_dtype(DType t) const {
  if (dtype() != t) throw DTypeError({"data: tensor is ", name_of(dtype()), ", asked for ", name_of(t)});
}
bool Tensor::same_storage(const Tensor& o) const { return impl_ && o.impl_ && impl_->storage == o.impl_->storage; }
bool may_overwrite(const Tensor& x) {
  const TensorImpl* p = x.impl();
  return p && p->refs.load() == 1 && p->storage->refs.load() == 1 && !p->storage->owner && !p->node && !p->requires_grad;
}

double Tensor::item() const {
  if (numel() != 1) throw ShapeError({"item: needs one element, got shape ", shape().str()});
  double v = 0;
  TRANSFORMERS_ALL_SWITCH("item", dtype(), v = static_cast<double>(*static_cast<const T*>(raw())))
  return v;
}
int64_t Tensor::item_int() const {
  if (numel() == 1 && dtype() == DType::i64) return *data<int64_t>();
  return static_cast<int64_t>(item());
}
std::vector<float> Tensor::to_floats() const {
  const Tensor c = detach().to(DType::f32).contiguous();
  return {c.data<float>(), c.data<float>() + c.numel()};
}
std::vector<int64_t> Tensor::to_ints() const {
  const Tensor c = detach().to(DType::i64).contiguous();
  return {c.data<int64_t>(), c.data<int64_t>() + c.numel()};
}
std::string Tensor::str(int64_t max_items) const {
  if (!defined()) return "tensor(undefined)";
  std::string s = "tensor(" + shape().str() + ", " + name_of(dtype()) + ", ";
  const Tensor flat = detach().contiguous().to(DType::f64).contiguous();
  for (int64_t i = 0; i < flat.numel() && i < max_items; ++i) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%s%.6g", i ? ", " : "[", flat.data<double>()[i]);
    s += buffer;
  }
  return s + (flat.numel() == 0 ? "[" : flat.numel() > max_items ? ", ..." : "") + "])";
}

int64_t wrap_dim(const char* op, int64_t dim, int64_t rank) {
  const int64_t range = rank > 0 ? rank : 1;
  if (dim < -range || dim >= range) throw ShapeError({op, ": dim ", dim, " out of range for rank ", rank});
  return dim < 0 ? dim + range : dim;
}
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  const int64_t rank = a.rank() > b.rank() ? a.rank() : b.rank();
  Shape out;
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t ia = i - (rank - a.rank()), ib = i - (rank - b.rank());
    const int64_t x = ia < 0 ? 1 : a[ia], y = ib < 0 ? 1 : b[ib];
    if (x != y && x != 1 && y != 1) throw ShapeError({op, ": shapes ", a.str(), " and ", b.str(), " do not broadcast"});
    out.push_back(x == 1 ? y : x);
  }
  return out;
}

}  // namespace transformers
