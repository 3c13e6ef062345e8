// transformers: command line of the library. Exit codes: 0 fine, 1 internal error, 2 wrong input (files, options, models),
// 3 network, 130 interrupted.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/log.h"
#include "base/parallel.h"
#include "commands.h"
#include "transformers/error.h"
#include "transformers/version.h"

using namespace transformers;
using namespace transformers::cli;

static void print_log(LogLevel level, const std::string& message) {
  static const bool verbose = std::getenv("TRANSFORMERS_VERBOSITY") != nullptr;
  if (level >= LogLevel::warning || verbose) std::fprintf(stderr, "%s: %s\n", level == LogLevel::error ? "error" : level == LogLevel::warning ? "warning" : "info", message.c_str());
}

static int dispatch(int argc, char** argv) {
  CLI::App app{"Hugging Face models in C++: run, chat, download, quantize, tokenize.", "transformers"};
  app.set_version_flag("--version", "transformers.cpp " TRANSFORMERS_VERSION);
  app.require_subcommand(0, 1);
  app.footer("Examples:\n  transformers run feature-extraction \"Hello world\"\n  transformers run text-generation --model ./gpt2 \"Once upon a time\"\n  transformers chat ./SmolLM2-135M-Instruct\n\nEach command has its own --help.");

  RunOptions run;
  CLI::App* run_cmd = app.add_subcommand("run", "Run a task on texts (or files)");
  run_cmd->add_option("task", run.task, "feature-extraction, text-generation, fill-mask, text-classification, token-classification, ...")->required();
  run_cmd->add_option("inputs", run.inputs, "Texts or files; - reads lines from standard input");
  run_cmd->add_option("-m,--model", run.model, "Model folder, GGUF file or Hub id (default: the task's)");
  run_cmd->add_option("--dtype", run.dtype, "float32, bfloat16, float16 or auto")->capture_default_str();
  run_cmd->add_option("--format", run.format, "text or json")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  run_cmd->add_option("-p,--parameter", run.parameters, "Parameter of the task, name=value (repeatable)");
  run_cmd->add_option("-t,--threads", run.threads, "Threads (default: all cores)");

  ChatOptions talk;
  CLI::App* chat_cmd = app.add_subcommand("chat", "Chat with a model in the terminal");
  chat_cmd->add_option("model", talk.model, "Model folder, GGUF file or Hub id")->required();
  chat_cmd->add_option("settings", talk.settings, "Generation settings: max_new_tokens=100 do_sample=false ...");
  chat_cmd->add_option("--system-prompt", talk.system_prompt, "First message of the conversation");
  chat_cmd->add_option("--save-folder", talk.save_folder, "Where !save writes")->capture_default_str();
  CLI::Option* chat_dtype = chat_cmd->add_option("--dtype", talk.dtype, "float32, bfloat16 or auto");
  chat_cmd->add_option("-t,--threads", talk.threads, "Threads (default: all cores)");

  DownloadOptions get;
  CLI::App* download_cmd = app.add_subcommand("download", "Download a model from the Hub into the cache");
  download_cmd->add_option("model", get.model, "Hub id, organisation/name")->required();
  download_cmd->add_option("--revision", get.revision, "Branch, tag or commit")->capture_default_str();
  download_cmd->add_option("--cache-dir", get.cache_dir, "Cache folder (default: HF_HUB_CACHE)");
  download_cmd->add_option("--local-dir", get.local_dir, "Copy the files into this folder instead of linking from the cache");
  download_cmd->add_flag("--force", get.force, "Download again even if cached");

  QuantizeOptions quant;
  CLI::App* quantize_cmd = app.add_subcommand("quantize", "Write a model as one quantized GGUF file");
  quantize_cmd->add_option("model", quant.model, "Model folder or GGUF file")->required();
  quantize_cmd->add_option("output", quant.output, "GGUF file to write")->required();
  quantize_cmd->add_option("--type", quant.type, "Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q6_K, F16, BF16, F32")->capture_default_str();

  TokenizeOptions_ tok;
  CLI::App* tokenize_cmd = app.add_subcommand("tokenize", "Show the tokens of texts");
  tokenize_cmd->add_option("model", tok.model, "Model folder, GGUF file or Hub id")->required();
  tokenize_cmd->add_option("texts", tok.texts, "Texts; - reads lines from standard input")->required();
  tokenize_cmd->add_flag("--ids", tok.ids_only, "Print ids only");
  tokenize_cmd->add_flag("!--no-special-tokens", tok.special, "Leave out [CLS], <s> and the like");

  BenchOptions speed;
  CLI::App* bench_cmd = app.add_subcommand("bench", "Measure prompt and decode speed of a causal language model");
  bench_cmd->add_option("model", speed.model, "Model folder, GGUF file or Hub id");
  bench_cmd->add_flag("--jsonl", speed.jsonl, "Read jobs from standard input, one JSON object a line");
  bench_cmd->add_option("--prompt", speed.prompt, "Prompt tokens")->capture_default_str();
  bench_cmd->add_option("--generate", speed.generate, "Generated tokens")->capture_default_str();
  bench_cmd->add_option("-t,--threads", speed.threads, "Threads (default: all cores)");

  CLI::App* env_cmd = app.add_subcommand("env", "Print version, machine and paths for a bug report");

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);  // --help, --version
  }
  if (run_cmd->parsed()) return run_task(run);
  if (chat_cmd->parsed()) return talk.exact = chat_dtype->count() > 0, chat(talk);
  if (download_cmd->parsed()) return download(get);
  if (quantize_cmd->parsed()) return quantize(quant);
  if (tokenize_cmd->parsed()) return tokenize(tok);
  if (bench_cmd->parsed()) return bench(speed);
  if (env_cmd->parsed()) return env();
  std::fputs(app.help().c_str(), stdout);
  return 0;
}

int main(int argc, char** argv) {
  set_log_sink(print_log);
  try {
    return dispatch(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "transformers: %s (try --help)\n", e.what());
    return 2;
  } catch (const NetworkError& e) {
    std::fprintf(stderr, "transformers: %s\n", e.what());
    return 3;
  } catch (const Error& e) {
    std::fprintf(stderr, "transformers: %s\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "transformers: internal error: %s\n", e.what());
    return 1;
  }
}
