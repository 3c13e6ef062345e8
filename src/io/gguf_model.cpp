// GGUF metadata and tensors <-> config.json and the reference's weights.
#include "io/gguf_model.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "io/gguf_names.h"

namespace transformers {
namespace {

const std::vector<std::string> kKnown = {"llama", "mistral", "qwen2", "qwen3", "bert", "gpt2"};

const GgufArchitecture& architecture(const std::string& name, const char* who) {
  const GgufArchitecture* a = find_gguf_architecture(name);
  if (!a) throw UnsupportedError({who, ": expected one of the architectures llama, mistral, qwen2, qwen3, bert, gpt2, got \"", name.substr(0, 100), "\".", did_you_mean(name, kKnown)});
  return *a;
}

std::string file_architecture(const StateDict& file) {
  const Json& a = file.gguf["general.architecture"];
  if (!a.is_string()) throw CheckpointError({"GGUF: expected general.architecture, got none; this is no model file"});
  // Mistral's files say llama; as the reference does, the name tells.
  std::string model = file.gguf.get("general.name", "");
  std::transform(model.begin(), model.end(), model.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (a.as_string() == "llama" && model.find("mistral") != std::string::npos) return "mistral";
  return a.as_string();
}

// ---- rows of q and k ----------------------------------------------------------------------------------------------
// In the file, row 2j of a head is row j of its first rotary half and row 2j+1 of its second. Rows move whole, so this
// works on blocks too.
Tensor reorder_rows(const Tensor& source, int64_t heads, bool to_reference, const std::string& name) {
  const Tensor in = source.contiguous();
  const int64_t rows = in.dim(0), half = heads > 0 ? rows / heads / 2 : 0;
  if (half == 0 || half * heads * 2 != rows) throw CheckpointError({"GGUF: tensor \"", name, "\": ", rows, " rows do not divide into ", heads, " heads of two halves"});
  const size_t bytes = static_cast<size_t>(in.nbytes() / rows);
  Tensor out = Tensor::empty(in.shape(), in.dtype());
  const auto* from = static_cast<const char*>(in.raw());
  auto* to = static_cast<char*>(out.mutable_raw());
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t part = 0; part < 2; ++part)
      for (int64_t j = 0; j < half; ++j) {
        const int64_t split = (h * 2 + part) * half + j, interleaved = (h * half + j) * 2 + part;
        const int64_t a = to_reference ? interleaved : split, b = to_reference ? split : interleaved;
        std::memcpy(to + static_cast<size_t>(b) * bytes, from + static_cast<size_t>(a) * bytes, bytes);
      }
  return out;
}
StoredTensor reorder_rows(StoredTensor t, int64_t heads, bool to_reference, const std::string& name) {
  if (t.shape.rank() == 0) throw CheckpointError({"GGUF: tensor \"", name, "\" has no rows"});
  Tensor& values = t.block_type ? t.blocks : t.tensor;
  values = reorder_rows(values, heads, to_reference, name);
  return t;
}
StoredTensor transposed(StoredTensor t) {
  if (t.shape.rank() != 2) return t;
  t.shape = {t.shape[1], t.shape[0]};
  if (t.block_type) t.transposed = !t.transposed;
  else t.tensor = t.tensor.t();
  return t;
}

// ---- names ----------------------------------------------------------------------------------------------------------
struct Mapped { std::string name; const GgufName* rule; };

// Splits off the last part: "blk.0.attn_q.weight" -> "blk.0.attn_q", ".weight".
std::pair<std::string, std::string> split_kind(const std::string& name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return {name, ""};
  return {name.substr(0, dot), name.substr(dot)};
}
// "N." at the start of s: the number with its dot, or "".
std::string layer_number(const std::string& s) {
  size_t digits = 0;
  while (digits < s.size() && s[digits] >= '0' && s[digits] <= '9') ++digits;
  return digits > 0 && digits < s.size() && s[digits] == '.' ? s.substr(0, digits + 1) : "";
}
// Maps between "blk.N.x" and layers + "N.y" by the tables, in either direction.
Mapped map_name(const GgufArchitecture& a, const std::string& name, bool to_reference) {
  const auto [stem, kind] = split_kind(name);
  const auto from = [&](const GgufName& n) { return to_reference ? n.gguf : n.reference; };
  const auto to = [&](const GgufName& n) { return to_reference ? n.reference : n.gguf; };
  for (size_t i = 0; i < a.outer_count; ++i)
    if (stem == from(a.outer[i])) return {to(a.outer[i]) + kind, &a.outer[i]};
  const std::string from_prefix = to_reference ? "blk." : a.layers, to_prefix = to_reference ? a.layers : "blk.";
  if (stem.rfind(from_prefix, 0) != 0) return {"", nullptr};
  const std::string number = layer_number(stem.substr(from_prefix.size()));
  const std::string rest = stem.substr(from_prefix.size() + number.size());
  for (size_t i = 0; !number.empty() && i < a.inner_count; ++i)
    if (rest == from(a.inner[i])) return {to_prefix + number + to(a.inner[i]) + kind, &a.inner[i]};
  return {"", nullptr};
}

int64_t heads_of(const Json& config, const GgufName& rule) {
  const int64_t heads = config.get("num_attention_heads", config.get("n_head", 1));
  return std::strcmp(rule.gguf, "attn_k") == 0 ? config.get("num_key_value_heads", heads) : heads;
}
bool is_rotary(const GgufArchitecture& a, const GgufName& rule) {
  return a.permuted && (std::strcmp(rule.gguf, "attn_q") == 0 || std::strcmp(rule.gguf, "attn_k") == 0);
}

void set_token_id(Json& config, const char* field, const std::optional<int64_t>& id) {
  if (id) config.set(field, *id);
}

void read_rope_scaling(const Json& gguf, const std::string& prefix, Json& config) {
  const std::string type = gguf.get(prefix + "rope.scaling.type", "none");
  if (type == "none") return;
  Json scaling = Json::object();
  scaling.set("rope_type", type);
  scaling.set("factor", gguf.get(prefix + "rope.scaling.factor", 1.0));
  if (gguf.contains(prefix + "rope.scaling.original_context_length"))
    scaling.set("original_max_position_embeddings", gguf[prefix + "rope.scaling.original_context_length"]);
  config.set("rope_scaling", scaling);
}

}  // namespace

Json gguf_config(const StateDict& file) {
  const std::string name = file_architecture(file);
  const GgufArchitecture& a = architecture(name, "GGUF");
  const std::string prefix = file.gguf["general.architecture"].as_string() + ".";
  Json config = Json::object();
  config.set("model_type", a.name);
  config.set("architectures", Json(Json::Array{Json(a.class_name)}));
  for (size_t i = 0; i < a.key_count; ++i) {
    const Json& v = file.gguf[prefix + a.keys[i].gguf];
    if (v.is_number()) config.set(a.keys[i].config, v);
  }
  const GgufVocabulary vocabulary = gguf_vocabulary(file);
  if (!config.contains("vocab_size")) {
    const auto embedding = file.tensors.find("token_embd.weight");
    if (embedding != file.tensors.end() && embedding->second.shape.rank() == 2) config.set("vocab_size", embedding->second.shape[0]);
    else if (!vocabulary.tokens.empty()) config.set("vocab_size", vocabulary.tokens.size());
  }
  set_token_id(config, "bos_token_id", vocabulary.bos_id);
  set_token_id(config, "eos_token_id", vocabulary.eos_id);
  set_token_id(config, "pad_token_id", vocabulary.pad_id);
  if (name == "bert") {
    config.set("add_pooling_layer", false);  // the format has no place for the pooler
    config.set("hidden_act", "gelu");
    config.set("type_vocab_size", file.gguf.get("tokenizer.ggml.token_type_count", 2));
  } else {
    config.set("tie_word_embeddings", file.tensors.count("output.weight") == 0);
    if (a.permuted || name == "qwen2" || name == "qwen3") read_rope_scaling(file.gguf, prefix, config);
    if (a.permuted) config.set("attention_bias", file.tensors.count("blk.0.attn_q.bias") > 0);
  }
  return config;
}

GgufVocabulary gguf_vocabulary(const StateDict& file) {
  const Json& g = file.gguf;
  const std::string prefix = "tokenizer.ggml.";
  GgufVocabulary v;
  try {
    v.architecture = g.get("general.architecture", "");
    v.model = g.get(prefix + "model", "");
    v.pre = g.get(prefix + "pre", "");
    v.tokens = g.get(prefix + "tokens", std::vector<std::string>{});
    v.merges = g.get(prefix + "merges", std::vector<std::string>{});
    for (double s : g.get(prefix + "scores", std::vector<double>{})) v.scores.push_back(static_cast<float>(s));
    for (int64_t t : g.get(prefix + "token_type", std::vector<int64_t>{})) v.token_type.push_back(static_cast<int32_t>(t));
    const auto id = [&](const char* key) -> std::optional<int64_t> {
      const Json& j = g[prefix + key];
      if (!j.is_int() || j.as_int() < 0 || j.as_int() >= static_cast<int64_t>(v.tokens.size())) return std::nullopt;  // -1 and 2^32-1 mean none
      return j.as_int();
    };
    const auto flag = [&](const char* key) -> std::optional<bool> {
      return g[prefix + key].is_bool() ? std::optional<bool>(g[prefix + key].as_bool()) : std::nullopt;
    };
    v.bos_id = id("bos_token_id"), v.eos_id = id("eos_token_id"), v.unk_id = id("unknown_token_id"), v.pad_id = id("padding_token_id");
    v.sep_id = id("seperator_token_id");  // the format spells it so
    if (!v.sep_id) v.sep_id = id("separator_token_id");
    v.cls_id = id("cls_token_id"), v.mask_id = id("mask_token_id");
    v.add_bos = flag("add_bos_token"), v.add_eos = flag("add_eos_token"), v.add_space_prefix = flag("add_space_prefix");
    v.chat_template = g.get("tokenizer.chat_template", "");
  } catch (const ConfigError& e) {
    throw CheckpointError({"GGUF: tokenizer: ", e.what()});
  }
  for (size_t n : {v.scores.size(), v.token_type.size()})
    if (n != 0 && n != v.tokens.size()) throw CheckpointError({"GGUF: tokenizer: expected ", static_cast<uint64_t>(v.tokens.size()), " scores and types as there are tokens, got ", static_cast<uint64_t>(n)});
  return v;
}

StateDict gguf_weights(const StateDict& file, const Json& config) {
  const GgufArchitecture& a = architecture(config.get("model_type", ""), "GGUF weights");
  StateDict out;
  out.gguf = file.gguf;
  for (const std::string& name : file.order) {
    const Mapped mapped = map_name(a, name, true);
    if (!mapped.rule) {
      log_warning({"GGUF: tensor \"", name, "\" has no place in ", a.name, "; left out"});
      continue;
    }
    StoredTensor t = file.tensors.at(name);
    if (is_rotary(a, *mapped.rule)) t = reorder_rows(std::move(t), heads_of(config, *mapped.rule), true, name);
    if (mapped.rule->transposed) t = transposed(std::move(t));
    out.add(mapped.name, std::move(t));
  }
  return out;
}

static void write_vocabulary(const GgufVocabulary& v, Json& m) {
  const std::string prefix = "tokenizer.ggml.";
  const auto list = [&](const char* key, const auto& values) {
    if (values.empty()) return;
    Json::Array items;
    for (const auto& x : values) items.push_back(Json(x));
    m.set(prefix + key, Json(std::move(items)));
  };
  if (v.tokens.empty()) return;
  m.set(prefix + "model", v.model);
  if (!v.pre.empty()) m.set(prefix + "pre", v.pre);
  list("tokens", v.tokens);
  list("scores", std::vector<double>(v.scores.begin(), v.scores.end()));
  list("token_type", v.token_type);
  list("merges", v.merges);
  for (auto [key, id] : {std::pair{"bos_token_id", v.bos_id}, {"eos_token_id", v.eos_id}, {"unknown_token_id", v.unk_id}, {"padding_token_id", v.pad_id},
                         {"seperator_token_id", v.sep_id}, {"cls_token_id", v.cls_id}, {"mask_token_id", v.mask_id}})
    if (id) m.set(prefix + key, *id);
  for (auto [key, flag] : {std::pair{"add_bos_token", v.add_bos}, {"add_eos_token", v.add_eos}, {"add_space_prefix", v.add_space_prefix}})
    if (flag) m.set(prefix + key, *flag);
  if (!v.chat_template.empty()) m.set("tokenizer.chat_template", v.chat_template);
}

GgufContents gguf_from_model(const Json& config, const StateDict& weights, const GgufVocabulary& vocabulary) {
  const std::string type = config.get("model_type", "");
  const GgufArchitecture& a = architecture(type, "GGUF export");
  // llama.cpp knows Mistral as llama; the name tells the two apart when the file is read again.
  const std::string written = type == "mistral" ? "llama" : type;
  GgufContents out;
  Json& m = out.metadata;
  m.set("general.architecture", written);
  m.set("general.name", config.get("_name_or_path", type == "mistral" ? "mistral" : "model"));
  for (size_t i = 0; i < a.key_count; ++i) {
    const Json& v = config[a.keys[i].config];
    if (v.is_number()) m.set(written + "." + a.keys[i].gguf, v);
  }
  const int64_t hidden = config.get("hidden_size", config.get("n_embd", 0)), heads = config.get("num_attention_heads", config.get("n_head", 1));
  if (a.permuted && heads > 0 && !m.contains("llama.rope.dimension_count")) m.set("llama.rope.dimension_count", config.get("head_dim", hidden / heads));
  if (a.permuted && heads > 0 && !m.contains("llama.attention.head_count_kv")) m.set("llama.attention.head_count_kv", heads);
  if (type == "gpt2" && !m.contains("gpt2.feed_forward_length")) m.set("gpt2.feed_forward_length", 4 * hidden);
  if (type == "bert") {
    m.set("bert.attention.causal", false);
    m.set("tokenizer.ggml.token_type_count", config.get("type_vocab_size", 2));
  }
  const Json& scaling = config["rope_scaling"];
  if (scaling.is_object()) {
    const std::string kind = scaling.get("rope_type", scaling.get("type", "linear"));
    if (kind != "linear" && kind != "yarn" && kind != "default")
      throw UnsupportedError({"GGUF export: rope scaling \"", kind, "\" has no place in the format's keys; linear and yarn have"});
    if (kind != "default") {
      m.set(written + ".rope.scaling.type", kind);
      m.set(written + ".rope.scaling.factor", scaling.get("factor", 1.0));
      if (scaling["original_max_position_embeddings"].is_int()) m.set(written + ".rope.scaling.original_context_length", scaling["original_max_position_embeddings"]);
    }
  }
  write_vocabulary(vocabulary, m);

  for (const std::string& name : weights.order) {
    // Heads of other tasks (and, for BERT, the "bert." prefix that they bring) have no name in the format.
    const std::string bare = type == "bert" && name.rfind("bert.", 0) == 0 ? name.substr(5) : type == "gpt2" && name.rfind("h.", 0) == 0 ? "transformer." + name : name;
    const Mapped mapped = map_name(a, bare, false);
    if (!mapped.rule) {
      if (name.find("position_ids") == std::string::npos && name.find("pooler.") == std::string::npos) log_warning({"GGUF export: \"", name, "\" has no name in the format; left out"});
      continue;
    }
    StoredTensor t = weights.tensors.at(name);
    if (is_rotary(a, *mapped.rule)) t = reorder_rows(std::move(t), heads_of(config, *mapped.rule), false, name);
    if (mapped.rule->transposed) t = transposed(std::move(t));
    out.tensors.emplace_back(mapped.name, std::move(t));
  }
  return out;
}

}  // namespace transformers
