// Writes a large file in pieces: a temporary file beside it, renamed when complete.
#pragma once
#include <cstddef>
#include <string>

namespace transformers {

/// Atomic writer; nothing appears at `path` before close(). Throws IoError naming the file.
class FileWriter {
 public:
  explicit FileWriter(const std::string& path);
  ~FileWriter();  ///< Removes what was written when close() was not reached.
  FileWriter(const FileWriter&) = delete;
  void write(const void* data, size_t size);
  void pad_to(size_t alignment);  ///< Zero bytes up to a multiple.
  size_t written() const { return written_; }
  void close();

 private:
  std::string path_, temporary_;
  int fd_ = -1;
  size_t written_ = 0;
};

}  // namespace transformers
