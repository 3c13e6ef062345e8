// AutoTokenizer: finds the class, reads tokenizer.json or the classic files, then applies tokenizer_config.json
// (tokenization_auto.py, tokenization_utils_base.py and tokenization_utils_fast.py of the reference).
#include <algorithm>

#include "base/file.h"
#include "tokenizers/auto/class_table.h"
#include "tokenizers/auto/loading.h"
#include "transformers/error.h"

namespace transformers {
namespace tokenizers {

std::string Source::path(std::string_view name) const { return join_path(dir, name); }
bool Source::has(std::string_view name) const { return !dir.empty() && file_exists(path(name)); }

std::string class_base(std::string_view name) {
  if (name.ends_with("Fast")) name.remove_suffix(4);
  if (name.ends_with("Tokenizer")) name.remove_suffix(9);
  return std::string(name);
}

static const ClassInfo* find_class(std::string_view base) {
  for (size_t i = 0; i < kClassCount; ++i)
    if (base == kClasses[i].name) return &kClasses[i];
  return nullptr;
}

static std::string class_of(const Source& s) {
  std::string name = s.config.get("tokenizer_class", "");
  if (name.empty() && s.has("config.json")) {
    const Json config = Json::load(s.path("config.json"));
    name = config.get("tokenizer_class", "");
    const std::string model_type = config.get("model_type", "");
    for (size_t i = 0; name.empty() && i < kModelClassCount; ++i)
      if (model_type == kModelClasses[i].model_type) name = kModelClasses[i].class_name;
  }
  return name.empty() ? "PreTrainedTokenizerFast" : name;
}

static std::string token_text(const Json& json) {
  return json.is_string() ? json.as_string() : json.is_object() ? json.get("content", "") : "";
}

void apply_config(TokenizerImpl& t, const Source& source, const std::string& base) {
  const Json& c = t.config;
  const ClassInfo* info = find_class(base);
  t.class_name = base + "Tokenizer" + (!info || info->fast ? "Fast" : "");
  if (info) {
    std::string_view list = info->specials;
    while (!list.empty()) {
      const size_t end = std::min(list.find('|', list.find('=') + 1), list.size());
      // A token may hold '|' itself: "<|endoftext|>"; entries begin with a name ending in _token=
      size_t cut = end;
      while (cut < list.size()) {
        const size_t eq = list.find('=', cut + 1);
        const std::string_view name = eq == std::string_view::npos ? std::string_view() : list.substr(cut + 1, eq - cut - 1);
        if (name.ends_with("_token") && name.find_first_of("<>|[]") == std::string_view::npos) break;
        cut = std::min(list.find('|', cut + 1), list.size());
      }
      const std::string_view entry = list.substr(0, cut);
      const size_t eq = entry.find('=');
      t.set_special(entry.substr(0, eq), std::string(entry.substr(eq + 1)));
      list.remove_prefix(std::min(cut + 1, list.size()));
    }
    t.model_input_names = {"input_ids"};
    for (const char* f = info->inputs; *f; ++f) t.model_input_names.push_back(*f == 't' ? "token_type_ids" : "attention_mask");
    t.padding_side = info->side == 'l' ? Side::left : Side::right;
  }
  if (const Json* names = c.find("model_input_names"); names && names->is_array()) {
    t.model_input_names.clear();
    for (const Json& n : names->as_array()) t.model_input_names.push_back(n.as_string());
  }
  t.clean_up = c.get("clean_up_tokenization_spaces", false);
  t.split_special_tokens = c.get("split_special_tokens", false);
  t.pad_token_type_id = c.get("pad_token_type_id", 0);
  if (c["padding_side"].is_string()) t.padding_side = side_from_name(c["padding_side"].as_string());
  else if (t.engine.padding) t.padding_side = t.engine.padding->side, t.pad_token_type_id = t.engine.padding->type_id;
  if (c["truncation_side"].is_string()) t.truncation_side = side_from_name(c["truncation_side"].as_string());
  else if (t.engine.truncation) t.truncation_side = t.engine.truncation->side;
  const Json& length = c.contains("model_max_length") ? c["model_max_length"] : c["max_len"];
  if (length.is_number()) {
    const double v = length.as_double();
    t.model_max_length = v > 1e20 || !(v >= 0) ? -1 : length.as_int();
  }

  // Special tokens: tokenizer_config.json; special_tokens_map.json only for folders without added_tokens_decoder.
  Json tokens = c;
  if (!c.contains("added_tokens_decoder") && source.has("special_tokens_map.json")) {
    const Json map = Json::load(source.path("special_tokens_map.json"));
    if (map.is_object())
      for (const auto& [name, value] : map.as_object()) tokens.set(name, value);
  }
  const auto apply = [&](const std::string& name, const Json& value) {
    if (value.is_null()) {
      std::erase_if(t.named, [&](const auto& x) { return x.first == name; });
    } else if (const std::string text = token_text(value); !text.empty()) {
      t.set_special(name, text);
    }
  };
  for (const auto& [name, value] : tokens.as_object()) {
    bool known = name == "additional_special_tokens";
    for (const char* n : kSpecialNames) known |= name == n;
    for (const auto& [n, token] : t.named) known |= name == n;
    if (!known) continue;
    if (name != "additional_special_tokens") { apply(name, value); continue; }
    if (!value.is_array()) continue;
    t.additional.clear();
    for (const Json& v : value.as_array())
      if (const std::string text = token_text(v); !text.empty()) t.additional.push_back(text);
  }
  if (c["extra_special_tokens"].is_object())
    for (const auto& [name, value] : c["extra_special_tokens"].as_object()) apply(name, value);
  if (!t.find_special("pad_token") && t.engine.padding && !c.contains("pad_token")) t.set_special("pad_token", t.engine.padding->token);
  // The reference's order of names.
  std::vector<std::pair<std::string, std::string>> ordered;
  for (const char* n : kSpecialNames)
    if (const std::string* s = t.find_special(n)) ordered.emplace_back(n, *s);
  for (const auto& x : t.named) {
    bool known = false;
    for (const char* n : kSpecialNames) known |= x.first == n;
    if (!known) ordered.push_back(x);
  }
  t.named = std::move(ordered);
}

static AddedToken read_added(const Json& j, bool special) {
  AddedToken a;
  a.content = token_text(j);
  a.special = j.is_object() ? j.get("special", special) : special;
  a.single_word = j.is_object() && j.get("single_word", false);
  a.lstrip = j.is_object() && j.get("lstrip", false);
  a.rstrip = j.is_object() && j.get("rstrip", false);
  a.normalized = j.is_object() ? j.get("normalized", !a.special) : !a.special;
  return a;
}

void add_config_tokens(TokenizerImpl& t, const Source& source) {
  const Json& c = t.config;
  std::vector<std::string> specials;
  for (const auto& [name, token] : t.named) specials.push_back(token);
  specials.insert(specials.end(), t.additional.begin(), t.additional.end());
  const auto is_special = [&](const std::string& s) { return std::find(specials.begin(), specials.end(), s) != specials.end(); };
  std::vector<std::pair<int64_t, AddedToken>> tokens;
  if (c["added_tokens_decoder"].is_object()) {
    for (const auto& [id, value] : c["added_tokens_decoder"].as_object()) {
      if (id.empty() || id.size() > 10 || id.find_first_not_of("0123456789") != std::string::npos)
        throw TokenizerError({"tokenizer_config.json: added_tokens_decoder has the key \"", id, "\", which is no id"});
      tokens.emplace_back(std::stoll(id), read_added(value, false));
    }
  } else if (source.has("added_tokens.json")) {
    const Json added = Json::load(source.path("added_tokens.json"));
    if (added.is_object())
      for (const auto& [text, id] : added.as_object()) {
        const bool special = is_special(text);
        tokens.emplace_back(id.as_int(), AddedToken{text, false, false, false, !special, special});
      }
  }
  std::stable_sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<AddedToken> list;
  for (auto& [id, a] : tokens) {
    a.special = a.special || is_special(a.content);
    list.push_back(std::move(a));
  }
  for (const std::string& s : specials) {
    bool listed = t.engine.added.id(s) >= 0;
    for (const AddedToken& a : list) listed |= a.content == s;
    if (listed) continue;
    // The token may be described by an object in the config.
    AddedToken a{s, false, false, false, false, true};
    for (const auto& [name, value] : c.as_object())
      if (value.is_object() && token_text(value) == s && value.contains("lstrip")) a = read_added(value, true), a.special = true;
    list.push_back(a);
  }
  t.engine.add_tokens(list);
}

static void load_chat_templates(TokenizerImpl& t, const Source& s) {
  const Json& c = t.config["chat_template"];
  if (c.is_string()) t.chat_templates["default"] = c.as_string();
  if (c.is_array())
    for (const Json& item : c.as_array()) t.chat_templates[item.at("name").as_string()] = item.at("template").as_string();
  if (s.has("chat_template.jinja")) t.chat_templates["default"] = read_file(s.path("chat_template.jinja"));
  const std::string more = s.path("additional_chat_templates");
  if (!s.dir.empty() && directory_exists(more))
    for (const std::string& name : list_directory(more))
      if (name.ends_with(".jinja")) t.chat_templates[name.substr(0, name.size() - 6)] = read_file(join_path(more, name));
}

static PreTrainedTokenizer finish(std::shared_ptr<TokenizerImpl> t, const Source& source, const std::string& base) {
  apply_config(*t, source, base);
  add_config_tokens(*t, source);
  finish_class(*t, base);
  load_chat_templates(*t, source);
  return PreTrainedTokenizer(std::move(t));
}

}  // namespace tokenizers
using namespace tokenizers;

PreTrainedTokenizer AutoTokenizer::from_tokenizer_text(std::string_view text, const Json& config) {
  auto t = std::make_shared<TokenizerImpl>();
  t->engine = Engine::from_json(text);
  Source source;
  source.config = config.is_object() ? config : Json::object();
  t->config = source.config;
  return finish(std::move(t), source, class_base(class_of(source)));
}
PreTrainedTokenizer AutoTokenizer::from_tokenizer_json(const Json& json, const Json& config) {
  return from_tokenizer_text(json.dump(), config);
}

PreTrainedTokenizer AutoTokenizer::from_pretrained(const std::string& dir, const TokenizerLoadOptions& options) {
  if (!directory_exists(dir)) throw IoError({"tokenizer: no such folder: ", dir});
  Source source;
  source.dir = dir;
  if (source.has("tokenizer_config.json")) source.config = Json::load(source.path("tokenizer_config.json"));
  if (!source.config.is_object()) throw ConfigError({dir, "/tokenizer_config.json: expected an object"});
  for (const auto& [name, value] : options.overrides.as_object()) source.config.set(name, value);
  const std::string base = class_base(class_of(source));
  auto t = std::make_shared<TokenizerImpl>();
  t->config = source.config;
  if (source.has("tokenizer.json") && options.use_fast) {
    const MappedFile file(source.path("tokenizer.json"));
    t->engine = Engine::from_json(file.text(), source.path("tokenizer.json"));
  } else {
    load_classic(*t, source, base);
  }
  return finish(std::move(t), source, base);
}

}  // namespace transformers
