// The conformance runner: each area reads a folder in the format of its README and reports one result per case.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace transformers::conformance {

class Runner {
 public:
  std::vector<std::string> only;  ///< Names given with --only; empty: all.
  bool list = false;              ///< --list: print ids instead of running.
  std::string assets;             ///< Folder of real tokenizers and audio (TRANSFORMERS_ASSETS), may be empty.

  /// Starts a group (a model type, a file): a row of the closing table.
  void begin(const std::string& group) { group_ = group; }
  /// Whether case `id` is to be run; with --list prints it and returns false. A name in `only` matches the group, the
  /// id, or a prefix of the id.
  bool wanted(const std::string& id);
  void pass(const std::string& id);
  void fail(const std::string& id, const std::string& why);  ///< Prints one line.
  void skip(const std::string& id, const std::string& why);
  /// Runs `check`, which returns "" or what is wrong; an exception is a failure.
  template <class F> void run(const std::string& id, F&& check) {
    if (!wanted(id)) return;
    std::string why;
    try {
      why = check();
    } catch (const std::exception& e) {
      why = std::string("threw: ") + e.what();
    }
    why.empty() ? pass(id) : fail(id, why);
  }
  /// Prints the table and the closing line; returns the exit code.
  int finish() const;

 private:
  struct Row { int passed = 0, failed = 0, skipped = 0; };
  std::string group_ = "all";
  std::map<std::string, Row> rows_;
};

using Area = void (*)(Runner&, const std::string& dir);
void run_models(Runner&, const std::string& dir);
void run_tokenizers(Runner&, const std::string& dir);
void run_chat_templates(Runner&, const std::string& dir);
void run_processors(Runner&, const std::string& dir);
void run_pipelines(Runner&, const std::string& dir);
void run_generation(Runner&, const std::string& dir);
void run_training(Runner&, const std::string& dir);
void run_quantization(Runner&, const std::string& dir);
void run_checkpoints(Runner&, const std::string& dir);
void run_realmodels(Runner&, const std::string& dir);

}  // namespace transformers::conformance
