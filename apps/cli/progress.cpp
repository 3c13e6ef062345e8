// The progress bar.
#include "progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "commands.h"

namespace transformers::cli {

Progress::Progress(std::string what, int64_t total) : what_(std::move(what)), total_(std::max<int64_t>(1, total)), started_(seconds_now()), terminal_(is_terminal(STDERR_FILENO)) {}

void Progress::set(int64_t done) {
  done_ = done;
  const double now = seconds_now();
  if (!terminal_ || (now - shown_ < 0.1 && done < total_)) return;
  shown_ = now;
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total_)), took = now - started_;
  const int filled = static_cast<int>(part * 30);
  std::fprintf(stderr, "\r%s [%.*s%.*s] %3.0f%% %.0fs left ", what_.c_str(), filled, "##############################", 30 - filled, "..............................", part * 100,
               part > 0 ? took / part - took : 0.0);
}
void Progress::finish() {
  if (terminal_) std::fprintf(stderr, "\r%80s\r", "");
}

}  // namespace transformers::cli
