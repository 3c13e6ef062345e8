// Folders with a SentencePiece file: each class has its own order of special tokens, normalizer and template.
#include <algorithm>

#include "base/file.h"
#include "tokenizers/classic/classic.h"
#include "tokenizers/sentencepiece/sentencepiece.h"
#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {
namespace {

using Pieces = std::vector<std::pair<std::string, double>>;

bool one_of(const std::string& s, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* n) { return s == n; });
}
Json parse(const std::string& text) { return Json::parse(text, "tokenizer component"); }

std::string encode_base64(std::string_view s) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < s.size(); i += 3) {
    uint32_t v = 0;
    for (size_t k = 0; k < 3; ++k) v = v << 8 | (i + k < s.size() ? static_cast<uint8_t>(s[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += i + k > s.size() ? '=' : kDigits[v >> (18 - 6 * k) & 63];
  }
  return out;
}

// The order of pieces that a class expects.
Pieces arrange(const SentencePiece::Spec& spec, const std::string& base, const Json& config, int64_t& unk_id) {
  Pieces v;
  const auto from = [&](size_t first) {
    for (size_t i = first; i < spec.pieces.size(); ++i) v.emplace_back(spec.pieces[i].text, double{spec.pieces[i].score});
  };
  const auto put = [&](std::initializer_list<const char*> names) {
    for (const char* n : names) v.emplace_back(n, 0.0);
  };
  unk_id = spec.unk_id;
  if (one_of(base, {"XLMRoberta", "LayoutXLM", "MBart", "MBart50", "Nllb", "XGLM"})) {
    put({"<s>", "<pad>", "</s>", "<unk>"});
    from(3);
    unk_id = 3;
    static constexpr const char* kLanguages[] = {
        "ar_AR", "cs_CZ", "de_DE", "en_XX", "es_XX", "et_EE", "fi_FI", "fr_XX", "gu_IN", "hi_IN", "it_IT", "ja_XX", "kk_KZ",
        "ko_KR", "lt_LT", "lv_LV", "my_MM", "ne_NP", "nl_XX", "ro_RO", "ru_RU", "si_LK", "tr_TR", "vi_VN", "zh_CN",
        "af_ZA", "az_AZ", "bn_IN", "fa_IR", "he_IL", "hr_HR", "id_ID", "ka_GE", "km_KH", "mk_MK", "ml_IN", "mn_MN", "mr_IN",
        "pl_PL", "ps_AF", "pt_XX", "sv_SE", "sw_KE", "ta_IN", "te_IN", "th_TH", "tl_XX", "uk_UA", "ur_PK", "xh_ZA", "gl_ES", "sl_SI"};
    const size_t languages = base == "MBart" ? 25 : base == "MBart50" ? std::size(kLanguages) : 0;
    for (size_t i = 0; i < languages; ++i) v.emplace_back(kLanguages[i], 0.0);
    if (base == "XGLM")
      for (int i = 0; i < 7; ++i) v.emplace_back("<madeupword" + std::to_string(i) + ">", 0.0);
    else if (base != "Nllb") put({"<mask>"});
  } else if (base == "SeamlessM4T") {
    put({"<pad>", "<unk>", "<s>", "</s>"});
    from(3);
    unk_id = 1;
  } else if (base == "Camembert") {
    put({"<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>"});
    v.emplace_back("<unk>NOTUSED", -100.0);
    from(1);
    put({"<mask>"});
    unk_id = 3;
  } else if (base == "Pegasus") {
    const int64_t offset = config.get("offset", 103);
    put({"<pad>", "</s>"});
    if (offset > 2) put({"<mask_1>", "<mask_2>"});
    for (int64_t i = 2; i < std::min<int64_t>(offset, 1000); ++i) v.emplace_back("<unk_" + std::to_string(i) + ">", -100.0);
    from(2);
    unk_id = spec.unk_id + offset;
  } else if (one_of(base, {"Llama", "CodeLlama"})) {
    put({"<unk>", "<s>", "</s>"});
    from(3);
    unk_id = 0;
  } else if (base == "Gemma") {
    put({"<pad>", "<eos>", "<bos>"});
    from(3);
    unk_id = 3;
    const auto has = [&](const char* s) { return std::find_if(v.begin(), v.end(), [&](const auto& x) { return x.first == s; }); };
    if (has("\t") == v.end())
      if (const auto it = has("<0x09>"); it != v.end()) *it = {"\t", 0.0};
  } else {
    from(0);
    if (base == "Barthez") unk_id = 3;
    if (one_of(base, {"Albert", "XLNet", "FNet"}))  // numbers that end in a comma are made unlikely
      for (auto& [piece, score] : v)
        if (piece.size() >= 2 && piece.back() == ',' && is_numeric(last_char(std::string_view(piece).substr(0, piece.size() - 1)))) score -= 100;
    if (one_of(base, {"T5", "MT5"}))
      for (int64_t i = std::min<int64_t>(config.get("extra_ids", 100), 10000) - 1; i >= 0; --i)
        v.emplace_back("<extra_id_" + std::to_string(i) + ">", 0.0);
  }
  return v;
}

// All ways to cut a piece in two known pieces, best score first: the merges of a SentencePiece BPE.
std::vector<BpeMerge> make_merges(const Pieces& pieces, const Vocabulary& vocab) {
  struct Merge { double score; int64_t left_chars, right_chars; BpeMerge merge; };
  std::vector<Merge> all;
  for (const auto& [piece, score] : pieces) {
    const std::string_view s = piece;
    struct Local { int64_t a, b; size_t at; };
    std::vector<Local> local;
    for (size_t i = 1; i < s.size(); ++i) {
      if (is_continuation(s[i])) continue;
      const int64_t a = vocab.find(s.substr(0, i)), b = a < 0 ? -1 : vocab.find(s.substr(i));
      if (b >= 0) local.push_back({a, b, i});
    }
    std::stable_sort(local.begin(), local.end(), [](const Local& x, const Local& y) { return std::pair(x.a, x.b) < std::pair(y.a, y.b); });
    for (const Local& l : local)
      all.push_back({score, static_cast<int64_t>(count_chars(s.substr(0, l.at))), static_cast<int64_t>(count_chars(s.substr(l.at))),
                     {s.substr(0, l.at), s.substr(l.at)}});
  }
  std::stable_sort(all.begin(), all.end(), [](const Merge& a, const Merge& b) {
    return std::tuple(a.score, a.left_chars, a.right_chars) > std::tuple(b.score, b.left_chars, b.right_chars);
  });
  std::vector<BpeMerge> merges;
  for (const Merge& m : all) merges.push_back(m.merge);
  return merges;
}

std::string charsmap_json(const SentencePiece::Spec& spec) {
  return spec.charsmap.empty() ? "" : R"({"type":"Precompiled","precompiled_charsmap":")" + encode_base64(spec.charsmap) + "\"},";
}

Json normalizer_of(const SentencePiece::Spec& spec, const std::string& base, const Json& c, bool legacy, bool prefix) {
  const std::string start = R"({"type":"Sequence","normalizers":[)", charsmap = charsmap_json(spec);
  const std::string spaces = R"({"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "})";
  if (one_of(base, {"Llama", "CodeLlama"})) {
    if (!legacy) return Json();
    return parse(start + (prefix ? R"({"type":"Prepend","prepend":"▁"},)" : "") + R"({"type":"Replace","pattern":{"String":" "},"content":"▁"}]})");
  }
  if (base == "Gemma") return parse(R"({"type":"Replace","pattern":{"String":" "},"content":"▁"})");
  if (one_of(base, {"Albert", "XLNet", "RemBert", "FNet"})) {
    std::string s = start + R"({"type":"Replace","pattern":{"String":"``"},"content":"\""},{"type":"Replace","pattern":{"String":"''"},"content":"\""},)";
    if (base == "RemBert") s += spaces + ",";
    if (!c.get("keep_accents", base == "FNet")) s += R"({"type":"NFKD"},{"type":"StripAccents"},)";
    if (c.get("do_lower_case", base == "Albert" || base == "RemBert")) s += R"({"type":"Lowercase"},)";
    s += charsmap;
    if (base != "RemBert") s += spaces;
    else s.pop_back();
    return parse(s + "]}");
  }
  if (base == "DebertaV2")
    return parse(start + (c.get("do_lower_case", false) ? R"({"type":"Lowercase"},)" : "") + R"({"type":"Strip","strip_left":true,"strip_right":true},)" +
                 charsmap + spaces + "]}");
  return parse(start + charsmap + R"({"type":"Strip","strip_left":false,"strip_right":true},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}]})");
}

void set_template(TokenizerImpl& t, const std::string& base) {
  const auto set = [&](const std::string& single, const std::string& pair, const std::vector<std::string>& tokens) {
    t.engine.set_processor(template_json(t.engine, single, pair, tokens));
  };
  if (one_of(base, {"XLMRoberta", "LayoutXLM", "Camembert", "Barthez"})) set("<s> $A </s>", "<s> $A </s> </s> $B </s>", {"<s>", "</s>"});
  else if (one_of(base, {"T5", "MT5", "Udop"})) set("$A </s>", "$A </s> $B </s>", {"</s>"});
  else if (base == "Pegasus") set("$A </s>", "$A $B </s>", {"</s>"});
  else if (one_of(base, {"Albert", "RemBert", "DebertaV2", "BigBird", "FNet"}))
    set("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", {"[CLS]", "[SEP]"});
  else if (base == "XLNet") set("$A:0 <sep>:0 <cls>:2", "$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2", {"<sep>", "<cls>"});
  else if (base == "XGLM") set("</s> $A", "</s> $A </s> </s> $B", {"</s>"});
}

// Lines of "base64 rank": the tokens of a tiktoken vocabulary. False when the file is something else.
bool load_tiktoken(TokenizerImpl& t, const std::string& bytes) {
  std::vector<std::pair<std::string, uint32_t>> tokens;
  for (size_t i = 0; i < bytes.size();) {
    const size_t end = std::min(bytes.find('\n', i), bytes.size());
    const std::string_view line = std::string_view(bytes).substr(i, end - i);
    i = end + 1;
    if (line.empty()) continue;
    const size_t space = line.find(' ');
    if (space == std::string_view::npos || line.size() - space > 10 || line.find_first_not_of("0123456789\r", space + 1) != std::string_view::npos) return false;
    try {
      tokens.emplace_back(decode_base64(line.substr(0, space)), static_cast<uint32_t>(std::stoul(std::string(line.substr(space + 1)))));
    } catch (const std::exception&) {
      return false;
    }
  }
  if (tokens.empty()) return false;
  Vocabulary raw, vocab;
  const auto spell = [](std::string_view s) {
    std::string out;
    for (char c : s) append_utf8(out, byte_to_char(static_cast<uint8_t>(c)));
    return out;
  };
  for (const auto& [s, rank] : tokens) raw.set(s, rank), vocab.set(spell(s), rank);
  // Every cut of a token in two tokens is a merge; the cuts of one token go by the ranks of their parts.
  std::vector<std::pair<std::string, std::string>> spelled;
  for (const auto& [s, rank] : tokens) {
    struct Local { int64_t a, b; size_t at; };
    std::vector<Local> local;
    for (size_t i = 1; i < s.size(); ++i) {
      const int64_t a = raw.find(std::string_view(s).substr(0, i)), b = a < 0 ? -1 : raw.find(std::string_view(s).substr(i));
      if (b >= 0) local.push_back({a, b, i});
    }
    std::stable_sort(local.begin(), local.end(), [](const Local& x, const Local& y) { return std::pair(x.a, x.b) < std::pair(y.a, y.b); });
    for (const Local& l : local) spelled.emplace_back(spell(std::string_view(s).substr(0, l.at)), spell(std::string_view(s).substr(l.at)));
  }
  std::vector<BpeMerge> merges;
  for (const auto& [a, b] : spelled) merges.push_back({a, b});
  BpeOptions o;
  o.ignore_merges = true;
  t.engine.set_model(make_bpe(std::move(vocab), merges, o));
  t.engine.set_pre_tokenizer(parse(
      R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]})"));
  t.engine.set_decoder(parse(R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})"));
  t.engine.set_processor(parse(R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true})"));
  return true;
}

}  // namespace

bool load_sentencepiece(TokenizerImpl& t, const Source& s, const std::string& base) {
  std::string bytes;
  for (const char* name : {"spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "spm.model", "sentencepiece.model"})
    if (bytes.empty() && s.has(name)) bytes = read_file(s.path(name));
  if (bytes.empty()) return false;
  if (base == "PreTrained") return load_tiktoken(t, bytes);
  const bool llama = one_of(base, {"Llama", "CodeLlama", "Gemma"});
  if (!llama && !one_of(base, {"XLMRoberta", "LayoutXLM", "MBart", "MBart50", "Nllb", "XGLM", "SeamlessM4T", "Camembert", "Pegasus", "Barthez", "Albert",
                               "XLNet", "FNet", "T5", "MT5", "RemBert", "BigBird", "DebertaV2", "Reformer", "Udop"}))
    return false;
  const SentencePiece::Spec spec = SentencePiece::read(bytes);
  const Json& c = t.config;
  int64_t unk_id = 0;
  const Pieces pieces = arrange(spec, base, c, unk_id);
  if (spec.kind == SentencePiece::Kind::unigram) {
    t.engine.set_model(make_unigram(pieces, unk_id, llama));
  } else if (spec.kind == SentencePiece::Kind::bpe) {
    Vocabulary known, vocab;
    for (size_t i = 0; i < spec.pieces.size(); ++i) known.set(spec.pieces[i].text, static_cast<uint32_t>(i));
    for (size_t i = 0; i < pieces.size(); ++i) vocab.set(pieces[i].first, static_cast<uint32_t>(i));
    std::vector<BpeMerge> merges;
    for (const BpeMerge& m : make_merges(pieces, known))
      if (vocab.find(m.left) >= 0 && vocab.find(m.right) >= 0) merges.push_back(m);
    BpeOptions o;
    o.has_unk = true, o.unk_token = spec.unk_piece, o.fuse_unk = true, o.byte_fallback = llama;
    t.engine.set_model(make_bpe(std::move(vocab), merges, o));
  } else {
    throw UnsupportedError({t.class_name, ": expected a unigram or BPE SentencePiece model"});
  }
  std::vector<AddedToken> added;
  for (const auto& p : spec.pieces) {
    const bool control = p.type == SentencePiece::Type::control;
    if (!control && p.type != SentencePiece::Type::user_defined) continue;
    const bool special = control || (base == "Gemma" && (p.text == "<start_of_turn>" || p.text == "<end_of_turn>"));
    added.push_back({p.text, false, false, false, false, special});
  }
  t.engine.add_tokens(added);

  const bool legacy = c.get("legacy", true), prefix = c.get("add_prefix_space", true);
  const std::string scheme = !prefix ? "never" : legacy ? "always" : "first";
  t.engine.set_normalizer(normalizer_of(spec, base, c, legacy, prefix));
  const std::string metaspace = R"({"type":"Metaspace","replacement":"▁","prepend_scheme":")" + scheme + "\",\"split\":";
  if (base == "Gemma") {
    t.engine.set_pre_tokenizer(parse(R"({"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false})"));
  } else if (llama) {
    t.engine.set_pre_tokenizer(legacy ? Json() : parse(metaspace + "false}"));
  } else if (base == "Pegasus") {
    t.engine.set_pre_tokenizer(parse(R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},)" + metaspace + "true}]}"));
  } else if (base == "DebertaV2" && c.get("split_by_punct", false)) {
    t.engine.set_pre_tokenizer(parse(R"({"type":"Sequence","pretokenizers":[{"type":"Punctuation","behavior":"Isolated"},)" + metaspace + "true}]}"));
  } else {
    t.engine.set_pre_tokenizer(parse(metaspace + "true}"));
  }
  if (llama)
    t.engine.set_decoder(parse(R"({"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"})" +
                               std::string(prefix && base != "Gemma" ? R"(,{"type":"Strip","content":" ","start":1,"stop":0})" : "") + "]}"));
  else t.engine.set_decoder(parse(metaspace + "true}"));
  // Special tokens that the file lacks come from tokenizer_config.json; the templates need them now.
  add_config_tokens(t, s);
  set_template(t, base);
  return true;
}

}  // namespace transformers::tokenizers
