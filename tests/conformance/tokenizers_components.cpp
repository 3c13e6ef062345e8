// tokenizers/components: one normalizer, pre-tokenizer or decoder at a time.
#include "base/file.h"
#include "tokenizers_common.h"
#include "tokenizers/decoders/decoder.h"
#include "tokenizers/normalizers/normalizer.h"
#include "tokenizers/pre_tokenizers/pre_tokenizer.h"
#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::conformance {
namespace tk = transformers::tokenizers;

// Runs f; a refusal is right only where the reference fails too.
template <class F> static std::string check_refusal(const Json& line, F&& f) {
  const bool refuses = line.contains("error");
  try {
    std::string why = f();
    return refuses ? std::string() : why;  // where the reference crashes, a result is no mistake
  } catch (const Error&) {
    if (refuses) return "";
    throw;
  }
}

static std::string pre_tokenize(const tk::PreTokenizer& p, const Json& line) {
  const std::string& text = line.at("text").as_string();
  tk::PreTokenized pre(text, true);
  if (!text.empty()) pre.splits.push_back({0, static_cast<uint32_t>(text.size()), 0, -1});
  p.pre_tokenize(pre);
  Json::Array pieces, offsets;
  const auto chars = [&](uint32_t byte) { return Json(static_cast<int64_t>(tk::count_chars(text.substr(0, byte)))); };
  for (const auto& s : pre.splits) {
    pieces.push_back(Json(std::string(pre.view(s))));
    offsets.push_back(chars(pre.text.span_at(s.begin).begin));
    offsets.push_back(chars(pre.text.span_at(s.end - 1).end));
  }
  std::string why = compare("pieces", Json(std::move(pieces)), line["pieces"]);
  return why.empty() ? compare("offsets", Json(std::move(offsets)), line["offsets"]) : why;
}

void run_tokenizer_components(Runner& runner, const std::string& dir) {
  for (const char* kind : {"normalizers", "pre_tokenizers", "decoders"}) {
    tk::NormalizerPtr normalizer;
    tk::PreTokenizerPtr pre_tokenizer;
    tk::DecoderPtr decoder;
    std::string name, broken;
    int n = 0;
    for_each_line(runner, join_path(dir, std::string(kind) + ".jsonl"), [&](const Json& line) {
      if (line.contains("config")) {
        name = line.at("name").as_string();
        broken.clear();
        n = 0;
        runner.begin("components/" + name);
        try {
          const Json& config = line.at("config");
          if (*kind == 'n') normalizer = tk::make_normalizer(config);
          else if (*kind == 'p') pre_tokenizer = tk::make_pre_tokenizer(config);
          else decoder = tk::make_decoder(config);
        } catch (const std::exception& e) {
          broken = e.what();
        }
        return;
      }
      runner.run("components/" + std::string(kind) + "/" + name + "/" + std::to_string(n++), [&]() -> std::string {
        return check_refusal(line, [&]() -> std::string {
          if (!broken.empty()) throw Error(broken);
          if (*kind == 'n') {
            tk::TrackedText text(line.at("text").as_string(), 0, true);
            normalizer->normalize(text);
            return compare("out", Json(std::string(text.text())), line["out"]);
          }
          if (*kind == 'p') return pre_tokenize(*pre_tokenizer, line);
          std::vector<std::string> tokens;
          for (const Json& t : line.at("tokens").as_array()) tokens.push_back(t.as_string());
          decoder->decode(tokens);
          return compare("out", Json(tk::join(tokens)), line["out"]);
        });
      });
    });
  }
}

}  // namespace transformers::conformance
