// tokenizers/small: whole tokenizer.json files with small vocabularies.
#include <optional>

#include "base/file.h"
#include "tokenizers_common.h"
#include "tokenizers/core/engine.h"
#include "transformers/error.h"

namespace transformers::conformance {
namespace tk = transformers::tokenizers;

static std::string check(const tk::Engine& engine, const PreTrainedTokenizer& tokenizer, const Json& line) {
  const std::string& op = line.at("op").as_string();
  std::string why;
  if (op == "encode") {
    const tk::Input text{line.at("text").as_string()};
    const bool special = line.get("add_special_tokens", true);
    std::optional<tk::Input> pair;
    if (line["pair"].is_string()) pair.emplace(tk::Input{line["pair"].as_string()});
    const Encoding e = engine.encode(text, pair ? &*pair : nullptr, special, true, engine.truncation, engine.padding, false);
    if (!(why = compare_row(e, line.at("out"))).empty()) return why;
    if (line.contains("decode") && !(why = compare("decode", engine.decode(e.ids, false), line["decode"])).empty()) return why;
    const Json& skip = line.contains("decode_skip") ? line["decode_skip"] : line["decode"];
    if (!skip.is_null() && !(why = compare("decode_skip", engine.decode(e.ids, true), skip)).empty()) return why;
    const Encoding plain = engine.encode(text, pair ? &*pair : nullptr, special, false, engine.truncation, engine.padding, false);
    if (plain.ids != e.ids) return "ids differ when no offsets are asked for";
    return "";
  }
  if (op == "encode_words") {
    const auto words = strings_of(line.at("words"));
    const tk::Input input{{}, &words};
    return compare_row(engine.encode(input, nullptr, true, true, engine.truncation, engine.padding, false), line.at("out"));
  }
  if (op == "encode_batch") {
    std::vector<Encoding> batch;
    for (const Json& t : line.at("texts").as_array()) {
      const bool pair = t.is_array();
      const std::string a = pair ? t.at(size_t{0}).as_string() : t.as_string(), b = pair ? t.at(size_t{1}).as_string() : "";
      const tk::Input first{a}, second{b};
      batch.push_back(engine.encode(first, pair ? &second : nullptr, true, true, engine.truncation, engine.padding, false));
    }
    if (engine.padding) tk::pad_batch(batch, *engine.padding);
    const Json::Array& rows = line.at("out").as_array();
    for (size_t i = 0; i < rows.size(); ++i)
      if (!(why = compare_row(batch.at(i), rows[i])).empty()) return "row " + std::to_string(i) + " " + why;
    return "";
  }
  if (op == "stream") return check_stream(tokenizer, line);
  return "unknown op " + op;
}

void run_tokenizer_small(Runner& runner, const std::string& dir) {
  for (const std::string& file : list_directory(dir)) {
    if (!file.ends_with(".jsonl")) continue;
    const std::string name = file.substr(0, file.size() - 6);
    runner.begin("small/" + name);
    std::optional<tk::Engine> engine;
    PreTrainedTokenizer tokenizer;
    std::string broken;
    try {
      const std::string text = read_file(join_path(dir, name + ".json"));
      engine = tk::Engine::from_json(text);
      tokenizer = AutoTokenizer::from_tokenizer_text(text);
    } catch (const std::exception& e) {
      broken = e.what();
    }
    int n = 0;
    for_each_line(runner, join_path(dir, file), [&](const Json& line) {
      const std::string id = "small/" + name + "/" + line["op"].as_string() + "/" + std::to_string(n++) + line.get("id", "");
      runner.run(id, [&]() -> std::string {
        if (!broken.empty()) return broken;
        if (!line.contains("error")) return check(*engine, tokenizer, line);
        try {
          check(*engine, tokenizer, line);
        } catch (const Error&) {
          return "";
        }
        return "the reference refuses this";
      });
    });
  }
}

}  // namespace transformers::conformance
