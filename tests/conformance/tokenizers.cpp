// The area `tokenizers`: components, small, sentencepiece, real, families, training.
#include "base/file.h"
#include "tokenizers_common.h"
#include "transformers/error.h"

namespace transformers::conformance {

void for_each_line(Runner& runner, const std::string& path, const std::function<void(const Json&)>& f) {
  const std::string text = read_file(path);
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    ++number;
    if (end > begin) {
      Json line;
      try {
        line = Json::parse(std::string_view(text).substr(begin, end - begin), path);
      } catch (const std::exception& e) {
        runner.fail(path + ":" + std::to_string(number), e.what());
        begin = end + 1;
        continue;
      }
      f(line);
    }
    begin = end + 1;
  }
}

std::string compare(const std::string& what, const Json& got, const Json& want) {
  if (got == want) return "";
  std::string a = got.dump(), b = want.dump();
  size_t same = 0;
  while (same < a.size() && same < b.size() && a[same] == b[same]) ++same;
  const size_t from = same > 60 ? same - 60 : 0;
  return what + ": got ..." + a.substr(from, 160) + " want ..." + b.substr(from, 160);
}

Json to_json(const std::vector<int64_t>& v) { return Json(Json::Array(v.begin(), v.end())); }
Json to_json(const std::vector<std::string>& v) { return Json(Json::Array(v.begin(), v.end())); }
std::vector<int64_t> ids_of(const Json& json) {
  std::vector<int64_t> v;
  for (const Json& x : json.as_array()) v.push_back(x.as_int());
  return v;
}
std::vector<std::string> strings_of(const Json& json) {
  std::vector<std::string> v;
  for (const Json& x : json.as_array()) v.push_back(x.as_string());
  return v;
}

static Json with_nulls(const std::vector<int64_t>& v) {
  Json::Array out;
  for (int64_t x : v) out.push_back(x < 0 ? Json() : Json(x));
  return Json(std::move(out));
}

std::string compare_row(const Encoding& e, const Json& row) {
  std::string why = compare("ids", to_json(e.ids), row.at("ids"));
  if (!why.empty()) return why;
  const auto all = [&](int64_t v) { return to_json(std::vector<int64_t>(e.ids.size(), v)); };
  if (row.contains("tokens") && !(why = compare("tokens", to_json(e.tokens), row["tokens"])).empty()) return why;
  if (row.contains("offsets")) {
    Json::Array offsets;
    for (const auto& [a, b] : e.offsets) offsets.push_back(a), offsets.push_back(b);
    if (!(why = compare("offsets", Json(std::move(offsets)), row["offsets"])).empty()) return why;
  }
  if (row.contains("words") && !(why = compare("words", with_nulls(e.word_ids), row["words"])).empty()) return why;
  if (row.contains("seqs") && !(why = compare("seqs", with_nulls(e.sequence_ids), row["seqs"])).empty()) return why;
  if (!(why = compare("types", to_json(e.type_ids), row.contains("types") ? row["types"] : all(0))).empty()) return why;
  if (!(why = compare("special", to_json(e.special_tokens_mask), row.contains("special") ? row["special"] : all(0))).empty()) return why;
  if (!(why = compare("mask", to_json(e.attention_mask), row.contains("mask") ? row["mask"] : all(1))).empty()) return why;
  if (const Json* overflow = row.find("overflow")) {
    const auto count = static_cast<size_t>(row.get("overflow_count", static_cast<int64_t>(overflow->size())));
    if (e.overflowing.size() != count)
      return "overflow: got " + std::to_string(e.overflowing.size()) + " pieces, want " + std::to_string(count);
    for (size_t i = 0; i < overflow->size(); ++i)
      if (!(why = compare_row(e.overflowing[i], overflow->at(i))).empty()) return "overflow " + std::to_string(i) + " " + why;
  }
  return "";
}

std::string check_stream(const PreTrainedTokenizer& tokenizer, const Json& line) {
  TextDecodeStream stream(tokenizer, line.get("skip_special_tokens", false));
  const auto ids = ids_of(line.at("ids"));
  const Json::Array& pieces = line.at("pieces").as_array();
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::string at = "piece " + std::to_string(i);
    if (pieces[i].contains("error")) {
      try {
        stream.step(ids[i]);
      } catch (const Error&) {
        return "";
      }
      return at + ": the reference gives up here";
    }
    const auto got = stream.step(ids[i]);
    const std::string why = compare(at, got ? Json(*got) : Json(), pieces[i]);
    if (!why.empty()) return why;
  }
  return "";
}

void run_tokenizers(Runner& runner, const std::string& dir) {
  const auto part = [&](const char* name, auto&& f) {
    const std::string path = join_path(dir, name);
    if (directory_exists(path)) f(path);
  };
  part("components", [&](const std::string& d) { run_tokenizer_components(runner, d); });
  part("small", [&](const std::string& d) { run_tokenizer_small(runner, d); });
  part("sentencepiece", [&](const std::string& d) { run_sentencepiece(runner, d); });
  part("real", [&](const std::string& d) { run_tokenizer_folders(runner, d, "real"); });
  part("families", [&](const std::string& d) { run_tokenizer_folders(runner, d, "families"); });
  part("training", [&](const std::string& d) { run_tokenizer_training(runner, d); });
}

}  // namespace transformers::conformance
