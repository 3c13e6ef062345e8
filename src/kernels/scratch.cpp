// Thread-local growing buffers.
#include "kernels/scratch.h"

#include <cstdlib>
#include <new>

namespace transformers::kernels {
namespace {
struct Buffers {
  void* data[static_cast<int>(Scratch::count)] = {};
  int64_t bytes[static_cast<int>(Scratch::count)] = {};
  ~Buffers() {
    for (void* p : data) std::free(p);
  }
};
}  // namespace

void* scratch(Scratch use, int64_t bytes) {
  thread_local Buffers buffers;
  const int i = static_cast<int>(use);
  if (buffers.bytes[i] < bytes) {
    std::free(buffers.data[i]);
    buffers.bytes[i] = 0;
    const int64_t size = (bytes + bytes / 4 + 4095) / 4096 * 4096;
    buffers.data[i] = std::aligned_alloc(64, static_cast<size_t>(size));
    if (!buffers.data[i]) throw std::bad_alloc();
    buffers.bytes[i] = size;
  }
  return buffers.data[i];
}

}  // namespace transformers::kernels
