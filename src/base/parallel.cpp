// Thread count shared by our kernels and oneDNN.
#include "base/parallel.h"

namespace transformers {
static int g_threads = 0;
int num_threads() { return g_threads > 0 ? g_threads : omp_get_max_threads(); }
void set_num_threads(int n) {
  g_threads = n > 0 ? n : 0;
  if (n > 0) omp_set_num_threads(n);
}
}  // namespace transformers
