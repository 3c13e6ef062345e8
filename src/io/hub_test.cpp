// The hub client against a small HTTP server of this test's own.
#include "io/hub.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "io/hub_cache.h"
#include "io/test_bytes.h"
#include "transformers/error.h"

namespace transformers {
namespace {

struct Answer {
  int status = 200;
  std::string headers;       // "A: b\r\n"
  std::string body;
  size_t cut = ~size_t{0};   // closes the connection after so many bytes of the body
};
struct Asked { std::string method, path, all; };

// Answers one connection after the other on 127.0.0.1.
class Server {
 public:
  explicit Server(std::function<Answer(const Asked&)> handler) : handler_(std::move(handler)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(socket_, 16) != 0) throw Error("no socket");
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    stop_ = true;
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  std::string url;
  std::vector<Asked> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  void serve() {
    while (!stop_) {
      const int c = ::accept(socket_, nullptr, nullptr);
      if (c < 0) return;
      std::string text;
      char buffer[4096];
      while (text.find("\r\n\r\n") == std::string::npos) {
        const ssize_t n = ::read(c, buffer, sizeof buffer);
        if (n <= 0) break;
        text.append(buffer, static_cast<size_t>(n));
      }
      const size_t space = text.find(' ');
      Asked a{text.substr(0, space), text.substr(space + 1, text.find(' ', space + 1) - space - 1), text};
      {
        const std::lock_guard lock(mutex_);
        asked_.push_back(a);
      }
      const Answer r = handler_(a);
      std::string out = "HTTP/1.1 " + std::to_string(r.status) + " X\r\n" + r.headers + "Content-Length: " + std::to_string(r.body.size()) + "\r\nConnection: close\r\n\r\n";
      if (a.method != "HEAD") out += r.body.substr(0, r.cut);
      for (size_t sent = 0; sent < out.size();) {
        const ssize_t n = ::send(c, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<size_t>(n);
      }
      ::close(c);
    }
  }
  std::function<Answer(const Asked&)> handler_;
  int socket_;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<Asked> asked_;
  std::thread thread_;
};

const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";

// A hub with one model, org/m.
Answer hub(const Asked& a) {
  if (a.path == "/api/models/org/m/revision/main")
    return {200, "", R"({"sha": ")" + kCommit + R"(", "siblings": [{"rfilename": "config.json"}, {"rfilename": "model.safetensors"}, {"rfilename": "pytorch_model.bin"}, {"rfilename": "README.md"}]})"};
  const std::string file = a.path.substr(a.path.rfind('/') + 1);
  if (a.path.rfind("/org/m/resolve/", 0) != 0 || (file != "config.json" && file != "model.safetensors")) return {404, "X-Error-Code: EntryNotFound\r\n", ""};
  const std::string body = file == "config.json" ? "{\"a\": 1}" : "0123456789";
  Answer r{200, "X-Repo-Commit: " + kCommit + "\r\nETag: \"e-" + file.substr(0, 5) + "\"\r\n", body};
  const size_t range = a.all.find("Range: bytes=");
  if (range != std::string::npos) {
    r.status = 206;
    r.body = body.substr(static_cast<size_t>(std::atoi(a.all.c_str() + range + 13)));
  }
  return r;
}

// Restores an environment variable.
class Env {
 public:
  Env(const char* name, const char* value) : name_(name) {
    const char* old = std::getenv(name);
    if (old) before_ = old;
    had_ = old;
    value ? ::setenv(name, value, 1) : ::unsetenv(name);
  }
  ~Env() { had_ ? ::setenv(name_, before_.c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  std::string before_;
  bool had_;
};

struct Hub : ::testing::Test {
  Env offline{"HF_HUB_OFFLINE", nullptr}, old_offline{"TRANSFORMERS_OFFLINE", nullptr}, token{"HF_TOKEN", nullptr}, proxy{"http_proxy", nullptr},
      no_proxy{"NO_PROXY", "127.0.0.1"};
  TempDir dir;
  HubOptions options(const Server& s) {
    HubOptions o;
    o.endpoint = s.url + "/";
    o.cache_dir = dir.path;
    o.token = "secret";
    o.retries = 2;
    o.wait_seconds = 0.01;
    o.timeout_seconds = 5;
    return o;
  }
};

TEST_F(Hub, DownloadsWhatAModelNeedsOnce) {
  Server server(hub);
  HubOptions o = options(server);
  std::vector<std::string> progress;
  o.progress = [&](const std::string& file, int64_t done, int64_t total) { progress.push_back(cat({file, " ", done, "/", total})); };
  const std::string folder = resolve_model("org/m", o);
  EXPECT_EQ(folder, dir.file("models--org--m/snapshots/" + kCommit));
  EXPECT_EQ(list_directory(folder), (std::vector<std::string>{"config.json", "model.safetensors"}));
  EXPECT_EQ(read_file(join_path(folder, "model.safetensors")), "0123456789");
  EXPECT_EQ(read_file(dir.file("models--org--m/refs/main")), kCommit);
  EXPECT_EQ(read_file(dir.file("models--org--m/blobs/e-model")), "0123456789");
  char link[256] = "";
  EXPECT_GT(::readlink(join_path(folder, "config.json").c_str(), link, sizeof link - 1), 0);
  EXPECT_STREQ(link, "../../blobs/e-confi");
  EXPECT_EQ(progress, (std::vector<std::string>{"config.json 8/8", "model.safetensors 10/10"}));
  EXPECT_NE(server.asked().front().all.find("Authorization: Bearer secret"), std::string::npos);
  const size_t before = server.asked().size();
  EXPECT_EQ(resolve_model("org/m", o), folder);
  EXPECT_EQ(server.asked().size(), before + 1);  // the commit is asked for, the files are there
  // Offline nothing is asked.
  o.local_files_only = true;
  EXPECT_EQ(resolve_model("org/m@main", o), folder);
  EXPECT_EQ(hub_file("org/m", "config.json", o), join_path(folder, "config.json"));
  EXPECT_THROW(hub_file("org/m", "other.json", o), IoError);
  EXPECT_THROW(resolve_model("org/other", o), IoError);
  EXPECT_EQ(server.asked().size(), before + 1);
  EXPECT_EQ(resolve_model(dir.path, o), dir.path);
}

TEST_F(Hub, GoesOnAfterALostConnection) {
  std::atomic<int> failures{0};
  Server server([&](const Asked& a) {
    Answer r = hub(a);
    if (a.method == "GET" && a.path.find("model.safetensors") != std::string::npos && failures++ == 0) r.cut = 4;
    return r;
  });
  EXPECT_EQ(read_file(hub_file("org/m", "model.safetensors", options(server))), "0123456789");
  const std::vector<Asked> asked = server.asked();
  EXPECT_NE(asked.back().all.find("Range: bytes=4-"), std::string::npos);
}

TEST_F(Hub, StartsAgainWhenTheServerIgnoresTheRange) {
  Server server([&](const Asked& a) {
    Asked plain = a;
    const size_t range = plain.all.find("Range:");
    if (range != std::string::npos) plain.all.erase(range);
    return hub(plain);
  });
  make_directories(dir.file("models--org--m/blobs"));
  write_file(dir.file("models--org--m/blobs/e-model.incomplete"), "junk");
  EXPECT_EQ(read_file(hub_file("org/m", "model.safetensors", options(server))), "0123456789");
}

TEST_F(Hub, UsesTheCacheWhenTheServerFails) {
  HubOptions o;
  std::string folder;
  {
    Server server(hub);
    folder = resolve_model("org/m", options(server));
  }
  Server broken([](const Asked&) { return Answer{503, "", ""}; });
  EXPECT_EQ(resolve_model("org/m", options(broken)), folder);
  EXPECT_EQ(hub_file("org/m", "config.json", options(broken)), join_path(folder, "config.json"));
  EXPECT_THROW(resolve_model("org/new", options(broken)), NetworkError);
  EXPECT_EQ(broken.asked().size(), 9u);  // each of three times three attempts
}

TEST_F(Hub, RefusalsAreNotRepeatedAndSayWhatToDo) {
  Server server([](const Asked&) { return Answer{403, "X-Error-Code: GatedRepo\r\nX-Error-Message: ask the owner\r\n", ""}; });
  try {
    resolve_model("org/m", options(server));
    FAIL();
  } catch (const NetworkError& e) {
    EXPECT_NE(std::string(e.what()).find("HF_TOKEN"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("ask the owner"), std::string::npos) << e.what();
  }
  EXPECT_EQ(server.asked().size(), 1u);
}

TEST_F(Hub, NothingLeavesTheCache) {
  Server server([](const Asked& a) -> Answer {
    if (a.path.rfind("/api/", 0) == 0) return {200, "", R"({"sha": ")" + kCommit + R"(", "siblings": [{"rfilename": "../../../evil.json"}]})"};
    return {200, "X-Repo-Commit: " + kCommit + "\r\nETag: \"../../x\"\r\n", "x"};
  });
  HubOptions o = options(server);
  o.allow_patterns = {"*"};
  EXPECT_THROW(resolve_model("org/m", o), NetworkError);
  EXPECT_THROW(hub_file("org/m", "config.json", o), NetworkError);  // the etag would leave the cache
  EXPECT_THROW(hub_file("org/m", "../x", o), ValueError);
  EXPECT_FALSE(file_exists(dir.file("evil.json")));
  for (const char* name : {"org/../m", "a/b/c", "org//m", "a b", "org/m@../x", "-a", "a--b"}) EXPECT_THROW(resolve_model(name, o), ValueError) << name;
  EXPECT_THROW(resolve_model("./nowhere", o), IoError);
}

TEST_F(Hub, WhenNobodyAnswersItDoesNotWait) {
  HubOptions o;
  o.cache_dir = dir.path;
  o.wait_seconds = 1000;
  {
    Server server(hub);
    o.endpoint = server.url;
  }
  EXPECT_THROW(resolve_model("org/m", o), NetworkError);
}

TEST(HubFiles, OneFormOfTheWeights) {
  const std::vector<std::string> all = {"README.md", "config.json", "flax_model.msgpack", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.fp16.safetensors",
                                        "model.safetensors.index.json", "onnx/model.onnx", "pytorch_model.bin", "tokenizer.model", "additional_chat_templates/rag.jinja"};
  EXPECT_EQ(needed_files(all), (std::vector<std::string>{"config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.model",
                                                         "additional_chat_templates/rag.jinja"}));
  EXPECT_EQ(needed_files({"model.safetensors", "model.fp16.safetensors"}, "fp16"), std::vector<std::string>{"model.fp16.safetensors"});
  EXPECT_EQ(needed_files({"a.gguf", "x/b.gguf", "pic.png"}), std::vector<std::string>{"a.gguf"});
  EXPECT_EQ(needed_files({"tf_model.h5", "pytorch_model.bin"}), std::vector<std::string>{"pytorch_model.bin"});
}

TEST_F(Hub, ReadsTheEnvironmentAsThePythonLibraryDoes) {
  Env cache("HF_HUB_CACHE", nullptr), older("HUGGINGFACE_HUB_CACHE", nullptr), home("HF_HOME", nullptr), xdg("XDG_CACHE_HOME", nullptr), user("HOME", "/h");
  Env path("HF_TOKEN_PATH", nullptr), oldest("HUGGING_FACE_HUB_TOKEN", nullptr);
  EXPECT_EQ(hub_cache_directory(), "/h/.cache/huggingface/hub");
  Env xdg_set("XDG_CACHE_HOME", "/x");
  EXPECT_EQ(hub_cache_directory(), "/x/huggingface/hub");
  Env home_set("HF_HOME", dir.path.c_str());
  EXPECT_EQ(hub_cache_directory(), dir.file("hub"));
  EXPECT_EQ(hub_token(), "");
  write_file(dir.file("token"), "abc\n");
  EXPECT_EQ(hub_token(), "abc");
  Env token_set("HF_TOKEN", "def");
  EXPECT_EQ(hub_token(), "def");
  Env cache_set("HF_HUB_CACHE", "~/c");
  EXPECT_EQ(hub_cache_directory(), "/h/c");
  EXPECT_FALSE(hub_offline());
  Env transformers_offline("TRANSFORMERS_OFFLINE", "yes");
  EXPECT_TRUE(hub_offline());
  Env hub_set("HF_HUB_OFFLINE", "0");
  EXPECT_FALSE(hub_offline());
}

}  // namespace
}  // namespace transformers
