// transformers chat MODEL: a conversation in the terminal. Lines are edited with linenoise-style keys (readline when it is
// there); Ctrl-C stops the answer, not the program; commands begin with "!".
#include <csignal>
#include <cstdio>
#include <ctime>
#include <unistd.h>

#include "base/file.h"
#include "base/parallel.h"
#include "commands.h"
#include "generation/chat.h"
#include "io/hub.h"
#include "line_editor.h"
#include "models/loader.h"
#include "ops/blocks.h"
#include "ops/random.h"
#include "tokenizers/gguf_tokenizer.h"

namespace transformers::cli {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;
void on_interrupt(int) { g_interrupted = 1; }

const char* kHelp =
    "  !help            this text\n"
    "  !clear           start a new conversation\n"
    "  !status          model, settings, length of the conversation\n"
    "  !set NAME=VALUE  change a generation setting (max_new_tokens=200, temperature=0.7, do_sample=true, seed=1 ...)\n"
    "  !save [FILE]     write the conversation as JSON\n"
    "  !exit            leave (also Ctrl-D)\n"
    "  Ctrl-C stops the answer.\n";

struct Session {
  const ChatOptions& options;
  std::shared_ptr<Model> model;
  PreTrainedTokenizer tokenizer;
  Json messages = Json::array();
  Json settings = Json::object();
  bool terminal = is_terminal(STDOUT_FILENO);

  void clear() {
    messages = Json::array();
    if (!options.system_prompt.empty()) messages.push_back(Json::object({{"role", "system"}, {"content", options.system_prompt}}));
  }

  void answer(const std::string& text) {
    messages.push_back(Json::object({{"role", "user"}, {"content", text}}));
    const std::string prompt = render_chat(tokenizer, messages, true);
    const std::vector<int64_t> ids = tokenizer.encode(prompt, false);
    Inputs in;
    in.set("input_ids", Tensor::from(ids, {1, static_cast<int64_t>(ids.size())}));
    GenerationConfig g = GenerationConfig::from_json(settings);
    TextDecodeStream stream(tokenizer, true);
    std::string reply;
    int64_t tokens = 0;
    const double start = seconds_now();
    double first = 0;
    const auto show = [&](const std::string& piece) {
      std::fwrite(piece.data(), 1, piece.size(), stdout);
      std::fflush(stdout);
      reply += piece;
    };
    g.streamer = [&](const std::vector<int64_t>& step) {
      if (tokens++ == 0) first = seconds_now();
      if (const auto piece = stream.step(step[0])) show(*piece);
      return g_interrupted == 0;
    };
    g_interrupted = 0;
    struct sigaction action {}, before {};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, &before);
    generate(*model, in, g);
    sigaction(SIGINT, &before, nullptr);
    show(stream.finish());
    const double end = seconds_now();
    std::printf("\n");
    messages.push_back(Json::object({{"role", "assistant"}, {"content", reply}}));
    if (terminal) std::printf("\033[2m");
    std::printf("[%zu prompt tokens, %.1f tokens/s; %lld generated, %.1f tokens/s%s]\n", ids.size(), static_cast<double>(ids.size()) / (first - start),
                static_cast<long long>(tokens), tokens > 1 ? static_cast<double>(tokens - 1) / (end - first) : 0.0, g_interrupted ? "; stopped" : "");
    if (terminal) std::printf("\033[0m");
    g_interrupted = 0;
  }

  // Returns false to leave.
  bool command(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string name = line.substr(0, space), rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (name == "!exit" || name == "!quit") return false;
    if (name == "!help") std::fputs(kHelp, stdout);
    else if (name == "!clear") clear(), std::puts("(new conversation)");
    else if (name == "!status")
      std::printf("model: %s (%s, %.1f million parameters)\nsettings: %s\nmessages: %zu\n", options.model.c_str(), model->class_name().c_str(),
                  static_cast<double>(model->num_parameters()) / 1e6, settings.dump().c_str(), messages.size());
    else if (name == "!set") {
      Json changed = settings;
      const Json given = Json::parse(settings_to_json({rest}));
      for (const auto& [key, value] : given.as_object()) changed.set(key, value);
      GenerationConfig::from_json(changed);  // refuses unknown names
      settings = changed;
    } else if (name == "!save") {
      std::string file = rest;
      if (file.empty()) {
        make_directories(options.save_folder);
        file = join_path(options.save_folder, "chat_" + std::to_string(std::time(nullptr)) + ".json");
      }
      Json::object({{"model", options.model}, {"settings", settings}, {"chat_history", messages}}).save(file);
      std::printf("saved %s\n", file.c_str());
    } else {
      static const std::vector<std::string> known{"!help", "!clear", "!status", "!set", "!save", "!exit"};
      std::printf("unknown command %s.%s (!help lists them)\n", name.c_str(), did_you_mean(name, known).c_str());
    }
    return true;
  }
};

}  // namespace

int chat(const ChatOptions& o) {
  if (o.threads > 0) set_num_threads(o.threads);
  if (o.exact && o.dtype == "float32") set_exact_block_products(true);
  const double start = seconds_now();
  const std::string path = resolve_model(o.model, {});
  PretrainedOptions load;
  load.dtype = o.exact ? o.dtype : "auto";
  Session s{o, ModelLoader::from_pretrained("AutoModelForCausalLM", path, load), load_tokenizer(path)};
  s.settings = Json::parse(settings_to_json(o.settings));
  if (!s.settings.contains("max_new_tokens") && !s.settings.contains("max_length")) s.settings.set("max_new_tokens", 256);
  if (!s.settings.contains("do_sample")) s.settings.set("do_sample", false);
  GenerationConfig::from_json(s.settings);
  s.clear();
  if (s.tokenizer.chat_template().empty()) throw ValueError({o.model, ": the model has no chat template; use `transformers run text-generation`"});
  std::printf("%s loaded in %.0f ms. !help lists commands, !exit leaves.\n", o.model.c_str(), (seconds_now() - start) * 1e3);
  LineEditor editor;
  while (const auto line = editor.read(s.terminal ? "> " : "")) {
    if (line->find_first_not_of(" \t") == std::string::npos) continue;
    try {
      if ((*line)[0] == '!') {
        if (!s.command(*line)) break;
      } else {
        s.answer(*line);
      }
    } catch (const Error& e) {
      std::fflush(stdout);
      std::fprintf(stderr, "%s\n", e.what());
    }
  }
  return 0;
}

}  // namespace transformers::cli
