// Subcommands of the transformers binary: main.cpp fills the options, each command has its own file.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace transformers::cli {

struct RunOptions {
  std::string task, model, dtype = "float32", format = "text";
  std::vector<std::string> inputs;
  std::vector<std::string> parameters;  ///< name=value
  int threads = 0;
};
struct ChatOptions {
  std::string model, dtype = "float32", system_prompt, save_folder = "./chat_history";
  std::vector<std::string> settings;    ///< max_new_tokens=100 do_sample=false ...
  bool exact = false;                   ///< --dtype given: quantized weights are computed in float32.
  int threads = 0;
};
struct DownloadOptions { std::string model, revision = "main", cache_dir, local_dir; bool force = false; };
struct QuantizeOptions { std::string model, output, type = "Q8_0"; };
struct TokenizeOptions_ { std::string model; std::vector<std::string> texts; bool ids_only = false, special = true; };
struct BenchOptions { std::string model; bool jsonl = false; int64_t prompt = 512, generate = 128; int threads = 0; };

int run_task(const RunOptions& o);
int chat(const ChatOptions& o);
int download(const DownloadOptions& o);
int quantize(const QuantizeOptions& o);
int tokenize(const TokenizeOptions_& o);
int env();
int bench(const BenchOptions& o);

/// Settings of the form name=value as the text of a JSON object: numbers, true/false and JSON literals are read as such.
std::string settings_to_json(const std::vector<std::string>& settings);
/// Whether a stream is a terminal (progress bars and colours only then).
bool is_terminal(int fd);
/// The lines of standard input for "-", else the inputs themselves.
std::vector<std::string> read_inputs(const std::vector<std::string>& inputs);
double seconds_now();

}  // namespace transformers::cli
