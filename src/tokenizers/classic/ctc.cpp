// Wav2Vec2CTCTokenizer: letters as tokens, and the text of CTC output.
// Reference: transformers/models/wav2vec2/tokenization_wav2vec2.py.
#include "transformers/ctc.h"

#include <algorithm>

#include "tokenizers/chat_template/text.h"
#include "tokenizers/classic/classic.h"
#include "transformers/error.h"

namespace transformers {
namespace tokenizers {

// Letters of a pattern that stand for themselves.
static std::string escaped(const std::string& s) {
  std::string out;
  for (char c : s) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}
static Json part(std::initializer_list<std::pair<const char*, Json>> fields) {
  Json j = Json::object();
  for (const auto& [name, value] : fields) j.set(name, value);
  return j;
}
static Json pattern(const char* kind, const std::string& text) { return part({{kind, text}}); }

void load_ctc(TokenizerImpl& t, const Source& s) {
  const Json& c = t.config;
  const std::string path = s.path("vocab.json"), language = c.get("target_lang", ""), delimiter = c.get("word_delimiter_token", "|");
  const Json all = Json::load(path);
  if (!language.empty() && !all[language].is_object()) throw TokenizerError({path, ": has no language \"", language, "\" (target_lang)"});
  Vocabulary vocab = vocab_from_json(language.empty() ? all : all[language], path);
  std::vector<AddedToken> long_tokens;  // never split; white space beside them belongs to them
  for (const auto& [token, id] : (language.empty() ? all : all[language]).as_object())
    if (jinja::count_points(token) > 1) long_tokens.push_back({token, false, true, true, false, false});
  const std::string* unk = t.find_special("unk_token");
  const std::string* pad = t.find_special("pad_token");
  t.engine.set_model(make_word_level(std::move(vocab), unk ? *unk : "<unk>"));

  Json::Array steps;
  if (c.get("do_lower_case", false)) steps.push_back(part({{"type", "Lowercase"}})), steps.push_back(part({{"type", "Uppercase"}}));
  steps.push_back(part({{"type", "Replace"}, {"pattern", pattern("String", " ")}, {"content", delimiter}}));
  t.engine.set_normalizer(part({{"type", "Sequence"}, {"normalizers", Json(steps)}}));
  t.engine.set_pre_tokenizer(part({{"type", "Split"}, {"pattern", pattern("Regex", "[\\s\\S]")}, {"behavior", "Isolated"}, {"invert", false}}));
  Json::Array decoders;
  decoders.push_back(part({{"type", "CTC"}, {"pad_token", pad ? *pad : "<pad>"}, {"word_delimiter_token", delimiter}, {"cleanup", false}}));
  decoders.push_back(part({{"type", "Replace"}, {"pattern", pattern("Regex", "^" + escaped(delimiter) + "$")}, {"content", c.get("replace_word_delimiter_char", " ")}}));
  t.engine.set_decoder(part({{"type", "Sequence"}, {"decoders", Json(decoders)}}));
  t.engine.set_processor(template_json(t.engine, "$A:0", "$A:0 $B:0", {}));
  t.engine.add_tokens(long_tokens);
  t.engine.python_rules = true;
}

}  // namespace tokenizers

CtcText ctc_decode(const PreTrainedTokenizer& tokenizer, const std::vector<int64_t>& ids, bool skip_special_tokens, bool group_tokens) {
  const std::string pad = tokenizer.pad_token().value_or("<pad>"), delimiter = tokenizer.config().get("word_delimiter_token", "|");
  const std::string space = tokenizer.config().get("replace_word_delimiter_char", " ");
  const bool lower = tokenizer.config().get("do_lower_case", false);
  const std::vector<std::string> tokens = tokenizer.convert_ids_to_tokens(ids, skip_special_tokens);
  CtcText out;
  for (size_t i = 0, end; i < tokens.size(); i = end) {
    for (end = i + 1; group_tokens && end < tokens.size() && tokens[end] == tokens[i];) ++end;
    if (tokens[i] == pad) continue;
    out.char_offsets.push_back({tokens[i] == delimiter ? space : tokens[i], static_cast<int64_t>(i), static_cast<int64_t>(end)});
    out.text += out.char_offsets.back().text;
  }
  bool in_word = false;
  for (const CtcOffset& c : out.char_offsets) {
    const bool letter = c.text != space;
    if (letter && in_word) out.word_offsets.back().text += c.text, out.word_offsets.back().end = c.end;
    else if (letter) out.word_offsets.push_back(c);
    in_word = letter;
  }
  out.text = tokenizers::stripped(out.text);
  if (lower) out.text = jinja::lower(out.text);
  return out;
}

}  // namespace transformers
