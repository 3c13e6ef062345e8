// A matrix [out, in] in the form in which it is kept.
#pragma once
#include <mutex>

#include "ops/blocks.h"
#include "ops/packed.h"
#include "transformers/tensor.h"

namespace transformers {

/// Exactly one of `dense` and `blocks` is set. Dense weights of GPT-2's Conv1D are stored transposed, [in, out].
struct Weight {
  Tensor dense;
  bool transposed = false;
  std::shared_ptr<const BlockMatrix> blocks;
  int64_t out() const { return blocks ? block_matrix_shape(*blocks)[0] : dense.dim(transposed ? 1 : 0); }
  int64_t in() const { return blocks ? block_matrix_shape(*blocks)[1] : dense.dim(transposed ? 0 : 1); }
  Tensor linear(const Tensor& x, const Tensor& bias) const;         ///< [..., in] -> [..., out]
  Tensor rows(const Tensor& ids, int64_t padding_idx) const;        ///< ids [...] -> [..., in]
  /// The packed form of a dense weight that lies in a mapped file and so never changes; nullptr for others. Built once.
  std::shared_ptr<const PackedWeight> packed() const;
  Tensor values() const;                                            ///< [out, in] dense, dequantized if need be.

 private:
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const PackedWeight> packed_;
  mutable const void* packed_from_ = nullptr;  // the tensor it was made from: resizing or pruning puts another in its place
};

}  // namespace transformers
