// Files: memory maps, whole-file reads and writes, paths.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace transformers {

/// A read-only memory map of a whole file. Throws IoError naming the file. Movable, not copyable.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

/// Gives the pages that lie wholly inside [data, data + bytes) back to the system when a MappedFile holds them; reading
/// them again fetches them from the file. Does nothing for other memory.
void release_mapped_pages(const void* data, size_t bytes);

std::string read_file(const std::string& path);                              ///< Throws IoError.
void write_file(const std::string& path, std::string_view content);          ///< Atomic: temporary file + rename.
bool file_exists(const std::string& path);
bool directory_exists(const std::string& path);
void make_directories(const std::string& path);                              ///< Like mkdir -p. Throws IoError.
std::vector<std::string> list_directory(const std::string& path);            ///< Names, sorted.
std::string join_path(std::string_view a, std::string_view b);
std::string base_name(std::string_view path);
std::string dir_name(std::string_view path);
/// A fresh directory below the system's temporary folder. The caller removes it (remove_directory).
std::string make_temp_directory(const std::string& prefix);
void remove_directory(const std::string& path);                              ///< Recursive; silent when absent.

}  // namespace transformers
