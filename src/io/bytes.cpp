// Ranges of mapped checkpoint files, and tensors over them.
#include "io/bytes.h"

#include <algorithm>
#include <cstring>

#include "base/file.h"

namespace transformers {

Bytes Bytes::range(uint64_t offset, uint64_t length, const char* what) const {
  if (offset > size || length > size - offset)
    throw CheckpointError({name, ": expected ", what, " of ", length, " bytes at ", offset, ", got a file of ", static_cast<uint64_t>(size), " bytes; is it cut off?"});
  return {owner, data + offset, static_cast<size_t>(length), name};
}

Bytes map_bytes(const std::string& path) {
  auto file = std::make_shared<const MappedFile>(path);
  return {file, file->data(), file->size(), path};
}

int64_t checked_bytes(const Bytes& in, const std::string& tensor, const Shape& shape, DType dtype) {
  int64_t numel = 0;
  try {
    numel = shape.numel();
  } catch (const ShapeError& e) {
    throw CheckpointError({in.name, ": tensor \"", tensor, "\": ", e.what()});
  }
  if (numel > (int64_t{1} << 60) / size_of(dtype)) throw CheckpointError({in.name, ": tensor \"", tensor, "\": shape ", shape.str(), " is too large"});
  return numel * size_of(dtype);
}

Tensor tensor_over(const Bytes& in, const std::string& tensor, const Shape& shape, DType dtype) {
  const int64_t bytes = checked_bytes(in, tensor, shape, dtype);
  if (static_cast<uint64_t>(bytes) > in.size)
    throw CheckpointError({in.name, ": tensor \"", tensor, "\" ", shape.str(), ": expected ", bytes, " bytes, got ", static_cast<uint64_t>(in.size)});
  const bool aligned = reinterpret_cast<uintptr_t>(in.data) % static_cast<uintptr_t>(size_of(dtype)) == 0;
  const bool clean = dtype != DType::boolean || std::all_of(in.data, in.data + bytes, [](uint8_t b) { return b <= 1; });
  if (bytes > 0 && aligned && clean) return Tensor::wrap(in.data, shape, dtype, in.owner);
  Tensor copy = Tensor::empty(shape, dtype);
  uint8_t* out = static_cast<uint8_t*>(copy.mutable_raw());
  if (bytes > 0) std::memcpy(out, in.data, static_cast<size_t>(bytes));
  if (!clean)
    for (int64_t i = 0; i < bytes; ++i) out[i] = out[i] != 0;
  return copy;
}

}  // namespace transformers
