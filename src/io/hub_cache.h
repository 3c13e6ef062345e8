// Paths of the hub's cache.
#pragma once
#include <string>

namespace transformers {

/// "org/name" at a revision, checked: no part of either leaves the cache.
struct HubRepository {
  std::string id, revision;
  std::string folder;  ///< <cache>/models--org--name
  /// Splits "org/name@revision"; throws ValueError.
  HubRepository(const std::string& name, const std::string& default_revision, const std::string& cache);
  std::string snapshot(const std::string& commit) const;
  /// The commit that `revision` stood for when last seen, "" when unknown.
  std::string cached_commit() const;
  void remember_commit(const std::string& commit) const;
};

bool is_commit(const std::string& revision);
/// Whether a relative path stays below its folder: not absolute, no "..", no backslash or NUL.
bool stays_inside(const std::string& path);
/// Points snapshot file `pointer` at `blob` by a relative link, atomically.
void link_blob(const std::string& blob, const std::string& pointer, const std::string& folder);

/// An advisory lock on a file, shared with the Python library's, held while alive.
class FileLock {
 public:
  explicit FileLock(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;

 private:
  int fd_;
};

}  // namespace transformers
