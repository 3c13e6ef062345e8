// Vocabulary files of folders without tokenizer.json, turned into the same engine (convert_slow_tokenizer.py).
#include "base/file.h"
#include "tokenizers/auto/loading.h"
#include "tokenizers/classic/classic.h"
#include "transformers/error.h"

namespace transformers::tokenizers {

std::vector<std::string> read_lines(const std::string& path) {
  const std::string text = read_file(path);
  std::vector<std::string> lines;
  for (size_t i = 0; i < text.size();) {
    const size_t end = std::min(text.find('\n', i), text.size());
    size_t last = end;
    if (last > i && text[last - 1] == '\r') --last;
    lines.push_back(text.substr(i, last - i));
    i = end + 1;
  }
  return lines;
}

Vocabulary read_vocab_json(const std::string& path) { return vocab_from_json(Json::load(path), path); }
Vocabulary vocab_from_json(const Json& json, const std::string& path) {
  if (!json.is_object()) throw TokenizerError({path, ": expected an object of tokens and ids"});
  Vocabulary v;
  for (const auto& [token, id] : json.as_object()) {
    const int64_t n = id.as_int();
    if (n < 0 || n >= UINT32_MAX) throw TokenizerError({path, ": \"", token, "\" has the id ", n});
    v.set(token, static_cast<uint32_t>(n));
  }
  return v;
}

// vocab.json and merges.txt.
static ModelPtr read_bpe(const Source& s, BpeOptions o) {
  const std::vector<std::string> lines = read_lines(s.path("merges.txt"));
  std::vector<BpeMerge> merges;
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string_view line = lines[i];
    if (line.starts_with("#version")) continue;
    const size_t space = line.find(' ');
    if (line.empty() || space == std::string_view::npos) continue;
    merges.push_back({line.substr(0, space), line.substr(space + 1, line.find(' ', space + 1) - space - 1)});
  }
  return make_bpe(read_vocab_json(s.path("vocab.json")), merges, o);
}

static Json parse(const std::string& text) { return Json::parse(text, "tokenizer component"); }
static std::string quote(const std::string& s) { return Json(s).dump(); }

static std::string special(const TokenizerImpl& t, const char* name, const char* fallback) {
  const std::string* s = t.find_special(name);
  return s ? *s : fallback;
}

static void load_word_piece(TokenizerImpl& t, const Source& s) {
  Vocabulary vocab;
  const auto lines = read_lines(s.path("vocab.txt"));
  for (size_t i = 0; i < lines.size(); ++i) vocab.set(lines[i], static_cast<uint32_t>(i));
  const std::string unk = special(t, "unk_token", "[UNK]"), cls = special(t, "cls_token", "[CLS]"), sep = special(t, "sep_token", "[SEP]");
  t.engine.set_model(make_word_piece(std::move(vocab), unk, "##", 100));
  const Json& c = t.config;
  Json n = Json::object();
  n.set("type", "BertNormalizer");
  n.set("clean_text", true);
  n.set("handle_chinese_chars", c.get("tokenize_chinese_chars", true));
  n.set("strip_accents", c["strip_accents"]);
  n.set("lowercase", c.get("do_lower_case", true));
  t.engine.set_normalizer(n);
  t.engine.set_pre_tokenizer(parse(R"({"type":"BertPreTokenizer"})"));
  t.engine.set_decoder(parse(R"({"type":"WordPiece","prefix":"##","cleanup":true})"));
  t.engine.set_processor(template_json(t.engine, cls + ":0 $A:0 " + sep + ":0", cls + ":0 $A:0 " + sep + ":0 $B:1 " + sep + ":1", {cls, sep}));
}

static std::string flag(bool v) { return v ? "true" : "false"; }

static void load_byte_level(TokenizerImpl& t, const Source& s, const std::string& base) {
  const Json& c = t.config;
  t.engine.set_model(read_bpe(s, {}));
  const bool prefix = c.get("add_prefix_space", false);
  const std::string byte_level = R"({"type":"ByteLevel","add_prefix_space":)" + flag(prefix) + R"(,"trim_offsets":true,"use_regex":true})";
  t.engine.set_pre_tokenizer(parse(byte_level));
  t.engine.set_decoder(parse(R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})"));
  if (base == "GPT2" || base == "CodeGen") {
    const std::string bos = special(t, "bos_token", "<|endoftext|>");
    if (c.get("add_bos_token", false)) t.engine.set_processor(template_json(t.engine, bos + ":0 $A:0", bos + ":0 $A:0 " + bos + ":1 $B:1", {bos}));
    else t.engine.set_processor(parse(R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true})"));
  } else if (base == "Qwen2") {
    t.engine.set_normalizer(parse(R"({"type":"NFC"})"));
    t.engine.set_pre_tokenizer(parse(
        R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":)" +
        flag(prefix) + R"(,"trim_offsets":true,"use_regex":false}]})"));
    t.engine.set_processor(parse(R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true})"));
  } else if (base == "Whisper") {
    t.engine.set_processor(parse(R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true})"));
  } else if (base == "Deberta") {
    const std::string cls = special(t, "cls_token", "[CLS]"), sep = special(t, "sep_token", "[SEP]");
    t.engine.set_processor(template_json(t.engine, cls + ":0 $A:0 " + sep + ":0", cls + ":0 $A:0 " + sep + ":0 $B:1 " + sep + ":1", {cls, sep}));
  } else {  // RoBERTa and its kin
    const std::string cls = special(t, "cls_token", "<s>"), sep = special(t, "sep_token", "</s>");
    const auto pair = [&](const std::string& token) { return "[" + quote(token) + "," + std::to_string(std::max<int64_t>(t.engine.token_to_id(token), 0)) + "]"; };
    t.engine.set_processor(parse(R"({"type":"RobertaProcessing","sep":)" + pair(sep) + R"(,"cls":)" + pair(cls) +
                                 R"(,"trim_offsets":true,"add_prefix_space":)" + flag(prefix) + "}"));
  }
}

static void load_clip(TokenizerImpl& t, const Source& s) {
  BpeOptions o;
  o.end_of_word_suffix = "</w>";
  o.has_unk = true;
  o.unk_token = special(t, "unk_token", "<|endoftext|>");
  t.engine.set_model(read_bpe(s, o));
  t.engine.set_normalizer(parse(R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "},{"type":"Lowercase"}]})"));
  t.engine.set_pre_tokenizer(parse(
      R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"},"behavior":"Removed","invert":true},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]})"));
  t.engine.set_decoder(parse(R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})"));
  const std::string bos = special(t, "bos_token", "<|startoftext|>"), eos = special(t, "eos_token", "<|endoftext|>");
  const auto pair = [&](const std::string& token) { return "[" + quote(token) + "," + std::to_string(std::max<int64_t>(t.engine.token_to_id(token), 0)) + "]"; };
  t.engine.set_processor(parse(R"({"type":"RobertaProcessing","sep":)" + pair(eos) + R"(,"cls":)" + pair(bos) + R"(,"trim_offsets":false,"add_prefix_space":false})"));
}

void load_classic(TokenizerImpl& t, const Source& s, const std::string& base) {
  // The class's own special tokens are needed before the model can be built.
  apply_config(t, s, base);
  if (base == "Wav2Vec2CTC" && s.has("vocab.json")) return load_ctc(t, s);
  if (s.has("vocab.txt") && !s.has("bpe.codes") && base != "Esm") return load_word_piece(t, s);
  if (s.has("vocab.json") && s.has("merges.txt")) {
    if (base == "CLIP") return load_clip(t, s);
    for (const char* name : {"GPT2", "CodeGen", "Qwen2", "Whisper", "Deberta", "Roberta", "Bart", "Blenderbot", "LED", "Longformer", "Mvp", "LayoutLMv3"})
      if (base == name) return load_byte_level(t, s, base);
  }
  if (load_sentencepiece(t, s, base)) return;
  throw UnsupportedError({"tokenizer: the vocabulary files of ", t.class_name, " in ", s.dir, " cannot be read yet; save it as tokenizer.json"});
}

}  // namespace transformers::tokenizers
