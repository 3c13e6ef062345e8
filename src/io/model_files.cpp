// Paths to models.
#include "io/model_files.h"

#include "base/file.h"

namespace transformers {

static bool is_gguf(const std::string& path) { return path.size() > 5 && path.compare(path.size() - 5, 5, ".gguf") == 0; }

std::string gguf_file_of(const std::string& path) {
  if (is_gguf(path)) return path;
  if (!directory_exists(path) || file_exists(join_path(path, "config.json"))) return "";
  std::string found;
  for (const std::string& name : list_directory(path)) {
    if (!is_gguf(name)) continue;
    if (!found.empty()) return "";  // several: the caller must name one
    found = join_path(path, name);
  }
  return found;
}

}  // namespace transformers
