// tokenizers/training and tokenizers/sentencepiece.
#include "base/file.h"
#include "tokenizers_common.h"

namespace transformers::conformance {

void run_tokenizer_training(Runner& runner, const std::string& dir) {
  runner.begin("training");
  for_each_line(runner, join_path(dir, "cases.jsonl"), [&](const Json& line) {
    runner.run("training/" + line.get("name", ""), [&]() -> std::string { return "training is not built yet"; });
  });
}

void run_sentencepiece(Runner& runner, const std::string& dir) {
  for (const std::string& file : list_directory(dir)) {
    if (!file.ends_with(".jsonl")) continue;
    const std::string name = file.substr(0, file.size() - 6);
    runner.begin("sentencepiece/" + name);
    int n = 0;
    for_each_line(runner, join_path(dir, file), [&](const Json& line) {
      runner.run("sentencepiece/" + name + "/" + line.get("op", "") + "/" + std::to_string(n++),
                 [&]() -> std::string { return "SentencePiece files are not built yet"; });
    });
  }
}

}  // namespace transformers::conformance
