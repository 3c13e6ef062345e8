// Files: POSIX maps and small helpers over std::filesystem.
#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>

#include "transformers/error.h"

namespace transformers {
namespace fs = std::filesystem;

namespace {
// Live maps by address: dropping pages is only safe where a file stands behind them.
struct Maps {
  std::mutex mutex;
  std::map<uintptr_t, uintptr_t> ranges;  // begin -> end
};
Maps& maps() {
  static Maps* m = new Maps;  // never destroyed: maps may outlive static destructors
  return *m;
}
}  // namespace

void release_mapped_pages(const void* data, size_t bytes) {
  const uintptr_t page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE)), at = reinterpret_cast<uintptr_t>(data);
  const uintptr_t begin = (at + page - 1) / page * page, end = (at + bytes) / page * page;
  if (begin >= end) return;
  const std::lock_guard<std::mutex> lock(maps().mutex);
  auto next = maps().ranges.upper_bound(at);
  if (next == maps().ranges.begin()) return;
  if (at + bytes > (--next)->second) return;
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

MappedFile::MappedFile(const std::string& path) : path_(path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw IoError({path, ": cannot open: ", std::strerror(errno)});
  struct stat st {};
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    ::close(fd);
    throw IoError({path, ": is not a regular file"});
  }
  size_ = static_cast<size_t>(st.st_size);
  if (size_ > 0) {
    void* p = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
      const int e = errno;
      ::close(fd);
      throw IoError({path, ": cannot map: ", std::strerror(e)});
    }
    data_ = static_cast<const uint8_t*>(p);
    const std::lock_guard<std::mutex> lock(maps().mutex);
    maps().ranges[reinterpret_cast<uintptr_t>(p)] = reinterpret_cast<uintptr_t>(p) + size_;
  }
  ::close(fd);
}
MappedFile::MappedFile(MappedFile&& o) noexcept : path_(std::move(o.path_)), data_(o.data_), size_(o.size_) { o.data_ = nullptr, o.size_ = 0; }
MappedFile::~MappedFile() {
  if (!data_) return;
  const std::lock_guard<std::mutex> lock(maps().mutex);
  maps().ranges.erase(reinterpret_cast<uintptr_t>(data_));
  ::munmap(const_cast<uint8_t*>(data_), size_);
}

std::string read_file(const std::string& path) { return std::string(MappedFile(path).text()); }

void write_file(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp" + std::to_string(::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) throw IoError({path, ": cannot write: ", std::strerror(errno)});
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t n = ::write(fd, content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int e = errno;
      ::close(fd);
      ::unlink(temporary.c_str());
      throw IoError({path, ": cannot write: ", std::strerror(e)});
    }
    done += static_cast<size_t>(n);
  }
  ::close(fd);
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw IoError({path, ": cannot write: ", std::strerror(errno)});
}

bool file_exists(const std::string& path) {
  std::error_code ec;
  return fs::is_regular_file(path, ec);
}
bool directory_exists(const std::string& path) {
  std::error_code ec;
  return fs::is_directory(path, ec);
}
void make_directories(const std::string& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) throw IoError({path, ": cannot create the folder: ", ec.message()});
}
std::vector<std::string> list_directory(const std::string& path) {
  std::vector<std::string> names;
  std::error_code ec;
  for (fs::directory_iterator it(path, ec), end; !ec && it != end; it.increment(ec)) names.push_back(it->path().filename().string());
  if (ec) throw IoError({path, ": cannot list the folder: ", ec.message()});
  std::sort(names.begin(), names.end());
  return names;
}
std::string join_path(std::string_view a, std::string_view b) {
  if (a.empty()) return std::string(b);
  std::string out(a);
  if (out.back() != '/') out += '/';
  return out.append(b);
}
std::string base_name(std::string_view path) { return fs::path(path).filename().string(); }
std::string dir_name(std::string_view path) { return fs::path(path).parent_path().string(); }
std::string make_temp_directory(const std::string& prefix) {
  std::string pattern = (fs::temp_directory_path() / (prefix + "XXXXXX")).string();
  if (!::mkdtemp(pattern.data())) throw IoError({pattern, ": cannot create: ", std::strerror(errno)});
  return pattern;
}
void remove_directory(const std::string& path) {
  std::error_code ec;
  fs::remove_all(path, ec);
}

}  // namespace transformers
