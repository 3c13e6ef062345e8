// Lines that only some families have: Whisper, NLLB, code infilling, CTC, LUKE, LayoutLM, TAPAS, DPR, RAG.
#include "tokenizers_common.h"
#include "transformers/ctc.h"

namespace transformers::conformance {

static Json offsets_json(const std::vector<CtcOffset>& offsets) {
  Json::Array rows;
  for (const CtcOffset& o : offsets) rows.push_back(Json(Json::Array{Json(o.text), Json(o.start), Json(o.end)}));
  return Json(std::move(rows));
}

// Plain text, without special tokens, without grouping, and the frames of letters and words (without special tokens).
static std::string check_ctc(const PreTrainedTokenizer& t, const Json& line) {
  const auto ids = ids_of(line.at("ids"));
  const Json& out = line.at("out");
  const CtcText full = ctc_decode(t, ids, true);
  const std::pair<const char*, Json> got[] = {{"plain", Json(t.decode(ids))}, {"skip", Json(t.decode(ids, true))},
                                              {"nogroup", Json(ctc_decode(t, ids, false, false).text)}, {"text", Json(full.text)},
                                              {"char_offsets", offsets_json(full.char_offsets)}, {"word_offsets", offsets_json(full.word_offsets)}};
  for (const auto& [name, value] : got)
    if (out.contains(name))
      if (const std::string why = compare(name, value, out[name]); !why.empty()) return why;
  return "";
}

std::string check_family_line(const PreTrainedTokenizer& t, const Json& line, const std::string& folder) {
  if (line.at("op").as_string() == "ctc_decode" && !line.contains("opts")) return check_ctc(t, line);
  if (line.at("op").as_string() == "set_target_lang") {  // here a language is chosen when loading
    TokenizerLoadOptions options;
    options.overrides.set("target_lang", line.at("lang"));
    const PreTrainedTokenizer other = AutoTokenizer::from_pretrained(folder, options);
    const std::string why = compare("ids", to_json(other.encode(line.at("text").as_string())), line.at("ids"));
    return why.empty() ? compare("vocab_size", Json(other.vocab_size()), line.at("vocab_size")) : why;
  }
  return "unknown op " + line.at("op").as_string();
}

}  // namespace transformers::conformance
