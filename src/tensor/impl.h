// Private parts of Tensor: storage, implementation and grad node.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "transformers/tensor.h"

namespace transformers::detail {

/// A block of memory shared by views. Owned by the caching allocator, or by `owner` (a memory map).
struct Storage {
  std::atomic<int> refs{1};
  void* data = nullptr;
  size_t bytes = 0;
  std::shared_ptr<const void> owner;
};

struct GradNode {
  const char* name;
  std::vector<Tensor> inputs;
  BackwardFn backward;
};

struct TensorImpl {
  std::atomic<int> refs{1};
  Storage* storage = nullptr;
  void* data = nullptr;  // storage->data + offset
  Shape shape, strides;
  int64_t numel = 0;
  DType dtype = DType::f32;
  bool contiguous = true;
  bool requires_grad = false;  // leaves only
  std::unique_ptr<GradNode> node;
  Tensor grad;
};

Storage* new_storage(size_t bytes);
void retain(Storage* s);
void release(Storage* s);
/// Whether the memory belongs to somebody else (a mapped file): it never changes.
inline bool is_wrapped(const Tensor& x) { return x.impl()->storage->owner != nullptr; }
/// A view sharing x's storage; offset in elements from x's first element. Bounds are the caller's business.
Tensor make_view(const Tensor& x, const Shape& shape, const Shape& strides, int64_t offset);

}  // namespace transformers::detail
