// tokenizers/training and tokenizers/sentencepiece.
#include <cmath>
#include <optional>

#include "base/file.h"
#include "tokenizers/sentencepiece/sentencepiece.h"
#include "tokenizers_common.h"

namespace transformers::conformance {
namespace tk = transformers::tokenizers;

void run_tokenizer_training(Runner& runner, const std::string& dir) {
  runner.begin("training");
  for_each_line(runner, join_path(dir, "cases.jsonl"), [&](const Json& line) {
    runner.run("training/" + line.get("name", ""), [&]() -> std::string { return "training is not built yet"; });
  });
}

static std::string check_piece_line(const tk::SentencePiece& model, const Json& line) {
  const std::string& op = line.at("op").as_string();
  std::string why;
  if (op == "info") {
    if (!(why = compare("size", model.size(), line.at("size"))).empty()) return why;
    const auto want = strings_of(line.at("pieces"));
    for (size_t i = 0; i < want.size(); ++i) {
      const auto& p = model.piece(static_cast<int64_t>(i) * 37);
      if (p.text != want[i]) return compare("piece", p.text, want[i]);
      const double score = line["scores"].at(i).as_double();
      if (std::abs(p.score - score) > 1e-5 * std::max(1.0, std::abs(score))) return compare("score", static_cast<double>(p.score), score);
    }
    if (why.empty()) why = compare("unk_id", model.spec().unk_id, line["unk_id"]);
    if (why.empty()) why = compare("bos_id", model.spec().bos_id, line["bos_id"]);
    if (why.empty()) why = compare("eos_id", model.spec().eos_id, line["eos_id"]);
    return why.empty() ? compare("pad_id", model.spec().pad_id, line["pad_id"]) : why;
  }
  if (op == "encode") {
    std::vector<int64_t> ids;
    std::vector<std::string> pieces;
    for (const auto& o : model.encode(line.at("text").as_string())) ids.push_back(o.id), pieces.push_back(o.piece);
    if (!(why = compare("ids", to_json(ids), line.at("ids"))).empty()) return why;
    if (!(why = compare("pieces", to_json(pieces), line.at("pieces"))).empty()) return why;
    return line.contains("decode") ? compare("decode", model.decode(ids), line["decode"]) : "";
  }
  if (op == "decode") {
    const auto ids = ids_of(line.at("ids"));
    if (!(why = compare("decode", model.decode(ids), line.at("decode"))).empty()) return why;
    std::vector<std::string> pieces;
    for (int64_t id : ids) pieces.push_back(model.piece(id).text);
    return line.contains("decode_pieces") ? compare("decode_pieces", model.decode_pieces(pieces), line["decode_pieces"]) : "";
  }
  return "unknown op " + op;
}

void run_sentencepiece(Runner& runner, const std::string& dir) {
  for (const std::string& file : list_directory(dir)) {
    if (!file.ends_with(".jsonl")) continue;
    const std::string name = file.substr(0, file.size() - 6);
    runner.begin("sentencepiece/" + name);
    std::optional<tk::SentencePiece> model;
    std::string broken;
    try {
      model.emplace(tk::SentencePiece::read(read_file(join_path(dir, name + ".model"))));
    } catch (const std::exception& e) {
      broken = e.what();
    }
    int n = 0;
    for_each_line(runner, join_path(dir, file), [&](const Json& line) {
      runner.run("sentencepiece/" + name + "/" + line.get("op", "") + "/" + std::to_string(n++) + line.get("id", ""),
                 [&]() -> std::string { return broken.empty() ? check_piece_line(*model, line) : broken; });
    });
  }
}

}  // namespace transformers::conformance
