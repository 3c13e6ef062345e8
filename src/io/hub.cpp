// Resolving and downloading models. Reference: huggingface_hub/file_download.py (_hf_hub_download_to_cache_dir, http_get),
// _snapshot_download.py.
#include "io/hub.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/file.h"
#include "base/log.h"
#include "io/http.h"
#include "io/hub_cache.h"
#include "transformers/error.h"
#include "transformers/json.h"

namespace transformers {
namespace {

constexpr size_t kMaxAnswer = size_t{64} << 20;  // of the API; model files have no limit

// Answers that say no (401, 403, 404 ...) are not worth another attempt, unlike lost connections.
class RefusedError : public NetworkError {
 public:
  using NetworkError::NetworkError;
};

std::string header(const HttpResponse& r, const char* name) {
  const auto it = r.headers.find(name);
  return it == r.headers.end() ? "" : it->second;
}

class Client {
 public:
  explicit Client(const HubOptions& options) : options_(options) {
    const char* set = std::getenv("HF_ENDPOINT");
    endpoint_ = !options.endpoint.empty() ? options.endpoint : set && *set ? set : "https://huggingface.co";
    while (!endpoint_.empty() && endpoint_.back() == '/') endpoint_.pop_back();
    const std::string token = options.token.empty() ? hub_token() : options.token;
    if (token.find_first_of("\r\n") != std::string::npos) throw ValueError(std::string("the hub token holds a line break"));
    if (!token.empty()) headers_.push_back("Authorization: Bearer " + token);
    headers_.push_back("Accept-Encoding: identity");  // sizes and ranges are of the file itself
  }

  std::string file_url(const HubRepository& repository, const std::string& revision, const std::string& file) const {
    return endpoint_ + "/" + url_path(repository.id) + "/resolve/" + encoded_revision(revision) + "/" + url_path(file);
  }
  std::string api_url(const HubRepository& repository) const {
    return endpoint_ + "/api/models/" + url_path(repository.id) + "/revision/" + encoded_revision(repository.revision);
  }

  Json get_json(const std::string& url) const {
    std::string text;
    retrying([&] {
      text.clear();
      const HttpSink sink{nullptr, [&](const char* data, size_t n) {
        if (text.size() + n > kMaxAnswer) throw NetworkError({url, ": the answer is larger than 64 MB"});
        text.append(data, n);
      }};
      check(url, http_request(request(url), sink));
    });
    try {
      return Json::parse(text, url);
    } catch (const ConfigError& e) {
      throw NetworkError({url, ": expected JSON: ", e.what()});
    }
  }

  struct Metadata { std::string commit, etag; int64_t size = -1; };
  // What the Hub itself says of a file; redirects to other hosts, where the bytes lie, are not followed.
  Metadata metadata(const std::string& first_url) const {
    Metadata m;
    retrying([&] {
      std::string url = first_url;
      HttpResponse r;
      for (int hops = 0; hops < 5; ++hops) {
        HttpRequest q = request(url);
        q.head = true;
        q.follow = false;
        r = http_request(q);
        const std::string location = header(r, "location");
        if (r.status < 300 || r.status > 399 || location.empty() || location[0] != '/' || location.rfind("//", 0) == 0) break;
        url = endpoint_.substr(0, endpoint_.find('/', endpoint_.find("://") + 3)) + location;
      }
      check(url, r);
      m.commit = header(r, "x-repo-commit");
      m.etag = header(r, "x-linked-etag");
      if (m.etag.empty()) m.etag = header(r, "etag");
      if (m.etag.rfind("W/", 0) == 0) m.etag.erase(0, 2);
      std::erase(m.etag, '"');
      std::string size = header(r, "x-linked-size");
      if (size.empty() && r.status < 300) size = header(r, "content-length");
      m.size = size.empty() ? -1 : std::strtoll(size.c_str(), nullptr, 10);
      const bool plain = std::all_of(m.etag.begin(), m.etag.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
      if (m.etag.empty() || !plain || !is_commit(m.commit))
        throw RefusedError({first_url, ": the answer has no commit or etag; is the endpoint a Hugging Face Hub?"});
    });
    return m;
  }

  // Downloads into `path`, going on where an earlier attempt ended.
  void download(const std::string& url, const std::string& file, const std::string& path, int64_t expected) const {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) throw IoError({path, ": cannot write: ", std::strerror(errno)});
    struct Closer { int fd; ~Closer() { ::close(fd); } } closer{fd};
    retrying([&] {
      int64_t have = ::lseek(fd, 0, SEEK_END);
      if (expected >= 0 && have > expected) have = restart(fd, path);
      if (expected >= 0 && have == expected) return;
      HttpRequest q = request(url);
      q.resume_from = have;
      const HttpSink sink{[&](const HttpResponse& r) {
        if (r.status != 206 && have > 0) have = restart(fd, path);  // the server sends it all again
      }, [&](const char* data, size_t n) {
        write_all(fd, path, data, n);
        have += static_cast<int64_t>(n);
        if (options_.progress) options_.progress(file, have, expected);
        if (expected >= 0 && have > expected) throw RefusedError({url, ": more bytes than the ", expected, " announced"});
      }};
      const HttpResponse r = http_request(q, sink);
      if (r.status == 416) {
        restart(fd, path);
        throw NetworkError({url, ": cannot go on with the partial download"});
      }
      check(url, r);
      if (expected >= 0 && have != expected) throw NetworkError({url, ": expected ", expected, " bytes, got ", have});
    });
  }

 private:
  static std::string encoded_revision(const std::string& revision) {
    std::string out = url_path(revision);
    for (size_t at = 0; (at = out.find('/', at)) != std::string::npos; at += 3) out.replace(at, 1, "%2F");
    return out;
  }
  HttpRequest request(const std::string& url) const {
    HttpRequest q;
    q.url = url;
    q.headers = headers_;
    q.timeout_seconds = options_.timeout_seconds;
    return q;
  }
  static int64_t restart(int fd, const std::string& path) {
    if (::ftruncate(fd, 0) != 0 || ::lseek(fd, 0, SEEK_SET) != 0) throw IoError({path, ": cannot write: ", std::strerror(errno)});
    return 0;
  }
  static void write_all(int fd, const std::string& path, const char* data, size_t n) {
    while (n > 0) {
      const ssize_t written = ::write(fd, data, n);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw IoError({path, ": cannot write: ", std::strerror(errno)});
      data += written;
      n -= static_cast<size_t>(written);
    }
  }
  // Throws unless the answer is good: RefusedError when asking again would not help.
  static void check(const std::string& url, const HttpResponse& r) {
    if (r.status < 400) return;
    if (r.status == 429 || r.status >= 500) throw NetworkError({url, ": the server answered ", r.status});
    const std::string code = header(r, "x-error-code");
    const char* hint = code == "GatedRepo" || r.status == 403 ? "access must be asked for on the model's page, and a token set (HF_TOKEN)"
                       : code == "EntryNotFound"              ? "the model has no such file"
                       : code == "RevisionNotFound"           ? "the model has no such revision"
                       : r.status == 401 || code == "RepoNotFound" || r.status == 404 ? "no such model, file or revision, or it is private and needs a token (HF_TOKEN)"
                                                              : "the request was refused";
    const std::string said = header(r, "x-error-message");
    throw RefusedError({url, ": status ", r.status, ": ", hint, said.empty() ? "" : ". The server says: ", said.substr(0, 300)});
  }
  template <class F> void retrying(F&& attempt) const {
    double wait = options_.wait_seconds;
    for (int left = options_.retries;; --left) {
      try {
        attempt();
        return;
      } catch (const RefusedError&) {
        throw;
      } catch (const ConnectError&) {
        throw;
      } catch (const NetworkError& e) {
        if (left <= 0) throw;
        log_info({"hub: ", e.what(), "; trying again"});
      }
      std::this_thread::sleep_for(std::chrono::duration<double>(wait));
      wait = std::min(wait * 2, 30.0);
    }
  }

  const HubOptions& options_;
  std::string endpoint_;
  std::vector<std::string> headers_;
};

bool offline(const HubOptions& o) { return o.local_files_only || hub_offline(); }
std::string cache_of(const HubOptions& o) { return o.cache_dir.empty() ? hub_cache_directory() : o.cache_dir; }
[[noreturn]] void not_cached(const HubRepository& r, const std::string& what) {
  throw IoError({r.id, "@", r.revision, ": ", what, " is not in the cache (", r.folder, ") and downloads are switched off"});
}

// Makes snapshots/<commit>/<file> there, downloading its blob when needed.
std::string fetch(const Client& client, const HubRepository& repository, const std::string& revision, const std::string& file, const HubOptions& options) {
  if (!stays_inside(file)) throw NetworkError({repository.id, ": file name \"", file, "\" leaves its folder; refused"});
  if (is_commit(revision) && !options.force_download) {
    const std::string pointer = join_path(repository.snapshot(revision), file);
    if (file_exists(pointer)) return pointer;
  }
  const std::string url = client.file_url(repository, revision, file);
  const Client::Metadata m = client.metadata(url);
  const std::string pointer = join_path(repository.snapshot(m.commit), file), blob = join_path(join_path(repository.folder, "blobs"), m.etag);
  if (revision == repository.revision) repository.remember_commit(m.commit);
  if (file_exists(pointer) && !options.force_download) return pointer;
  make_directories(dir_name(blob));
  const FileLock lock(join_path(join_path(join_path(dir_name(repository.folder), ".locks"), base_name(repository.folder)), m.etag + ".lock"));
  if (!file_exists(blob) || options.force_download) {
    const std::string incomplete = blob + ".incomplete";
    if (options.force_download) ::unlink(incomplete.c_str());
    client.download(url, file, incomplete, m.size);
    if (::rename(incomplete.c_str(), blob.c_str()) != 0) throw IoError({blob, ": cannot write: ", std::strerror(errno)});
  }
  link_blob(blob, pointer, repository.folder);
  return pointer;
}

struct Listing { std::string commit; std::vector<std::string> files; };
Listing list(const Client& client, const HubRepository& repository) {
  const std::string url = client.api_url(repository);
  const Json answer = client.get_json(url);
  Listing out;
  out.commit = answer["sha"].is_string() ? answer["sha"].as_string() : "";
  if (!is_commit(out.commit) || !answer["siblings"].is_array()) throw NetworkError({url, ": expected the model's commit and files"});
  const Json siblings = answer["siblings"];
  for (const Json& s : siblings.as_array())
    if (s["rfilename"].is_string()) out.files.push_back(s["rfilename"].as_string());
  return out;
}

bool ends_with(const std::string& s, std::string_view end) { return s.size() >= end.size() && s.compare(s.size() - end.size(), end.size(), end) == 0; }

}  // namespace

// Whether `name` is BASE[.variant]EXTENSION or one of its shards or its index.
static bool is_weight(const std::string& name, const std::string& base, const std::string& extension, const std::string& variant) {
  const std::string v = variant.empty() ? "" : "." + variant;
  for (const std::string& pattern : {base + v + extension, base + v + "-[0-9]*-of-[0-9]*" + extension, base + "-[0-9]*-of-[0-9]*" + v + extension})
    if (::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) return true;
  return false;
}

std::vector<std::string> needed_files(const std::vector<std::string>& files, const std::string& variant) {
  const auto any = [&](auto&& test) { return std::any_of(files.begin(), files.end(), test); };
  // One form of the weights, in the loader's order of preference.
  std::function<bool(const std::string&)> weights;
  for (auto [base, extension] : {std::pair{"model", ".safetensors"}, {"pytorch_model", ".bin"}, {"tf_model", ".h5"}, {"flax_model", ".msgpack"}}) {
    if (weights) break;
    weights = [base = base, extension = extension, variant](const std::string& f) { return is_weight(f, base, extension, variant); };
    if (!any(weights)) weights = nullptr;
  }
  if (!weights) weights = [](const std::string& f) { return ends_with(f, ".gguf") && f.find('/') == std::string::npos; };
  std::vector<std::string> out;
  for (const std::string& f : files) {
    if (f.find('/') != std::string::npos) {  // only chat templates lie deeper
      if (f.rfind("additional_chat_templates/", 0) == 0) out.push_back(f);
      continue;
    }
    bool wanted = weights(f) || f == "adapter_model.safetensors" || f == "adapter_model.bin";
    for (const char* end : {".json", ".txt", ".model", ".jinja", ".spm", ".vocab", ".bpe"}) wanted = wanted || ends_with(f, end);
    if (wanted) out.push_back(f);
  }
  return out;
}

std::vector<std::string> hub_files(const std::string& name, const HubOptions& options) {
  const HubRepository repository(name, options.revision, cache_of(options));
  if (offline(options)) not_cached(repository, "the list of files");
  return list(Client(options), repository).files;
}

std::string hub_file(const std::string& name, const std::string& file, const HubOptions& options) {
  if (directory_exists(name)) {
    const std::string path = join_path(name, file);
    if (!file_exists(path)) throw IoError({path, ": no such file"});
    return path;
  }
  const HubRepository repository(name, options.revision, cache_of(options));
  if (!stays_inside(file)) throw ValueError({"\"", file, "\" leaves the model's folder"});
  const std::string commit = repository.cached_commit();
  const std::string cached = commit.empty() ? "" : join_path(repository.snapshot(commit), file);
  const bool there = !cached.empty() && file_exists(cached);
  if (offline(options)) {
    if (!there) not_cached(repository, file);
    return cached;
  }
  try {
    return fetch(Client(options), repository, repository.revision, file, options);
  } catch (const RefusedError&) {
    throw;
  } catch (const NetworkError& e) {
    if (!there || options.force_download) throw;
    log_warning({"hub: ", e.what(), "; using the cached ", file});
    return cached;
  }
}

std::string resolve_model(const std::string& name, const HubOptions& options) {
  if (directory_exists(name) || file_exists(name)) return name;
  const std::string cache = cache_of(options);
  if (name.empty() || name[0] == '/' || name[0] == '.' || name[0] == '~') throw IoError({name, ": no such folder"});
  const HubRepository repository(name, options.revision, cache);
  const std::string commit = repository.cached_commit();
  const std::string cached = commit.empty() ? "" : repository.snapshot(commit);
  const bool there = !cached.empty() && directory_exists(cached);
  if (offline(options)) {
    if (!there) not_cached(repository, "the model");
    return cached;
  }
  try {
    const Client client(options);
    const Listing listing = list(client, repository);
    std::vector<std::string> wanted;
    if (options.allow_patterns.empty()) wanted = needed_files(listing.files, options.variant);
    for (const std::string& f : listing.files)
      for (const std::string& p : options.allow_patterns)
        if (::fnmatch(p.c_str(), f.c_str(), 0) == 0) { wanted.push_back(f); break; }
    if (wanted.empty()) throw RefusedError({repository.id, ": none of its ", static_cast<uint64_t>(listing.files.size()), " files is one that is wanted"});
    for (const std::string& f : wanted) fetch(client, repository, listing.commit, f, options);
    repository.remember_commit(listing.commit);
    return repository.snapshot(listing.commit);
  } catch (const RefusedError&) {
    throw;
  } catch (const NetworkError& e) {
    if (!there || options.force_download) throw;
    log_warning({"hub: ", e.what(), "; using the cached snapshot"});
    return cached;
  }
}

}  // namespace transformers
