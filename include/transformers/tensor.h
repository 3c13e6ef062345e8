// Tensor: a handle to an n-dimensional array with shared storage, views, and an autograd tape.
// Row-major, PyTorch's conventions everywhere; strides count elements. Copies of a Tensor share data.
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "transformers/dtype.h"
#include "transformers/error.h"

namespace transformers {

/// Up to 8 dimensions, kept inline. Used for shapes, strides, axes and permutations.
class Shape {
 public:
  static constexpr int kMaxRank = 8;
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(dims.begin(), dims.size()) {}
  Shape(const std::vector<int64_t>& dims) : Shape(dims.data(), dims.size()) {}
  Shape(const int64_t* dims, size_t rank);  ///< Throws ShapeError beyond 8 dimensions.
  int64_t rank() const { return rank_; }
  size_t size() const { return static_cast<size_t>(rank_); }
  bool empty() const { return rank_ == 0; }
  int64_t& operator[](int64_t i) { return dims_[i]; }
  int64_t operator[](int64_t i) const { return dims_[i]; }
  int64_t back() const { return dims_[rank_ - 1]; }
  const int64_t* begin() const { return dims_; }
  const int64_t* end() const { return dims_ + rank_; }
  void push_back(int64_t d);
  /// Product of the dimensions (1 for rank 0). Throws ShapeError when negative or beyond 2^62.
  int64_t numel() const;
  std::string str() const;  ///< "[2, 3]"
  bool operator==(const Shape& o) const;
  Shape with(int64_t i, int64_t value) const { Shape s = *this; s.dims_[i] = value; return s; }
  std::vector<int64_t> vec() const { return {begin(), end()}; }

 private:
  int64_t dims_[kMaxRank] = {};
  int rank_ = 0;
};

class Tensor;
using Grads = std::vector<Tensor>;
/// Gradient of the output -> gradients of the inputs, in order; an undefined Tensor means none.
using BackwardFn = std::function<Grads(const Tensor& grad)>;

namespace detail { struct TensorImpl; struct Storage; }

class Tensor {
 public:
  Tensor() : impl_(nullptr) {}
  Tensor(const Tensor& o);
  Tensor(Tensor&& o) noexcept : impl_(o.impl_) { o.impl_ = nullptr; }
  Tensor& operator=(const Tensor& o);
  Tensor& operator=(Tensor&& o) noexcept;
  ~Tensor();

  // ---- making -----------------------------------------------------------------------------------------------------
  static Tensor empty(const Shape& shape, DType dtype = DType::f32);  ///< Uninitialised, 64-byte aligned.
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32);
  static Tensor full(const Shape& shape, double value, DType dtype = DType::f32);
  static Tensor scalar(double value, DType dtype = DType::f32) { return full({}, value, dtype); }
  /// Copies values; numel must fit. Throws ShapeError.
  template <class T> static Tensor from(std::span<const T> values, const Shape& shape);
  template <class T> static Tensor from(const std::vector<T>& values, const Shape& shape) { return from(std::span<const T>(values), shape); }
  template <class T> static Tensor from(const std::vector<T>& values) { return from(std::span<const T>(values), Shape{static_cast<int64_t>(values.size())}); }
  static Tensor of(std::initializer_list<float> values) { return from(std::vector<float>(values)); }
  static Tensor ids(std::initializer_list<int64_t> values) { return from(std::vector<int64_t>(values)); }
  /// Wraps memory owned by `owner` (a memory map, say) without copying. Contiguous. Treated as read-only.
  static Tensor wrap(const void* data, const Shape& shape, DType dtype, std::shared_ptr<const void> owner);

  // ---- looking ----------------------------------------------------------------------------------------------------
  bool defined() const { return impl_ != nullptr; }
  explicit operator bool() const { return defined(); }
  const Shape& shape() const;
  const Shape& strides() const;
  int64_t rank() const;
  int64_t dim(int64_t i) const;  ///< Negative counts from the end. Throws ShapeError out of range.
  int64_t numel() const;
  DType dtype() const;
  bool is_contiguous() const;
  int64_t nbytes() const { return numel() * size_of(dtype()); }
  /// First element. data<T> checks the type (DTypeError).
  const void* raw() const;
  void* mutable_raw() const;
  template <class T> const T* data() const { check_dtype(DTypeOf<T>::value); return static_cast<const T*>(raw()); }
  template <class T> T* mutable_data() const { check_dtype(DTypeOf<T>::value); return static_cast<T*>(mutable_raw()); }
  /// The one value of a one-element tensor, any dtype. Throws ShapeError otherwise.
  double item() const;
  int64_t item_int() const;
  /// All values converted, row-major.
  std::vector<float> to_floats() const;
  std::vector<int64_t> to_ints() const;
  std::string str(int64_t max_items = 32) const;  ///< For people: shape, dtype, first values.
  bool same_storage(const Tensor& o) const;

  // ---- views (share storage, differentiable) ------------------------------------------------------------------------
  /// One dimension may be -1. view throws ShapeError when strides forbid it; reshape copies then.
  Tensor view(const Shape& shape) const;
  Tensor reshape(const Shape& shape) const;
  Tensor transpose(int64_t a, int64_t b) const;
  Tensor permute(const Shape& order) const;
  Tensor t() const { return transpose(-2, -1); }
  Tensor slice(int64_t dim, int64_t begin, int64_t end, int64_t step = 1) const;  ///< Python's x[begin:end:step].
  Tensor narrow(int64_t dim, int64_t begin, int64_t length) const;                ///< Throws ShapeError out of range.
  Tensor select(int64_t dim, int64_t index) const;                                ///< x[..., index, ...]: drops dim.
  Tensor squeeze(int64_t dim) const;
  Tensor unsqueeze(int64_t dim) const;
  Tensor flatten(int64_t first = 0, int64_t last = -1) const;
  Tensor expand(const Shape& shape) const;  ///< Broadcast to shape; -1 keeps a dimension.
  /// Any strided view of the same storage (not differentiable); bounds are checked.
  Tensor as_strided(const Shape& shape, const Shape& strides, int64_t offset) const;
  std::vector<Tensor> split(int64_t size, int64_t dim = 0) const;                 ///< Pieces of `size`, the last may be less.
  std::vector<Tensor> split(const std::vector<int64_t>& sizes, int64_t dim) const;
  std::vector<Tensor> chunk(int64_t count, int64_t dim = 0) const;

  // ---- copies -------------------------------------------------------------------------------------------------------
  Tensor contiguous() const;       ///< Itself when already contiguous. Differentiable.
  Tensor clone() const;            ///< Always a copy. Differentiable.
  Tensor to(DType dtype) const;    ///< Itself when already of that type. Differentiable between float types.
  void copy_(const Tensor& src);   ///< Writes src (broadcast, converted) into this tensor's memory; not recorded.
  void fill_(double value);        ///< Not recorded.
  void zero_() { fill_(0); }

  // ---- autograd -------------------------------------------------------------------------------------------------------
  bool requires_grad() const;                    ///< A leaf that asks for it, or computed from one under grad mode.
  Tensor& set_requires_grad(bool value = true);  ///< Leaves only. Throws DTypeError unless floating.
  Tensor detach() const;                         ///< Same storage, no history.
  Tensor grad() const;                           ///< Accumulated gradient of a leaf; undefined when none.
  void set_grad(const Tensor& g);
  /// Accumulates d(this)/d(leaf) into every leaf. `seed` defaults to 1 for one-element tensors.
  void backward(const Tensor& seed = {}) const;

  detail::TensorImpl* impl() const { return impl_; }
  explicit Tensor(detail::TensorImpl* adopt) : impl_(adopt) {}

 private:
  void check_dtype(DType t) const;
  detail::TensorImpl* impl_;
};

// ---- autograd for op writers ------------------------------------------------------------------------------------------
bool grad_enabled();
/// While alive, nothing is recorded on this thread.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;

 private:
  bool before_;
};
/// Whether an op on these inputs must be recorded.
bool needs_grad(std::initializer_list<Tensor> inputs);
bool needs_grad(const std::vector<Tensor>& inputs);
Tensor attach_backward(Tensor y, const char* name, std::vector<Tensor> inputs, BackwardFn backward);
/// Records how to differentiate y; returns y untouched when no input needs it. Capture detached tensors only when they
/// are y itself (a cycle otherwise).
template <class F> Tensor record(Tensor y, const char* name, std::initializer_list<Tensor> inputs, F&& backward) {
  return needs_grad(inputs) ? attach_backward(std::move(y), name, inputs, BackwardFn(std::forward<F>(backward))) : y;
}
template <class F> Tensor record(Tensor y, const char* name, const std::vector<Tensor>& inputs, F&& backward) {
  return needs_grad(inputs) ? attach_backward(std::move(y), name, inputs, BackwardFn(std::forward<F>(backward))) : y;
}

// ---- small helpers used everywhere -----------------------------------------------------------------------------------
/// dim, negative counted from the end; throws ShapeError "op: dim 5 out of range for [2, 3]".
int64_t wrap_dim(const char* op, int64_t dim, int64_t rank);
/// Shape of the broadcast of two; throws ShapeError.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);
Shape contiguous_strides(const Shape& shape);
inline Tensor empty_like(const Tensor& x) { return Tensor::empty(x.shape(), x.dtype()); }
inline Tensor zeros_like(const Tensor& x) { return Tensor::zeros(x.shape(), x.dtype()); }
/// Sums g over the dimensions that broadcasting added, back to `shape`.
Tensor sum_to(const Tensor& g, const Shape& shape);
/// Whether anyone else holds this tensor's storage or it is recorded: if not, an op may reuse its memory.
bool may_overwrite(const Tensor& x);

/// Bytes now held by tensors, the peak since reset, and the number of allocations that went to the system.
struct MemoryStats { int64_t live_bytes, peak_bytes, system_allocations, cached_bytes; };
MemoryStats memory_stats();
void reset_peak_memory();
void empty_cache();  ///< Returns cached blocks to the system.

}  // namespace transformers
