// conformance [AREA] [DIR...] [--only NAME[,NAME]] [--list]: compares this library with stored reference results.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "transformers/error.h"
#include "runner.h"

namespace transformers::conformance {

bool Runner::wanted(const std::string& id) {
  bool match = only.empty();
  for (const std::string& name : only) match |= name == group_ || id.compare(0, name.size(), name) == 0;
  if (match && list) std::printf("%s\t%s\n", group_.c_str(), id.c_str());
  return match && !list;
}
void Runner::pass(const std::string&) { ++rows_[group_].passed; }
void Runner::fail(const std::string& id, const std::string& why) {
  std::string line = why.substr(0, 500);
  for (char& c : line)
    if (c == '\n') c = ' ';
  std::printf("FAIL %s %s: %s\n", group_.c_str(), id.c_str(), line.c_str());
  ++rows_[group_].failed;
}
void Runner::skip(const std::string& id, const std::string& why) {
  std::printf("SKIP %s %s: %s\n", group_.c_str(), id.c_str(), why.c_str());
  ++rows_[group_].skipped;
}
int Runner::finish() const {
  Row sum;
  if (list) return 0;
  std::printf("%-40s %8s %8s %8s\n", "group", "passed", "failed", "skipped");
  for (const auto& [name, row] : rows_) {
    std::printf("%-40s %8d %8d %8d\n", name.c_str(), row.passed, row.failed, row.skipped);
    sum.passed += row.passed, sum.failed += row.failed, sum.skipped += row.skipped;
  }
  std::printf("%d passed, %d failed, %d skipped\n", sum.passed, sum.failed, sum.skipped);
  return sum.failed || sum.passed == 0 ? 1 : 0;
}

struct NamedArea { const char* name; Area run; };
// nullptr: not built yet; says so and counts as failed.
static const NamedArea kAreas[] = {
    {"models", run_models},
    {"tokenizers", run_tokenizers},
    {"chat_templates", run_chat_templates},
    {"processors", nullptr},
    {"pipelines", nullptr},
    {"generation", nullptr},
    {"training", nullptr},
    {"quantization", run_quantization},
    {"checkpoints", run_checkpoints},
    {"realmodels", run_realmodels},
};

}  // namespace transformers::conformance

int main(int argc, char** argv) {
  using namespace transformers;
  using namespace transformers::conformance;
  Runner runner;
  std::string area;
  std::vector<std::string> folders;
  const char* assets = std::getenv("TRANSFORMERS_ASSETS");
  runner.assets = assets ? assets : "";
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--list") runner.list = true;
    else if (arg == "--only" && i + 1 < argc) {
      std::string names = argv[++i];
      for (size_t b = 0; b <= names.size();) {
        const size_t e = std::min(names.find(',', b), names.size());
        if (e > b) runner.only.push_back(names.substr(b, e - b));
        b = e + 1;
      }
    } else if (arg.rfind("--", 0) == 0) {
      std::fprintf(stderr, "usage: conformance [AREA] [DIR...] [--only NAME[,NAME]] [--list]\n");
      return 2;
    } else if (area.empty()) area = arg;
    else folders.push_back(arg);
  }
  const char* base = std::getenv("TRANSFORMERS_CONFORMANCE");
  const std::string root = base ? base : TRANSFORMERS_SOURCE_DIR "/tests/conformance/data";
  bool known = false;
  for (const NamedArea& a : kAreas) {
    if (!area.empty() && area != a.name) continue;
    known = true;
    const std::vector<std::string> dirs = folders.empty() ? std::vector<std::string>{join_path(root, a.name)} : folders;
    for (const std::string& dir : dirs) {
      runner.begin(a.name);
      try {
        if (!a.run) throw Error(std::string("this area is not built yet"));
        if (!directory_exists(dir)) throw IoError({dir, ": no such folder"});
        a.run(runner, dir);
      } catch (const std::exception& e) {
        runner.fail(dir, e.what());
      }
    }
  }
  if (!known) {
    std::fprintf(stderr, "conformance: unknown area \"%s\"; areas: models tokenizers chat_templates processors pipelines generation training quantization checkpoints realmodels\n", area.c_str());
    return 2;
  }
  return runner.finish();
}
