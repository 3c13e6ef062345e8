// Caching allocator for activations: freed blocks are kept by size class and reused, so that a warm decode step never
// reaches the system allocator.
#include <sys/mman.h>

#include <cstdlib>
#include <mutex>

#include "tensor/impl.h"

namespace transformers {
namespace {

constexpr size_t kAlign = 64;
constexpr int kClasses = 40 * 4;
constexpr size_t kMostCached = size_t{1} << 30;  // beyond this, blocks go back to the system at once

// Four classes to a power of two: at most 25 % is wasted.
int class_of(size_t bytes, size_t* rounded) {
  if (bytes <= 256) { *rounded = 256; return 0; }
  const int log = 63 - __builtin_clzll(bytes - 1);
  const size_t step = size_t{1} << (log - 2);
  *rounded = (bytes + step - 1) & ~(step - 1);
  const int quarter = static_cast<int>((*rounded - (size_t{1} << log)) / step);  // 1..4
  return (log - 8) * 4 + quarter;
}

struct Cache {
  std::mutex mutex;
  std::vector<void*> free_blocks[kClasses];
  size_t cached = 0;
  int64_t live = 0, peak = 0, system_allocations = 0;
};
Cache& cache() {
  static Cache* c = new Cache;  // never destroyed: tensors in static objects may outlive it
  return *c;
}

}  // namespace

namespace detail {

Storage* new_storage(size_t bytes) {
  if (bytes > (size_t{1} << 46)) throw ShapeError({"tensor of ", static_cast<uint64_t>(bytes), " bytes is too large"});
  Storage* s = new Storage;
  size_t rounded;
  const int k = class_of(bytes ? bytes : 1, &rounded);
  Cache& c = cache();
  {
    std::lock_guard lock(c.mutex);
    c.live += static_cast<int64_t>(rounded);
    if (c.live > c.peak) c.peak = c.live;
    auto& list = c.free_blocks[k];
    if (!list.empty()) {
      s->data = list.back();
      list.pop_back();
      c.cached -= rounded;
    } else {
      ++c.system_allocations;
    }
  }
  if (!s->data && ::posix_memalign(&s->data, rounded >= (size_t{1} << 21) ? 4096 : kAlign, rounded) != 0) {
    std::lock_guard lock(c.mutex);
    c.live -= static_cast<int64_t>(rounded);
    delete s;
    throw Error({"out of memory: cannot allocate ", static_cast<uint64_t>(bytes), " bytes for a tensor"});
  }
  s->bytes = bytes;
  return s;
}

void retain(Storage* s) { s->refs.fetch_add(1, std::memory_order_relaxed); }

void release(Storage* s) {
  if (s->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (!s->owner && s->data) {
    size_t rounded;
    const int k = class_of(s->bytes ? s->bytes : 1, &rounded);
    Cache& c = cache();
    bool keep;
    {
      std::lock_guard lock(c.mutex);
      c.live -= static_cast<int64_t>(rounded);
      keep = c.cached + rounded <= kMostCached;
      if (keep) c.free_blocks[k].push_back(s->data), c.cached += rounded;
    }
    if (!keep) std::free(s->data);
  }
  delete s;
}

}  // namespace detail

MemoryStats memory_stats() {
  Cache& c = cache();
  std::lock_guard lock(c.mutex);
  return {c.live, c.peak, c.system_allocations, static_cast<int64_t>(c.cached)};
}
void reset_peak_memory() {
  Cache& c = cache();
  std::lock_guard lock(c.mutex);
  c.peak = c.live;
}
void empty_cache() {
  Cache& c = cache();
  std::lock_guard lock(c.mutex);
  for (auto& list : c.free_blocks) {
    for (void* p : list) std::free(p);
    list.clear();
  }
  c.cached = 0;
}

}  // namespace transformers
