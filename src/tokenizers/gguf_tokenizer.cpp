// GGUF vocabularies as tokenizer.json and back. Reference: transformers/integrations/ggml.py (GGUF*Converter), and the
// conventions of GGUF files for WordPiece (word starts carry U+2581, continuations nothing).
#include "tokenizers/gguf_tokenizer.h"

#include <algorithm>
#include <unordered_map>

#include "base/file.h"
#include "transformers/error.h"

namespace transformers {
namespace {

const std::string kSpace = "\xE2\x96\x81";  // U+2581
enum TokenType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

Json object(Json::Object members) { return Json::object(std::move(members)); }
Json regex_split(const char* pattern) {
  return object({{"type", "Split"}, {"pattern", object({{"Regex", pattern}})}, {"behavior", "Isolated"}, {"invert", false}});
}
Json byte_level(bool use_regex) { return object({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}}); }
Json sequence(const char* list, Json::Array items) { return object({{"type", "Sequence"}, {list, Json(std::move(items))}}); }

int type_of(const GgufVocabulary& v, size_t i) { return i < v.token_type.size() ? v.token_type[i] : static_cast<int>(normal); }

Json vocabulary_map(const std::vector<std::string>& tokens) {
  Json::Object map;
  map.reserve(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) map.emplace_back(tokens[i], Json(static_cast<int64_t>(i)));
  return Json::object(std::move(map));
}

Json added_tokens(const GgufVocabulary& v) {
  Json list = Json::array();
  for (size_t i = 0; i < v.tokens.size(); ++i) {
    const int type = type_of(v, i);
    if (type != control && type != user_defined && type != unknown) continue;
    list.push_back(object({{"id", static_cast<int64_t>(i)}, {"content", v.tokens[i]}, {"single_word", false}, {"lstrip", false}, {"rstrip", false},
                           {"normalized", false}, {"special", type != user_defined}}));
  }
  return list;
}

// Adds bos / eos around the text, as add_bos_token and add_eos_token ask.
Json template_processor(const GgufVocabulary& v, bool bos, bool eos) {
  Json single = Json::array(), pair = Json::array(), special = Json::object();
  const auto add = [&](Json& list, int64_t id, int64_t segment) {
    const std::string& token = v.tokens[static_cast<size_t>(id)];
    list.push_back(object({{"SpecialToken", object({{"id", token}, {"type_id", segment}})}}));
    special.set(token, object({{"id", token}, {"ids", Json(Json::Array{Json(id)})}, {"tokens", Json(Json::Array{Json(token)})}}));
  };
  const auto text = [](Json& list, const char* id, int64_t segment) { list.push_back(object({{"Sequence", object({{"id", id}, {"type_id", segment}})}})); };
  if (bos) add(single, *v.bos_id, 0), add(pair, *v.bos_id, 0);
  text(single, "A", 0), text(pair, "A", 0);
  if (eos) add(single, *v.eos_id, 0), add(pair, *v.eos_id, 0);
  if (bos) add(pair, *v.bos_id, 1);
  text(pair, "B", 1);
  if (eos) add(pair, *v.eos_id, 1);
  return object({{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", special}});
}

// SentencePiece BPE has scores only: a merge exists for every way to build a token from two others, best score first.
Json merges_from_scores(const GgufVocabulary& v) {
  std::unordered_map<std::string, size_t> ids;
  for (size_t i = 0; i < v.tokens.size(); ++i) ids.emplace(v.tokens[i], i);
  struct Merge { std::string left, right; float score; size_t l, r; };
  std::vector<Merge> merges;
  for (size_t i = 0; i < v.tokens.size(); ++i) {
    const std::string& t = v.tokens[i];
    if (t.size() > 256) continue;  // no real piece is this long, and splits cost quadratic time
    std::vector<Merge> local;
    for (size_t k = 1; k < t.size(); ++k) {
      if ((static_cast<unsigned char>(t[k]) & 0xC0) == 0x80) continue;
      const auto l = ids.find(t.substr(0, k)), r = ids.find(t.substr(k));
      if (l != ids.end() && r != ids.end()) local.push_back({l->first, r->first, i < v.scores.size() ? v.scores[i] : 0, l->second, r->second});
    }
    std::stable_sort(local.begin(), local.end(), [](const Merge& a, const Merge& b) { return std::pair(a.l, a.r) < std::pair(b.l, b.r); });
    merges.insert(merges.end(), local.begin(), local.end());
  }
  std::stable_sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) { return a.score > b.score; });
  Json::Array list;
  for (Merge& m : merges) list.push_back(Json(Json::Array{Json(std::move(m.left)), Json(std::move(m.right))}));
  return Json(std::move(list));
}

Json llama_json(const GgufVocabulary& v) {
  const bool prefix = v.add_space_prefix.value_or(true);
  Json::Array normalizers;
  if (prefix) normalizers.push_back(object({{"type", "Prepend"}, {"prepend", kSpace}}));
  normalizers.push_back(object({{"type", "Replace"}, {"pattern", object({{"String", " "}})}, {"content", kSpace}}));
  Json::Array decoders{object({{"type", "Replace"}, {"pattern", object({{"String", kSpace}})}, {"content", " "}}), object({{"type", "ByteFallback"}}), object({{"type", "Fuse"}})};
  if (prefix) decoders.push_back(object({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}));
  Json unk;
  if (v.unk_id) unk = v.tokens[static_cast<size_t>(*v.unk_id)];
  for (size_t i = 0; unk.is_null() && i < v.tokens.size(); ++i)
    if (type_of(v, i) == unknown) unk = v.tokens[i];
  return object({{"normalizer", sequence("normalizers", std::move(normalizers))}, {"pre_tokenizer", Json()}, {"decoder", sequence("decoders", std::move(decoders))},
                 {"post_processor", template_processor(v, v.add_bos.value_or(v.bos_id.has_value()) && v.bos_id, v.add_eos.value_or(false) && v.eos_id)},
                 {"model", object({{"type", "BPE"}, {"dropout", Json()}, {"unk_token", unk}, {"continuing_subword_prefix", Json()}, {"end_of_word_suffix", Json()},
                                   {"fuse_unk", true}, {"byte_fallback", true}, {"ignore_merges", false}, {"vocab", vocabulary_map(v.tokens)},
                                   {"merges", merges_from_scores(v)}})}});
}

Json gpt2_json(const GgufVocabulary& v) {
  static const char* kLlama3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  static const char* kQwen2 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  Json pre;
  bool ignore_merges = false;
  if (v.pre.empty() || v.pre == "default" || v.pre == "gpt-2" || v.pre == "phi-2" || v.pre == "mpt" || v.pre == "olmo" || v.pre == "jais") pre = byte_level(true);
  else if (v.pre == "smollm" || v.pre == "starcoder" || v.pre == "refact" || v.pre == "command-r" || v.pre == "codeshell" || v.pre == "exaone")
    pre = sequence("pretokenizers", {object({{"type", "Digits"}, {"individual_digits", true}}), byte_level(true)});
  else if (v.pre == "llama-bpe" || v.pre == "llama3" || v.pre == "llama-v3" || v.pre == "smaug-bpe" || v.pre == "falcon3")
    pre = sequence("pretokenizers", {regex_split(kLlama3), byte_level(false)}), ignore_merges = true;
  else if (v.pre == "qwen2" || v.pre == "stablelm2" || v.pre == "deepseek-r1-qwen")
    pre = sequence("pretokenizers", {regex_split(kQwen2), byte_level(false)});
  else throw UnsupportedError({"GGUF: pre-tokenizer \"", v.pre, "\" is not supported; use the original model folder's tokenizer.json"});
  Json::Array merges;
  for (const std::string& m : v.merges) merges.push_back(Json(m));
  const bool bos = v.add_bos.value_or(false) && v.bos_id, eos = v.add_eos.value_or(false) && v.eos_id;
  return object({{"normalizer", Json()}, {"pre_tokenizer", pre}, {"decoder", byte_level(true)},
                 {"post_processor", bos || eos ? template_processor(v, bos, eos) : byte_level(true)},
                 {"model", object({{"type", "BPE"}, {"dropout", Json()}, {"unk_token", Json()}, {"continuing_subword_prefix", Json()}, {"end_of_word_suffix", Json()},
                                   {"fuse_unk", false}, {"byte_fallback", false}, {"ignore_merges", ignore_merges}, {"vocab", vocabulary_map(v.tokens)},
                                   {"merges", Json(std::move(merges))}})}});
}

bool is_bracketed(const std::string& t) { return t.size() > 2 && t.front() == '[' && t.back() == ']'; }

Json bert_json(GgufVocabulary& v) {
  for (std::string& t : v.tokens) {
    if (is_bracketed(t)) continue;
    if (t.rfind(kSpace, 0) == 0) t = t.substr(kSpace.size());
    else t = "##" + t;
  }
  const auto token = [&](const std::optional<int64_t>& id, const char* fallback) { return id ? v.tokens[static_cast<size_t>(*id)] : std::string(fallback); };
  const std::string cls = token(v.cls_id ? v.cls_id : v.bos_id, "[CLS]"), sep = token(v.sep_id ? v.sep_id : v.eos_id, "[SEP]"), unk = token(v.unk_id, "[UNK]");
  std::unordered_map<std::string, int64_t> ids;
  for (size_t i = 0; i < v.tokens.size(); ++i) ids.emplace(v.tokens[i], static_cast<int64_t>(i));
  Json added = Json::array();
  for (const std::string& name : {std::string("[PAD]"), unk, cls, sep, std::string("[MASK]")})
    if (ids.count(name))
      added.push_back(object({{"id", ids[name]}, {"content", name}, {"single_word", false}, {"lstrip", false}, {"rstrip", false}, {"normalized", false}, {"special", true}}));
  bool cased = false;  // a vocabulary with capital letters is a cased one
  for (const std::string& t : v.tokens) cased |= t.size() == 1 && t[0] == 'A';
  if (!ids.count(cls) || !ids.count(sep)) throw TokenizerError("GGUF: the bert vocabulary lacks [CLS] or [SEP]");
  return object({{"added_tokens", added},
                 {"normalizer", object({{"type", "BertNormalizer"}, {"clean_text", true}, {"handle_chinese_chars", true}, {"strip_accents", Json()}, {"lowercase", !cased}})},
                 {"pre_tokenizer", object({{"type", "BertPreTokenizer"}})}, {"decoder", object({{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}})},
                 {"post_processor", object({{"type", "BertProcessing"}, {"sep", Json(Json::Array{Json(sep), Json(ids[sep])})}, {"cls", Json(Json::Array{Json(cls), Json(ids[cls])})}})},
                 {"model", object({{"type", "WordPiece"}, {"unk_token", unk}, {"continuing_subword_prefix", "##"}, {"max_input_chars_per_word", 100}, {"vocab", vocabulary_map(v.tokens)}})}});
}

}  // namespace

PreTrainedTokenizer tokenizer_from_gguf(const GgufVocabulary& given) {
  GgufVocabulary v = given;
  if (v.tokens.empty()) throw TokenizerError("GGUF: the file has no tokenizer (tokenizer.ggml.tokens)");
  for (const auto* id : {&v.bos_id, &v.eos_id, &v.unk_id, &v.sep_id, &v.pad_id, &v.cls_id, &v.mask_id})
    if (*id && (**id < 0 || **id >= static_cast<int64_t>(v.tokens.size()))) throw TokenizerError({"GGUF: special token id ", **id, " is outside of the vocabulary"});
  Json j;
  std::string class_name = "PreTrainedTokenizerFast";
  if (v.model == "llama") j = llama_json(v), class_name = "LlamaTokenizerFast";
  else if (v.model == "gpt2") j = gpt2_json(v), class_name = "GPT2TokenizerFast";
  else if (v.model == "bert") j = bert_json(v), class_name = "BertTokenizerFast";
  else throw UnsupportedError({"GGUF: tokenizer model \"", v.model, "\" is not supported; known: llama, gpt2, bert"});
  if (!j.contains("added_tokens")) j.set("added_tokens", added_tokens(v));
  j.set("version", "1.0"), j.set("truncation", Json()), j.set("padding", Json());
  Json config = object({{"tokenizer_class", class_name}, {"clean_up_tokenization_spaces", v.model == "bert"}});
  const auto name = [&](const char* key, const std::optional<int64_t>& id) {
    if (id) config.set(key, v.tokens[static_cast<size_t>(*id)]);
  };
  if (v.model != "bert") name("bos_token", v.bos_id), name("eos_token", v.eos_id);
  name("unk_token", v.unk_id), name("sep_token", v.sep_id), name("pad_token", v.pad_id), name("cls_token", v.cls_id), name("mask_token", v.mask_id);
  if (v.model == "bert") {
    if (!v.cls_id) config.set("cls_token", "[CLS]");
    config.set("model_input_names", Json(Json::Array{Json("input_ids"), Json("token_type_ids"), Json("attention_mask")}));
  } else {
    config.set("model_input_names", Json(Json::Array{Json("input_ids"), Json("attention_mask")}));
  }
  if (!v.chat_template.empty()) config.set("chat_template", v.chat_template);
  return AutoTokenizer::from_tokenizer_json(j, config);
}

GgufVocabulary gguf_vocabulary_of(const std::string& folder) {
  const Json j = Json::load(join_path(folder, "tokenizer.json"));
  const Json& model = j["model"];
  const std::string type = model.get("type", "");
  GgufVocabulary v;
  for (const auto& [token, id] : model.at("vocab").as_object()) {
    const int64_t i = id.as_int();
    if (i < 0 || i > 10'000'000) throw TokenizerError({"tokenizer.json: token id ", i, " is not plausible"});
    if (i >= static_cast<int64_t>(v.tokens.size())) v.tokens.resize(static_cast<size_t>(i) + 1);
    v.tokens[static_cast<size_t>(i)] = token;
  }
  for (const Json& added : j["added_tokens"].is_array() ? j["added_tokens"].as_array() : Json::Array{}) {
    const size_t i = static_cast<size_t>(added.at("id").as_int());
    if (i >= v.tokens.size() && i < 10'000'000) v.tokens.resize(i + 1);
    v.tokens.at(i) = added.at("content").as_string();
  }
  v.token_type.assign(v.tokens.size(), normal);
  std::unordered_map<std::string, int64_t> ids;
  for (size_t i = 0; i < v.tokens.size(); ++i) ids.emplace(v.tokens[i], static_cast<int64_t>(i));
  for (const Json& added : j["added_tokens"].is_array() ? j["added_tokens"].as_array() : Json::Array{})
    v.token_type[static_cast<size_t>(added.at("id").as_int())] = added.get("special", false) ? control : user_defined;
  const std::string config_file = join_path(folder, "tokenizer_config.json");
  const Json config = file_exists(config_file) ? Json::load(config_file) : Json::object();
  const auto id_of = [&](const char* key) -> std::optional<int64_t> {
    const Json& t = config[key];
    const std::string text = t.is_string() ? t.as_string() : t.get("content", "");
    const auto it = ids.find(text);
    return it == ids.end() ? std::nullopt : std::optional(it->second);
  };
  v.bos_id = id_of("bos_token"), v.eos_id = id_of("eos_token"), v.unk_id = id_of("unk_token"), v.sep_id = id_of("sep_token");
  v.pad_id = id_of("pad_token"), v.cls_id = id_of("cls_token"), v.mask_id = id_of("mask_token");
  v.chat_template = config["chat_template"].is_string() ? config["chat_template"].as_string() : "";
  if (type == "WordPiece") {
    v.model = v.architecture = "bert";
    for (std::string& t : v.tokens)
      if (!is_bracketed(t)) t = t.rfind("##", 0) == 0 ? t.substr(2) : kSpace + t;
  } else if (type == "BPE" && !model.get("byte_fallback", false)) {
    v.model = "gpt2", v.pre = "gpt-2";
    if (j["pre_tokenizer"].get("type", "") == "Sequence") {
      const Json& first = j["pre_tokenizer"]["pretokenizers"].at(size_t{0});
      if (first.get("type", "") == "Digits") v.pre = "smollm";
      else if (first["pattern"].get("Regex", "").find("{1,3}") != std::string::npos) v.pre = "llama-bpe";
      else if (first.get("type", "") == "Split") v.pre = "qwen2";
    }
    for (const Json& m : model["merges"].as_array()) v.merges.push_back(m.is_string() ? m.as_string() : m.at(size_t{0}).as_string() + " " + m.at(1).as_string());
  } else if (type == "BPE") {
    v.model = "llama";
    std::unordered_map<std::string, size_t> rank;  // rank of the first merge that makes a token stands for its score
    for (const Json& m : model["merges"].as_array()) {
      std::string joined = m.is_string() ? m.as_string() : m.at(size_t{0}).as_string() + m.at(1).as_string();
      if (m.is_string()) joined.erase(joined.find(' '), 1);
      rank.emplace(joined, rank.size());
    }
    for (size_t i = 0; i < v.tokens.size(); ++i) {
      const auto it = rank.find(v.tokens[i]);
      v.scores.push_back(it == rank.end() ? -1e6f : -static_cast<float>(it->second));
      if (v.tokens[i].size() == 6 && v.tokens[i].rfind("<0x", 0) == 0) v.token_type[i] = byte;
    }
    v.add_bos = config.get("add_bos_token", true);
  } else {
    throw UnsupportedError({folder, ": GGUF has no form for a ", type, " tokenizer"});
  }
  return v;
}

}  // namespace transformers
