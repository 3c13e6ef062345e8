// Chat templates: cases.jsonl, snippets.jsonl and real.jsonl of tests/conformance/data/chat_templates.
#include "transformers/chat_template.h"

#include <map>

#include "base/file.h"
#include "runner.h"
#include "transformers/tokenizer.h"

namespace transformers::conformance {
namespace {

using Templates = std::map<std::string, std::string>;

std::vector<Json> read_lines(const std::string& path) {
  const std::string text = read_file(path);
  std::vector<Json> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) out.push_back(Json::parse(std::string_view(text).substr(at, end - at), path));
    at = end + 1;
  }
  return out;
}

bool same_kind(const std::string& wanted, TemplateErrorKind kind) {
  if (wanted == "TemplateSyntaxError" || wanted == "TemplateAssertionError") return kind == TemplateErrorKind::syntax;
  if (wanted == "TemplateError") return kind == TemplateErrorKind::raised;
  return wanted == to_string(kind);
}

// Compares a rendering, or its error, with the case's.
std::string check(const std::string& source, const ChatTemplate::RenderOptions& options, const Json& test) {
  ChatTemplate::Rendered got;
  try {
    got = ChatTemplate(source).render(options);
  } catch (const ChatTemplateError& e) {
    if (!test.contains("error")) return e.what();
    if (!same_kind(test["error"].as_string(), e.kind()))
      return "expected " + test["error"].as_string() + ", got " + e.what();
    if (e.kind() == TemplateErrorKind::raised && e.detail() != test["message"].as_string())
      return "expected the message \"" + test["message"].as_string() + "\", got \"" + e.detail() + "\"";
    return "";
  }
  if (test.contains("error")) return "expected " + test["error"].as_string() + ", got \"" + got.text + "\"";
  if (test.contains("out") && got.text != test["out"].as_string())
    return "expected " + test["out"].dump() + ", got " + Json(got.text).dump();
  if (!test.contains("spans")) return "";
  Json spans = Json::array();
  for (const auto& [start, end] : got.generation_spans) {
    Json pair = Json::array();
    pair.push_back(start), pair.push_back(end);
    spans.push_back(pair);
  }
  return spans == test["spans"] ? "" : "expected spans " + test["spans"].dump() + ", got " + spans.dump();
}

ChatTemplate::RenderOptions render_options(const Json& test) {
  ChatTemplate::RenderOptions o;
  o.messages = test["messages"], o.tools = test["tools"], o.documents = test["documents"];
  const Json& opts = test["opts"];
  o.add_generation_prompt = opts.get("add_generation_prompt", false);
  o.continue_final_message = opts.get("continue_final_message", false);
  o.return_assistant_tokens_mask = opts.get("return_assistant_tokens_mask", false);
  o.variables = Json::object();
  o.now = ChatTemplate::Clock{2026, 7, 26, 15, 4, 5};
  return o;
}
void set_all(Json& into, const Json& from) {
  if (!from.is_object()) return;
  for (const Json::Member& m : from.as_object()) into.set(m.first, m.second);
}

void run_cases(Runner& runner, const std::string& dir, const Templates& templates) {
  runner.begin("chat_templates/cases");
  for (const Json& test : read_lines(join_path(dir, "cases.jsonl"))) {
    runner.run(test["id"].as_string(), [&] {
      ChatTemplate::RenderOptions o = render_options(test);
      for (const auto& [name, text] : {std::pair{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"},
                                       {"pad_token", "<pad>"}})
        o.variables.set(name, Json(text));
      set_all(o.variables, test["special"]), set_all(o.variables, test["vars"]);
      return check(templates.at(test["template"].as_string()), o, test);
    });
  }
}

void run_snippets(Runner& runner, const std::string& dir) {
  runner.begin("chat_templates/snippets");
  Json vars;
  for (const Json& test : read_lines(join_path(dir, "snippets.jsonl"))) {
    if (test.contains("vars")) {
      vars = test["vars"];
      continue;
    }
    runner.run("snippet" + std::to_string(test["id"].as_int()), [&] {
      ChatTemplate::RenderOptions o = render_options(test);
      o.messages = Json::array();
      set_all(o.variables, vars);
      return check(test["template"].as_string(), o, test);
    });
  }
}

std::string compare(const char* what, const Json& wanted, const Json& got) {
  return wanted == got ? "" : std::string("expected ") + what + " " + wanted.dump() + ", got " + got.dump();
}
Json row_json(const std::vector<int64_t>& row) {
  Json out = Json::array();
  for (const int64_t id : row) out.push_back(id);
  return out;
}
Json rows_json(const BatchEncoding::Rows& rows) {
  Json out = Json::array();
  for (const std::vector<int64_t>& row : rows) out.push_back(row_json(row));
  return out;
}

// The conversations of a "batch" case, tokenized together.
std::string check_batch(const ChatTemplate& compiled, ChatTemplate::RenderOptions options, const PreTrainedTokenizer& tokenizer,
                        const Json& test) {
  std::vector<std::string> texts;
  for (const Json& chat : test["batch"].as_array()) {
    options.messages = chat;
    texts.push_back(compiled.render(options).text);
  }
  const Json& opts = test["opts"];
  TokenizeOptions o;
  o.add_special_tokens = false;
  if (opts.get("padding", false)) o.padding = PaddingStrategy::longest;
  if (opts.get("truncation", false)) o.truncation = TruncationStrategy::longest_first;
  if (opts["max_length"].is_int()) o.max_length = opts["max_length"].as_int();
  const BatchEncoding rows = tokenizer(texts, o);
  const std::string why = compare("ids", test["ids"], rows_json(rows.input_ids));
  return !why.empty() ? why : compare("mask", test["mask"], rows_json(rows.attention_mask));
}
// Which tokens came from {% generation %} blocks, as the reference finds them.
std::string check_assistant_masks(const ChatTemplate& compiled, const ChatTemplate::RenderOptions& options,
                                  const PreTrainedTokenizer& tokenizer, const Json& test) {
  const ChatTemplate::Rendered r = compiled.render(options);
  TokenizeOptions o;
  o.add_special_tokens = false, o.return_encodings = true;
  const BatchEncoding rows = tokenizer(r.text, o);
  std::vector<int64_t> mask(rows.input_ids[0].size(), 0);
  for (const auto& [start, end] : r.generation_spans) {
    const std::optional<int64_t> first = rows.encodings[0].char_to_token(start);
    if (!first) break;
    const std::optional<int64_t> last = rows.encodings[0].char_to_token(end - 1);
    const int64_t stop = last && *last ? *last + 1 : static_cast<int64_t>(mask.size());
    for (int64_t t = *first; t < stop; ++t) mask[static_cast<size_t>(t)] = 1;
  }
  const std::string why = compare("ids", test["ids"], row_json(rows.input_ids[0]));
  return !why.empty() ? why : compare("assistant_masks", test["assistant_masks"], row_json(mask));
}

void run_real(Runner& runner, const std::string& dir, const Templates& templates) {
  runner.begin("chat_templates/real");
  std::map<std::string, PreTrainedTokenizer> loaded;
  for (const Json& test : read_lines(join_path(dir, "real.jsonl"))) {
    const std::string id = test["id"].as_string(), folder = test["folder"].as_string(), prefix = "assets/";
    if (runner.assets.empty()) {
      if (runner.wanted(id)) runner.skip(id, "TRANSFORMERS_ASSETS is not set");
      continue;
    }
    runner.run(id, [&]() -> std::string {
      const std::string path = join_path(runner.assets, folder.substr(folder.rfind(prefix, 0) == 0 ? prefix.size() : 0));
      PreTrainedTokenizer& tokenizer = loaded[folder];
      if (!tokenizer) tokenizer = AutoTokenizer::from_pretrained(path);
      const auto& own = tokenizer.chat_template();
      const std::string source = test.contains("template") ? templates.at(test["template"].as_string())
                                 : own.count("default")    ? own.at("default") : "";
      if (source.empty()) return "the tokenizer has no chat template";
      const ChatTemplate compiled(source);
      ChatTemplate::RenderOptions o = render_options(test);
      set_all(o.variables, tokenizer.special_tokens_map()), set_all(o.variables, test["vars"]);
      if (test.contains("batch")) return check_batch(compiled, o, tokenizer, test);
      if (test.contains("assistant_masks")) return check_assistant_masks(compiled, o, tokenizer, test);
      const std::string why = check(source, o, test);
      if (!why.empty() || test.contains("error")) return why;
      return compare("ids", test["ids"], row_json(tokenizer.encode(compiled.render(o).text, false)));
    });
  }
}

}  // namespace

void run_chat_templates(Runner& runner, const std::string& dir) {
  Templates templates;
  for (const Json& t : read_lines(join_path(dir, "templates.jsonl")))
    templates[t["name"].as_string()] = t["template"].as_string();
  run_cases(runner, dir, templates);
  run_snippets(runner, dir);
  run_real(runner, dir, templates);
}

}  // namespace transformers::conformance
