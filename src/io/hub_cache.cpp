// The environment and the folders of the hub's cache. Reference: huggingface_hub/constants.py, file_download.py.
#include "io/hub_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "io/hub.h"
#include "transformers/error.h"

namespace transformers {
namespace {

std::string env(const char* name) {
  const char* v = std::getenv(name);
  return v ? v : "";
}
bool is_true(std::string v) {
  for (char& c : v) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return v == "1" || v == "ON" || v == "YES" || v == "TRUE";
}
std::string expand_home(const std::string& path) {
  return path == "~" || path.rfind("~/", 0) == 0 ? env("HOME") + path.substr(1) : path;
}
std::string home() {
  const std::string set = env("HF_HOME"), xdg = env("XDG_CACHE_HOME");
  if (!set.empty()) return expand_home(set);
  return join_path(xdg.empty() ? join_path(env("HOME"), ".cache") : expand_home(xdg), "huggingface");
}
std::string trimmed(const std::string& s) {
  const size_t begin = s.find_first_not_of(" \t\r\n"), end = s.find_last_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : s.substr(begin, end - begin + 1);
}

}  // namespace

std::string hub_cache_directory() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (!env(name).empty()) return expand_home(env(name));
  return join_path(home(), "hub");
}

bool hub_offline() { return is_true(env("HF_HUB_OFFLINE").empty() ? env("TRANSFORMERS_OFFLINE") : env("HF_HUB_OFFLINE")); }

std::string hub_token() {
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})
    if (!trimmed(env(name)).empty()) return trimmed(env(name));
  if (is_true(env("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) return "";
  const std::string path = env("HF_TOKEN_PATH").empty() ? join_path(home(), "token") : expand_home(env("HF_TOKEN_PATH"));
  return file_exists(path) ? trimmed(read_file(path)) : "";
}

bool is_commit(const std::string& s) {
  return s.size() == 40 && std::all_of(s.begin(), s.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool stays_inside(const std::string& path) {
  if (path.empty() || path[0] == '/' || path.find('\\') != std::string::npos || path.find('\0') != std::string::npos) return false;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (path.compare(begin, end - begin, "..") == 0) return false;
    begin = end + 1;
  }
  return true;
}

HubRepository::HubRepository(const std::string& name, const std::string& default_revision, const std::string& cache) {
  const size_t at = name.find('@');
  id = name.substr(0, at);
  revision = at == std::string::npos ? default_revision : name.substr(at + 1);
  const bool characters = std::all_of(id.begin(), id.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '/'; });
  bool parts = std::count(id.begin(), id.end(), '/') <= 1 && !id.empty() && id.back() != '/' && id.find("..") == std::string::npos && id.find("--") == std::string::npos;
  for (size_t begin = 0; begin <= id.size() && parts;) {
    const size_t end = std::min(id.find('/', begin), id.size());
    parts = end > begin && id[begin] != '.' && id[begin] != '-' && id[end - 1] != '.' && id[end - 1] != '-';
    begin = end + 1;
  }
  if (!characters || !parts || id.size() > 96)
    throw ValueError({"\"", name, "\" is neither a folder nor the name of a model (\"name\", \"org/name\" or \"org/name@revision\")"});
  if (!stays_inside(revision)) throw ValueError({"\"", revision, "\" is no name of a revision"});
  std::string flat = "models--" + id;
  const size_t slash = flat.find('/');
  if (slash != std::string::npos) flat.replace(slash, 1, "--");
  folder = join_path(cache, flat);
}

std::string HubRepository::snapshot(const std::string& commit) const { return join_path(join_path(folder, "snapshots"), commit); }

std::string HubRepository::cached_commit() const {
  if (is_commit(revision)) return revision;
  const std::string path = join_path(join_path(folder, "refs"), revision);
  const std::string commit = file_exists(path) ? trimmed(read_file(path)) : "";
  return stays_inside(commit) ? commit : "";
}

void HubRepository::remember_commit(const std::string& commit) const {
  if (revision == commit) return;
  const std::string path = join_path(join_path(folder, "refs"), revision);
  if (file_exists(path) && read_file(path) == commit) return;
  make_directories(dir_name(path));
  write_file(path, commit);
}

void link_blob(const std::string& blob, const std::string& pointer, const std::string& folder) {
  make_directories(dir_name(pointer));
  // snapshots/<commit>/a/b -> ../../../blobs/<etag>: one ".." per level below the repository's folder.
  std::string target = blob.substr(folder.size() + 1);
  const std::string below = pointer.substr(folder.size() + 1);
  for (auto n = std::count(below.begin(), below.end(), '/'); n > 0; --n) target = "../" + target;
  const std::string temporary = pointer + ".tmp" + std::to_string(::getpid());
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0 || ::rename(temporary.c_str(), pointer.c_str()) != 0)
    throw IoError({pointer, ": cannot link: ", std::strerror(errno)});
}

FileLock::FileLock(const std::string& path) : fd_(-1) {
  make_directories(dir_name(path));
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) throw IoError({path, ": cannot lock: ", std::strerror(errno)});
  while (::flock(fd_, LOCK_EX) != 0)
    if (errno != EINTR) break;  // some file systems have no locks: go on without
}
FileLock::~FileLock() { ::close(fd_); }

}  // namespace transformers
