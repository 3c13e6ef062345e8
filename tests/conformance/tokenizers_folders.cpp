// tokenizers/real and tokenizers/families: whole model folders.
#include <optional>

#include "base/file.h"
#include "tokenizers_common.h"
#include "transformers/error.h"

namespace transformers::conformance {

static std::string check_info(const PreTrainedTokenizer& t, const Json& info) {
  std::string why;
  const auto same = [&](const char* key, const Json& got) {
    if (why.empty() && info.contains(key)) why = compare(key, got, info[key]);
  };
  same("vocab_size", t.vocab_size());
  same("len", t.size());
  if (info["special_tokens_map"].is_object() && why.empty()) {
    const Json got = t.special_tokens_map();
    for (const auto& [name, value] : info["special_tokens_map"].as_object()) {
      if (value.is_object()) {  // {"count", "first", "last"} of a long list
        const Json& list = got[name];
        if (list.size() != static_cast<size_t>(value.get("count", 0))) return name + ": got " + std::to_string(list.size()) + " tokens";
      } else if (why.empty()) {
        why = compare(name, got[name], value);
      }
    }
    if (why.empty() && got.size() != info["special_tokens_map"].size()) why = compare("special_tokens_map", got, info["special_tokens_map"]);
  }
  same("all_special_tokens", to_json(t.all_special_tokens()));
  same("all_special_ids", to_json(t.all_special_ids()));
  for (const char* name : {"bos", "eos", "unk", "sep", "pad", "cls", "mask"}) {
    const auto id = t.special_token_id(std::string(name) + "_token");
    same((std::string(name) + "_token_id").c_str(), id ? Json(*id) : Json());
  }
  if (info.contains("added_vocab")) {
    Json added = Json::object();
    for (const auto& [token, id] : t.get_added_vocab()) added.set(token, id);
    same("added_vocab", added);
  }
  same("added_vocab_size", t.get_added_vocab().size());
  same("padding_side", t.padding_side() == Side::left ? "left" : "right");
  same("truncation_side", t.truncation_side() == Side::left ? "left" : "right");
  const auto length = t.model_max_length();
  same("model_max_length", length ? Json(*length) : Json());
  same("model_input_names", to_json(t.model_input_names()));
  same("clean_up_tokenization_spaces", t.clean_up_tokenization_spaces());
  same("pad_token_type_id", t.pad_token_type_id());
  same("num_special_tokens_to_add", t.num_special_tokens_to_add(false));
  same("num_special_tokens_to_add_pair", t.num_special_tokens_to_add(true));
  if (info["class"].is_string() && info.contains("is_fast")) same("class", t.class_name());
  return why;
}

static TokenizeOptions options_of(const Json& opts) {
  TokenizeOptions o;
  o.return_encodings = true;
  for (const auto& [key, value] : opts.as_object()) {
    if (key == "add_special_tokens") o.add_special_tokens = value.as_bool();
    else if (key == "padding") o.padding = value.is_string() ? padding_from_name(value.as_string()) : value.as_bool() ? PaddingStrategy::longest : PaddingStrategy::none;
    else if (key == "truncation") o.truncation = value.is_string() ? truncation_from_name(value.as_string()) : value.as_bool() ? TruncationStrategy::longest_first : TruncationStrategy::none;
    else if (key == "max_length") o.max_length = value.as_int();
    else if (key == "stride") o.stride = value.as_int();
    else if (key == "pad_to_multiple_of") o.pad_to_multiple_of = value.as_int();
    else if (key == "padding_side") o.padding_side = side_from_name(value.as_string());
    else if (key == "truncation_side") o.truncation_side = side_from_name(value.as_string());
    else if (key == "return_overflowing_tokens") o.return_overflowing_tokens = value.as_bool();
    else if (key == "split_special_tokens") o.split_special_tokens = value.as_bool();
    else if (key == "is_split_into_words" || key == "src_lang" || key == "tgt_lang" || key == "text_target") continue;
    else throw Error("unknown option " + key);
  }
  return o;
}

static BatchEncoding call(const PreTrainedTokenizer& base, const Json& line) {
  const Json opts = line.contains("opts") ? line["opts"] : Json::object();
  const TokenizeOptions o = options_of(opts);
  PreTrainedTokenizer t = base;
  if (opts.contains("src_lang")) t.set_src_lang(opts["src_lang"].as_string());
  if (opts.contains("tgt_lang")) t.set_tgt_lang(opts["tgt_lang"].as_string());
  if (opts.get("text_target", false)) t.switch_to_target_mode();
  const Json &text = line.at("text"), &pair = line["pair"];
  if (opts.get("is_split_into_words", false)) {
    if (text.size() > 0 && text.at(size_t{0}).is_array()) {
      std::vector<std::vector<std::string>> batch;
      for (const Json& words : text.as_array()) batch.push_back(strings_of(words));
      return t.words(batch, o);
    }
    return pair.is_null() ? t.words(strings_of(text), o) : t.words(strings_of(text), strings_of(pair), o);
  }
  if (text.is_array()) {
    if (pair.is_array()) {
      std::vector<PreTrainedTokenizer::Pair> pairs;
      for (size_t i = 0; i < text.size(); ++i) pairs.emplace_back(text.at(i).as_string(), pair.at(i).as_string());
      return t(pairs, o);
    }
    return t(strings_of(text), o);
  }
  return pair.is_null() ? t(std::string_view(text.as_string()), o)
                        : t(std::string_view(text.as_string()), std::string_view(pair.as_string()), o);
}

static std::string check_decodes(const PreTrainedTokenizer& t, const std::vector<int64_t>& ids, const Json& line) {
  const Json* want = line.find("decode");
  if (!want) return "";
  std::string why = compare("decode", t.decode(ids, false, false), *want);
  if (line.contains("decode_skip")) want = line.find("decode_skip");
  if (why.empty()) why = compare("decode_skip", t.decode(ids, true, false), *want);
  if (line.contains("decode_clean")) want = line.find("decode_clean");
  if (why.empty()) why = compare("decode_clean", t.decode(ids, true, true), *want);
  return why;
}

// A row of a call: what the class does not return is not compared.
static std::string check_row(const BatchEncoding& rows, size_t i, const Json& row) {
  return compare_row(rows.encodings.at(i), row);
}

static std::string check_line(const PreTrainedTokenizer& t, const Json& line, const std::string& folder) {
  const std::string& op = line.at("op").as_string();
  if (op == "encode") {
    const BatchEncoding rows = call(t, line);
    const Json& out = line.at("out");
    if (out.is_object()) {
      std::string why = rows.size() == 1 ? check_row(rows, 0, out) : "got " + std::to_string(rows.size()) + " rows";
      return why.empty() ? check_decodes(t, rows.input_ids[0], line) : why;
    }
    const auto count = static_cast<size_t>(line.get("rows", static_cast<int64_t>(out.size())));
    if (rows.size() != count) return "got " + std::to_string(rows.size()) + " rows, want " + std::to_string(count);
    for (size_t i = 0; i < out.size(); ++i) {
      const std::string why = check_row(rows, i, out.at(i));
      if (!why.empty()) return "row " + std::to_string(i) + " " + why;
    }
    if (line.contains("sample_map")) {
      std::vector<int64_t> map = rows.overflow_to_sample_mapping;
      map.resize(std::min(map.size(), line["sample_map"].size()));
      return compare("sample_map", to_json(map), line["sample_map"]);
    }
    return "";
  }
  if (op == "decode") return check_decodes(t, ids_of(line.at("ids")), line);
  if (op == "id_to_token") {
    Json::Array tokens;
    const auto ids = ids_of(line.at("ids"));
    for (int64_t id : ids) {
      const auto token = t.convert_id_to_token(id);
      tokens.push_back(token ? Json(*token) : Json());
    }
    std::string why = compare("tokens", Json(std::move(tokens)), line.at("tokens"));
    if (why.empty() && line.contains("decoded")) {
      Json::Array decoded;
      for (int64_t id : ids) decoded.push_back(Json(t.decode({id}, false, false)));
      why = compare("decoded", Json(std::move(decoded)), line["decoded"]);
    }
    return why;
  }
  if (op == "stream") return check_stream(t, line);
  return check_family_line(t, line, folder);
}

void run_tokenizer_folders(Runner& runner, const std::string& dir, const std::string& part) {
  for (const std::string& file : list_directory(dir)) {
    if (!file.ends_with(".jsonl")) continue;
    const std::string name = file.substr(0, file.size() - 6);
    runner.begin(part + "/" + name);
    PreTrainedTokenizer tokenizer;
    std::string broken = "no info line", folder;
    int n = 0;
    for_each_line(runner, join_path(dir, file), [&](const Json& line) {
      const std::string op = line.get("op", "");
      if (op == "info") {
        folder = part == "real" && !runner.assets.empty() ? join_path(join_path(runner.assets, "tokenizers"), name)
                 : part == "real" ? join_path(dir, "../../../assets/tokenizers/" + name) : join_path(dir, name);
        try {
          TokenizerLoadOptions options;
          if (!line.get("auto", true)) options.overrides.set("tokenizer_class", line["class"]);
          else if (part == "families" && line["class"].is_string() && !directory_exists(join_path(folder, "generator_tokenizer")))
            options.overrides.set("tokenizer_class", line["class"]);
          tokenizer = AutoTokenizer::from_pretrained(folder, options);
          broken.clear();
        } catch (const std::exception& e) {
          broken = e.what();
        }
      }
      const std::string id = part + "/" + name + "/" + op + "/" + std::to_string(n++) + line.get("id", "");
      runner.run(id, [&]() -> std::string {
        if (!broken.empty()) return broken;
        if (op == "info") return check_info(tokenizer, line);
        if (!line.contains("error")) return check_line(tokenizer, line, folder);
        try {
          check_line(tokenizer, line, folder);
        } catch (const Error&) {
          return "";
        }
        return "the reference refuses this";
      });
    });
  }
}

}  // namespace transformers::conformance
