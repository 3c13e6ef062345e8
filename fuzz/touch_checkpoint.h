// What the fuzzers of checkpoint formats share: load, read every value, accept typed errors only.
#pragma once
#include <cstdlib>
#include <cstring>

#include "io/bytes.h"
#include "io/state_dict.h"
#include "transformers/error.h"

namespace transformers {

/// Reads all values of all tensors, through their strides.
inline void touch(const StateDict& s) {
  for (const auto& [name, t] : s.tensors) {
    const Tensor x = (t.block_type ? t.blocks : t.tensor).contiguous();
    volatile uint8_t sink = 0;
    for (int64_t i = 0; i < x.nbytes(); ++i) sink = static_cast<uint8_t>(sink + static_cast<const uint8_t*>(x.raw())[i]);
  }
}

/// Runs `load` on a heap copy of the input, so that a read behind its end is seen.
template <class F> int touch_checkpoint(const uint8_t* data, size_t size, F&& load) {
  uint8_t* copy = static_cast<uint8_t*>(std::malloc(size > 0 ? size : 1));
  if (size > 0) std::memcpy(copy, data, size);
  const std::shared_ptr<const void> owner(copy, [](const void* p) { std::free(const_cast<void*>(p)); });
  try {
    touch(load(Bytes{owner, copy, size, "input"}));
  } catch (const Error&) {
  }
  return 0;
}

}  // namespace transformers
