// A progress bar on standard error; silent when that is no terminal.
#pragma once
#include <cstdint>
#include <string>

namespace transformers::cli {

class Progress {
 public:
  Progress(std::string what, int64_t total);
  void advance(int64_t n = 1) { set(done_ + n); }
  void set(int64_t done);
  void finish();

 private:
  std::string what_;
  int64_t total_, done_ = 0;
  double started_, shown_ = 0;
  bool terminal_;
};

}  // namespace transformers::cli
