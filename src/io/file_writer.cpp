// Atomic writing of large files.
#include "io/file_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "transformers/error.h"

namespace transformers {

FileWriter::FileWriter(const std::string& path) : path_(path), temporary_(path + ".tmp" + std::to_string(::getpid())) {
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) throw IoError({path_, ": cannot write: ", std::strerror(errno)});
}
FileWriter::~FileWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}
void FileWriter::write(const void* data, size_t size) {
  const char* from = static_cast<const char*>(data);
  for (size_t done = 0; done < size;) {
    const ssize_t n = ::write(fd_, from + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw IoError({path_, ": cannot write: ", std::strerror(errno)});
    done += static_cast<size_t>(n);
  }
  written_ += size;
}
void FileWriter::pad_to(size_t alignment) {
  static const char zeros[64] = {};
  for (size_t left = (alignment - written_ % alignment) % alignment; left > 0;) {
    const size_t n = std::min(left, sizeof zeros);
    write(zeros, n);
    left -= n;
  }
}
void FileWriter::close() {
  const int fd = fd_;
  fd_ = -1;
  if (::close(fd) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int e = errno;
    ::unlink(temporary_.c_str());
    throw IoError({path_, ": cannot write: ", std::strerror(e)});
  }
}

}  // namespace transformers
