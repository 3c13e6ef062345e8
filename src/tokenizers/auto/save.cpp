// save_pretrained: tokenizer.json, tokenizer_config.json, special_tokens_map.json and the chat templates.
#include "base/file.h"
#include "tokenizers/tokenizer_impl.h"

namespace transformers {
using namespace tokenizers;

void PreTrainedTokenizer::save_pretrained(const std::string& dir) const {
  make_directories(dir);
  const TokenizerImpl& t = *impl_;
  t.engine.to_json().save(join_path(dir, "tokenizer.json"));
  Json config = t.config;
  Json added = Json::object();
  for (const auto& [id, token] : t.engine.added.sorted()) {
    Json a = Json::object();
    a.set("content", token.content);
    a.set("lstrip", token.lstrip);
    a.set("normalized", token.normalized);
    a.set("rstrip", token.rstrip);
    a.set("single_word", token.single_word);
    a.set("special", token.special);
    added.set(std::to_string(id), std::move(a));
  }
  config.set("added_tokens_decoder", std::move(added));
  const Json map = special_tokens_map();
  for (const auto& [name, value] : map.as_object()) config.set(name, value);
  config.set("clean_up_tokenization_spaces", t.clean_up);
  config.set("padding_side", t.padding_side == Side::left ? "left" : "right");
  config.set("truncation_side", t.truncation_side == Side::left ? "left" : "right");
  if (t.model_max_length >= 0) config.set("model_max_length", t.model_max_length);
  else config.set("model_max_length", 1e30);
  const std::string base = t.class_name.ends_with("Fast") && t.class_name != "PreTrainedTokenizerFast"
                               ? t.class_name.substr(0, t.class_name.size() - 4) : t.class_name;
  config.set("tokenizer_class", base);
  config.erase("chat_template");
  config.save(join_path(dir, "tokenizer_config.json"));
  map.save(join_path(dir, "special_tokens_map.json"));
  for (const auto& [name, text] : t.chat_templates) {
    if (name == "default") { write_file(join_path(dir, "chat_template.jinja"), text); continue; }
    if (name.find('/') != std::string::npos) continue;
    make_directories(join_path(dir, "additional_chat_templates"));
    write_file(join_path(join_path(dir, "additional_chat_templates"), name + ".jinja"), text);
  }
}

}  // namespace transformers
