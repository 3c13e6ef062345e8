// The one thread pool: OpenMP's, shared with oneDNN.
#pragma once
#include <cstdint>
#include <omp.h>

namespace transformers {

/// Number of threads that parallel work uses (OMP_NUM_THREADS, set_num_threads, else the cores).
int num_threads();
void set_num_threads(int n);

/// Runs f(begin, end) over [0, n) in at most num_threads() chunks of at least `grain` items. Nested calls run inline.
template <class F> void parallel_for(int64_t n, int64_t grain, F&& f) {
  if (n <= 0) return;
  const int64_t most = grain > 0 ? (n + grain - 1) / grain : n;
  const int threads = omp_in_parallel() ? 1 : static_cast<int>(most < num_threads() ? most : num_threads());
  if (threads <= 1) { f(int64_t{0}, n); return; }
#pragma omp parallel num_threads(threads)
  {
    const int64_t t = omp_get_thread_num(), count = omp_get_num_threads();
    const int64_t begin = n * t / count, end = n * (t + 1) / count;
    if (begin < end) f(begin, end);
  }
}

}  // namespace transformers
