// transformers download: a Hub repository into the cache (or a folder).
#include <cstdio>
#include <filesystem>

#include "commands.h"
#include "io/hub.h"
#include "progress.h"

namespace transformers::cli {

int download(const DownloadOptions& o) {
  HubOptions hub;
  hub.revision = o.revision, hub.cache_dir = o.cache_dir, hub.force_download = o.force;
  Progress* bar = nullptr;
  std::string current;
  std::unique_ptr<Progress> owned;
  hub.progress = [&](const std::string& file, int64_t done, int64_t total) {
    if (file != current) {
      if (bar) bar->finish();
      current = file;
      owned = std::make_unique<Progress>(file, total);
      bar = owned.get();
    }
    bar->set(done);
    return true;
  };
  const std::string folder = snapshot_download(o.model, hub);
  if (bar) bar->finish();
  if (!o.local_dir.empty()) {
    std::error_code ec;
    std::filesystem::create_directories(o.local_dir, ec);
    std::filesystem::copy(folder, o.local_dir, std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing, ec);
    if (ec) throw IoError({o.local_dir, ": cannot copy: ", ec.message()});
    std::printf("%s\n", o.local_dir.c_str());
    return 0;
  }
  std::printf("%s\n", folder.c_str());
  return 0;
}

}  // namespace transformers::cli
