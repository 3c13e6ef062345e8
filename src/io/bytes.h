// The bytes of a checkpoint: a mapped file, or memory that a test or a fuzzer hands in.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "transformers/tensor.h"

namespace transformers {

/// A range of memory kept alive by `owner`; `name` is the file in error messages.
struct Bytes {
  std::shared_ptr<const void> owner;
  const uint8_t* data = nullptr;
  size_t size = 0;
  std::string name;
  std::string_view text() const { return {reinterpret_cast<const char*>(data), size}; }
  /// Bytes [offset, offset + length). Throws CheckpointError when they are not all there; `what` names them.
  Bytes range(uint64_t offset, uint64_t length, const char* what) const;
};

/// Maps a file. Throws IoError.
Bytes map_bytes(const std::string& path);

/// Bytes of `shape` values of `dtype`. Throws CheckpointError when the product overflows or a size is negative.
int64_t checked_bytes(const Bytes& in, const std::string& tensor, const Shape& shape, DType dtype);

/// A tensor over the first values of `in`: a view where the alignment allows, else a copy. Booleans other than 0 and 1
/// become 1. Throws CheckpointError when `in` is too short.
Tensor tensor_over(const Bytes& in, const std::string& tensor, const Shape& shape, DType dtype);

}  // namespace transformers
