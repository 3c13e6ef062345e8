// What the reference's fast classes change after tokenizer.json is loaded: BERT's normalizer follows the config, Llama's
// and GPT-NeoX's post-processors follow add_bos_token/add_eos_token, translation models add language codes.
#include <algorithm>
#include <array>

#include "tokenizers/auto/loading.h"
#include "tokenizers/chat_template/text.h"
#include "tokenizers/decoders/decoder.h"
#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {
namespace {

bool one_of(const std::string& s, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* n) { return s == n; });
}

// [bos] A [eos] and, for pairs, [bos] A [eos] [bos] B [eos].
void bos_eos_processor(TokenizerImpl& t, bool bos, bool eos) {
  const std::string* b = t.find_special("bos_token");
  const std::string* e = t.find_special("eos_token");
  if (bos && !b) throw TokenizerError({t.class_name, ": add_bos_token is set, but there is no bos_token"});
  if (eos && !e) throw TokenizerError({t.class_name, ": add_eos_token is set, but there is no eos_token"});
  Json::Array single, pair;
  std::vector<std::string> used;
  const auto special = [&](Json::Array& list, const std::string& token, int type) {
    Json body = Json::object(), item = Json::object();
    body.set("id", token);
    body.set("type_id", type);
    item.set("SpecialToken", body);
    list.push_back(item);
    used.push_back(token);
  };
  const auto sequence = [&](Json::Array& list, const char* name, int type) {
    Json body = Json::object(), item = Json::object();
    body.set("id", name);
    body.set("type_id", type);
    item.set("Sequence", body);
    list.push_back(item);
  };
  for (int i = 0; i < 2; ++i) {
    if (bos) special(pair, *b, i);
    sequence(pair, i ? "B" : "A", i);
    if (eos) special(pair, *e, i);
    if (i == 0) single = pair;
  }
  Json json = Json::object(), tokens = Json::object();
  for (const std::string& s : used) {
    Json entry = Json::object();
    entry.set("id", s);
    entry.set("ids", Json(Json::Array{Json(std::max<int64_t>(t.engine.token_to_id(s), 0))}));
    entry.set("tokens", Json(Json::Array{Json(s)}));
    tokens.set(s, entry);
  }
  json.set("type", "TemplateProcessing");
  json.set("single", Json(std::move(single)));
  json.set("pair", Json(std::move(pair)));
  json.set("special_tokens", tokens);
  t.engine.set_processor(json);
}

void follow_bert_options(TokenizerImpl& t) {
  Json n = t.engine.normalizer_json();
  if (!n.is_object() || n.get("type", "") != "BertNormalizer") return;
  const Json lower = t.config.get("do_lower_case", true), chinese = t.config.get("tokenize_chinese_chars", true);
  const Json strip = t.config["strip_accents"];
  if (n["lowercase"] == lower && n["strip_accents"] == strip && n["handle_chinese_chars"] == chinese) return;
  n.set("lowercase", lower);
  n.set("strip_accents", strip);
  n.set("handle_chinese_chars", chinese);
  t.engine.set_normalizer(n);
}

// ByteLevel alone as pre-tokenizer takes add_prefix_space from the config.
void follow_prefix_space(TokenizerImpl& t) {
  Json p = t.engine.pre_tokenizer_json();
  if (!p.is_object() || !p["add_prefix_space"].is_bool() || p.get("type", "") != "ByteLevel") return;
  const bool wanted = t.config.get("add_prefix_space", false);
  if (p["add_prefix_space"].as_bool() == wanted) return;
  p.set("add_prefix_space", wanted);
  t.engine.set_pre_tokenizer(p);
}

void follow_processor_options(TokenizerImpl& t) {
  Json p = t.engine.processor_json();
  if (!p.is_object() || p.get("type", "") != "RobertaProcessing") return;
  const Json prefix = t.config.get("add_prefix_space", false), trim = t.config.get("trim_offsets", true);
  if (p["add_prefix_space"] == prefix && p["trim_offsets"] == trim) return;
  p.set("add_prefix_space", prefix);
  p.set("trim_offsets", trim);
  t.engine.set_processor(p);
}

// In sequences too: every add_prefix_space false becomes true (BLOOM, Cohere).
Json with_prefix_space(Json json) {
  if (!json.is_object()) return json;
  if (json["add_prefix_space"].is_bool()) json.set("add_prefix_space", true);
  for (const char* key : {"pretokenizers", "decoders"})
    if (const Json* parts = json.find(key)) {
      Json::Array all;
      for (const Json& part : parts->as_array()) all.push_back(with_prefix_space(part));
      json.set(key, Json(std::move(all)));
    }
  return json;
}

}  // namespace

Json template_json(const Engine& engine, const std::string& single, const std::string& pair, const std::vector<std::string>& tokens) {
  Json json = Json::object(), specials = Json::object();
  const auto words = [](const std::string& s) {
    Json::Array out;
    for (size_t i = 0; i < s.size();) {
      const size_t end = std::min(s.find(' ', i), s.size());
      if (end > i) out.push_back(Json(s.substr(i, end - i)));
      i = end + 1;
    }
    return Json(std::move(out));
  };
  for (const std::string& token : tokens) {
    const int64_t id = engine.token_to_id(token);
    if (id < 0) throw TokenizerError({"tokenizer: special token \"", token, "\" is not in the vocabulary"});
    Json entry = Json::object();
    entry.set("id", token);
    entry.set("ids", Json(Json::Array{Json(id)}));
    entry.set("tokens", Json(Json::Array{Json(token)}));
    specials.set(token, entry);
  }
  json.set("type", "TemplateProcessing");
  json.set("single", words(single));
  json.set("pair", words(pair));
  json.set("special_tokens", specials);
  return json;
}

static void whisper_prefix(TokenizerImpl& t) {
  std::vector<std::string> prefix = {"<|startoftranscript|>"};
  const std::string language = t.config.get("language", ""), task = t.config.get("task", "");
  if (!language.empty()) prefix.push_back("<|" + language + "|>");
  if (!task.empty()) prefix.push_back("<|" + task + "|>");
  if (!t.config.get("predict_timestamps", false)) prefix.push_back("<|notimestamps|>");
  for (const std::string& p : prefix)
    if (t.engine.token_to_id(p) < 0) return;  // a Whisper vocabulary without its special tokens
  std::string start;
  for (const std::string& p : prefix) start += p + ":0 ";
  const std::string eos = t.find_special("eos_token") ? *t.find_special("eos_token") : "<|endoftext|>";
  prefix.push_back(eos);
  t.engine.set_processor(template_json(t.engine, start + "$A:0 " + eos + ":0", start + "$A:0 $B:1 " + eos + ":1", prefix));
}

// Whisper: <|1.20|> marks are no text.
static std::string without_timestamps(std::string s) {
  std::string out;
  for (size_t i = 0; i < s.size();) {
    if (s.compare(i, 2, "<|") == 0) {
      size_t k = i + 2, digits = 0;
      while (k < s.size() && s[k] >= '0' && s[k] <= '9') ++k, ++digits;
      if (digits && k < s.size() && s[k] == '.') {
        const size_t dot = k++;
        while (k < s.size() && s[k] >= '0' && s[k] <= '9') ++k;
        if (k > dot + 1 && s.compare(k, 2, "|>") == 0) { i = k + 2; continue; }
      }
    }
    out += s[i++];
  }
  return out;
}

// As Python's str.strip().
std::string stripped(const std::string& s) {
  size_t begin = 0, end = s.size();
  while (begin < end) {
    const char* p = s.data() + begin;
    const uint32_t c = next_char(p, s.data() + end);
    if (!is_whitespace(c) && !(c >= 0x1c && c <= 0x1f)) break;
    begin = static_cast<size_t>(p - s.data());
  }
  while (end > begin) {
    size_t i = end - 1;
    while (i > begin && is_continuation(s[i])) --i;
    const uint32_t c = first_char(std::string_view(s).substr(i));
    if (!is_whitespace(c) && !(c >= 0x1c && c <= 0x1f)) break;
    end = i;
  }
  return s.substr(begin, end - begin);
}
// CLIP: the end-of-word mark is a space; none at the ends.
static std::string without_word_ends(std::string s) { return stripped(replace_all(s, "</w>", " ")); }
// Wav2Vec2's letters.
static std::string stripped_ends(std::string s) { return stripped(s); }
static std::string stripped_lower(std::string s) { return jinja::lower(stripped(s)); }

void finish_class(TokenizerImpl& t, const std::string& base) {
  follow_prefix_space(t);
  const Json& c = t.config;
  if (one_of(base, {"Llama", "CodeLlama", "Gemma", "Cohere"})) {
    bos_eos_processor(t, c.get("add_bos_token", true), c.get("add_eos_token", false));
  } else if (base == "GPTNeoX") {
    bos_eos_processor(t, c.get("add_bos_token", false), c.get("add_eos_token", false));
  } else if (one_of(base, {"Bert", "ConvBert", "DistilBert", "Electra", "Funnel", "LayoutLM", "LayoutLMv2", "Lxmert", "MPNet", "MobileBert",
                           "RetriBert", "Realm", "RoFormer", "Splinter", "SqueezeBert", "DPRContextEncoder", "DPRQuestionEncoder", "DPRReader"})) {
    follow_bert_options(t);
  } else if (one_of(base, {"Roberta", "Bart", "Blenderbot", "LED", "Longformer", "Mvp", "LayoutLMv3"})) {
    follow_processor_options(t);
  } else if (base == "Whisper") {
    whisper_prefix(t);
    t.finish_decode = without_timestamps;
  } else if (base == "CLIP") {
    t.finish_decode = without_word_ends;
  } else if (base == "Wav2Vec2CTC") {
    t.finish_decode = c.get("do_lower_case", false) ? stripped_lower : stripped_ends;
  }
  if (one_of(base, {"Bloom", "Cohere"}) && c.get("add_prefix_space", false)) {
    t.engine.set_pre_tokenizer(with_prefix_space(t.engine.pre_tokenizer_json()));
    t.engine.set_decoder(with_prefix_space(t.engine.decoder_json()));
  }
  if (one_of(base, {"GPT2", "Whisper", "Roberta", "Bart", "Blenderbot", "LED", "Longformer", "Mvp", "Bloom", "Cohere", "CodeGen", "Deberta"}) &&
      !c.get("add_prefix_space", false))
    t.refuses_words = t.class_name + ": words already split need a tokenizer with add_prefix_space";
  if (one_of(base, {"MBart", "MBart50", "Nllb", "SeamlessM4T"})) {
    const char* fallback = base == "Nllb" ? "eng_Latn" : base == "SeamlessM4T" ? "eng" : "en_XX";
    t.src_lang = c.get("src_lang", fallback);
    t.tgt_lang = c.get("tgt_lang", base == "SeamlessM4T" ? "fra" : "");
    set_language(t, base, t.src_lang, false);
  }
}

// Language codes around a text: MBart and older NLLB put them behind, the others in front.
void set_language(TokenizerImpl& t, const std::string& base, const std::string& language, bool target) {
  std::string code = language;
  if (base == "SeamlessM4T" && !code.starts_with("__")) code = "__" + code + "__";
  const std::string* eos_name = t.find_special("eos_token");
  const std::string eos = eos_name ? *eos_name : "</s>";
  int64_t id = t.engine.token_to_id(code);
  if (id < 0) {
    const std::string* unk = t.find_special("unk_token");
    if (!unk || t.engine.token_to_id(*unk) < 0) throw TokenizerError({t.class_name, ": unknown language \"", language, "\""});
    code = *unk;
  }
  const bool behind = base == "MBart" || (base == "Nllb" && t.config.get("legacy_behaviour", false));
  std::string before, after;
  if (behind) after = eos + " " + code;
  else before = (base == "SeamlessM4T" && target ? eos + " " : "") + code, after = eos;
  t.engine.set_processor(template_json(t.engine, before + " $A " + after, before + " $A $B " + after, {eos, code}));
}

}  // namespace transformers::tokenizers

namespace transformers {
using namespace tokenizers;

void PreTrainedTokenizer::set_src_lang(const std::string& language) {
  TokenizerImpl& t = change();
  if (t.src_lang.empty()) throw UnsupportedError({t.class_name, ": has no languages"});
  t.src_lang = language;
  set_language(t, class_base(t.class_name), language, false);
}
void PreTrainedTokenizer::set_tgt_lang(const std::string& language) {
  TokenizerImpl& t = change();
  if (t.src_lang.empty()) throw UnsupportedError({t.class_name, ": has no languages"});
  t.tgt_lang = language;
}
void PreTrainedTokenizer::switch_to_target_mode() {
  TokenizerImpl& t = change();
  if (!t.src_lang.empty()) set_language(t, class_base(t.class_name), t.tgt_lang.empty() ? t.src_lang : t.tgt_lang, true);
}
void PreTrainedTokenizer::switch_to_input_mode() {
  TokenizerImpl& t = change();
  if (!t.src_lang.empty()) set_language(t, class_base(t.class_name), t.src_lang, false);
}

}  // namespace transformers
