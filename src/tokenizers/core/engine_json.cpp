// Reads and writes tokenizer.json. The big parts, vocabulary and merges, are read from simdjson's own tree.
#include <simdjson.h>

#include "tokenizers/core/engine.h"
#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

[[noreturn]] void wrong(const char* where, const char* what) { throw TokenizerError({"tokenizer.json: ", where, ": ", what}); }

Json small_json(element e) { return Json::parse(simdjson::to_string(e), "tokenizer.json"); }
Json member(simdjson::dom::object o, std::string_view key) {
  element e;
  return o[key].get(e) ? Json() : small_json(e);
}
std::string_view text_of(element e, const char* where) {
  std::string_view s;
  if (e.get(s)) wrong(where, "expected a string");
  return s;
}
uint32_t id_of(element e) {
  uint64_t v;
  if (e.get(v) || v > UINT32_MAX - 1) wrong("vocab", "an id is not a whole number of 32 bits");
  return static_cast<uint32_t>(v);
}

Vocabulary read_vocab(element e) {
  simdjson::dom::object o;
  if (e.get(o)) wrong("model.vocab", "expected an object");
  Vocabulary v;
  size_t n = 0, bytes = 0;
  for (auto [key, value] : o) ++n, bytes += key.size();
  v.reserve(n, bytes);
  for (auto [key, value] : o) v.set(key, id_of(value));
  return v;
}

std::vector<BpeMerge> read_merges(element e) {
  simdjson::dom::array a;
  if (e.get(a)) wrong("model.merges", "expected an array");
  std::vector<BpeMerge> merges;
  merges.reserve(a.size());
  for (element m : a) {
    std::string_view s;
    simdjson::dom::array pair;
    if (!m.get(s)) {
      const size_t space = s.find(' ');
      if (space == std::string_view::npos || s.find(' ', space + 1) != std::string_view::npos)
        wrong("model.merges", "a merge is not two tokens with a space between");
      merges.push_back({s.substr(0, space), s.substr(space + 1)});
    } else if (!m.get(pair)) {
      std::string_view parts[2];
      size_t n = 0;
      for (element p : pair) {
        if (n == 2) wrong("model.merges", "a merge has more than two tokens");
        parts[n++] = text_of(p, "model.merges");
      }
      if (n != 2) wrong("model.merges", "a merge has less than two tokens");
      merges.push_back({parts[0], parts[1]});
    } else {
      wrong("model.merges", "expected strings or pairs");
    }
  }
  return merges;
}

ModelPtr read_model(element e) {
  simdjson::dom::object o;
  if (e.get(o)) wrong("model", "expected an object");
  element vocab, merges;
  const bool has_merges = !o["merges"].get(merges);
  if (o["vocab"].get(vocab)) wrong("model", "has no vocab");
  Json rest = Json::object();
  for (auto [key, value] : o)
    if (key != "vocab" && key != "merges") rest.set(key, small_json(value));
  std::string type = rest.get("type", "");
  if (type.empty()) {
    type = has_merges ? "BPE" : vocab.is_array() ? "Unigram" : rest.contains("max_input_chars_per_word") ? "WordPiece" : "WordLevel";
  }
  if (type == "BPE") {
    if (!has_merges) wrong("model", "BPE has no merges");
    BpeOptions b;
    b.dropout = rest.get("dropout", 0.0);
    b.has_unk = rest["unk_token"].is_string();
    b.unk_token = rest.get("unk_token", "");
    b.continuing_subword_prefix = rest.get("continuing_subword_prefix", "");
    b.end_of_word_suffix = rest.get("end_of_word_suffix", "");
    b.fuse_unk = rest.get("fuse_unk", false);
    b.byte_fallback = rest.get("byte_fallback", false);
    b.ignore_merges = rest.get("ignore_merges", false);
    return make_bpe(read_vocab(vocab), read_merges(merges), b);
  }
  if (type == "WordPiece") {
    const int64_t most = rest.get("max_input_chars_per_word", 100);
    return make_word_piece(read_vocab(vocab), rest.get("unk_token", "[UNK]"), rest.get("continuing_subword_prefix", "##"),
                           most < 0 ? 0 : static_cast<size_t>(most));
  }
  if (type == "WordLevel") return make_word_level(read_vocab(vocab), rest.get("unk_token", "<unk>"));
  if (type == "Unigram") {
    simdjson::dom::array a;
    if (vocab.get(a)) wrong("model.vocab", "expected an array of [piece, score]");
    std::vector<std::pair<std::string, double>> pieces;
    pieces.reserve(a.size());
    for (element item : a) {
      simdjson::dom::array pair;
      double score = 0;
      if (item.get(pair) || pair.size() != 2) wrong("model.vocab", "expected [piece, score]");
      if (pair.at(1).get(score)) wrong("model.vocab", "a score is not a number");
      pieces.emplace_back(std::string(text_of(pair.at(0).value(), "model.vocab")), score);
    }
    const int64_t unk = rest["unk_id"].is_null() ? -1 : rest["unk_id"].as_int();
    if (!rest["unk_id"].is_null() && unk < 0) wrong("model.unk_id", "is negative");
    return make_unigram(std::move(pieces), unk, rest.get("byte_fallback", false));
  }
  throw TokenizerError({"tokenizer.json: unknown model \"", type, "\".", did_you_mean(type, {"BPE", "WordPiece", "WordLevel", "Unigram"})});
}

Side read_side(const Json& j) {
  const std::string s = j.get("direction", "Right");
  if (s != "Right" && s != "Left") wrong("direction", "expected Right or Left");
  return s == "Left" ? Side::left : Side::right;
}

Truncation read_truncation(const Json& j) {
  Truncation t;
  t.max_length = j.at("max_length").as_int();
  t.stride = j.get("stride", 0);
  t.side = read_side(j);
  const std::string s = j.get("strategy", "LongestFirst");
  if (s == "LongestFirst") t.strategy = TruncationStrategy::longest_first;
  else if (s == "OnlyFirst") t.strategy = TruncationStrategy::only_first;
  else if (s == "OnlySecond") t.strategy = TruncationStrategy::only_second;
  else wrong("truncation.strategy", "expected LongestFirst, OnlyFirst or OnlySecond");
  if (t.max_length < 0 || t.stride < 0) wrong("truncation", "a length is negative");
  return t;
}

Padding read_padding(const Json& j) {
  Padding p;
  const Json& s = j.at("strategy");
  if (s.is_string() && s.as_string() == "BatchLongest") {
    p.strategy = PaddingStrategy::longest;
  } else if (s.contains("Fixed")) {
    p.strategy = PaddingStrategy::max_length;
    p.length = s.at("Fixed").as_int();
  } else {
    wrong("padding.strategy", "expected BatchLongest or Fixed");
  }
  p.side = read_side(j);
  p.multiple = j.get("pad_to_multiple_of", 0);
  p.id = j.get("pad_id", 0);
  p.type_id = j.get("pad_type_id", 0);
  p.token = j.get("pad_token", "[PAD]");
  if (p.length < 0 || p.multiple < 0 || p.id < 0) wrong("padding", "a number is negative");
  return p;
}

}  // namespace

Engine Engine::from_json(std::string_view text, std::string_view source) {
  simdjson::dom::parser parser;
  element root;
  if (const auto error = parser.parse(text.data(), text.size()).get(root))
    throw TokenizerError({source, ": ", simdjson::error_message(error)});
  simdjson::dom::object o;
  if (root.get(o)) throw TokenizerError({source, ": expected an object"});
  Engine e;
  element model;
  if (o["model"].get(model)) throw TokenizerError({source, ": has no model"});
  e.set_model(read_model(model));
  e.set_normalizer(member(o, "normalizer"));
  e.set_pre_tokenizer(member(o, "pre_tokenizer"));
  e.set_processor(member(o, "post_processor"));
  e.set_decoder(member(o, "decoder"));
  if (const Json t = member(o, "truncation"); !t.is_null()) e.truncation = read_truncation(t);
  if (const Json p = member(o, "padding"); !p.is_null()) e.padding = read_padding(p);
  std::vector<AddedToken> tokens;
  for (const Json tokens_json = member(o, "added_tokens"); const Json& t : tokens_json.is_null() ? Json::Array{} : tokens_json.as_array()) {
    AddedToken a;
    t.at("id").as_int();
    a.content = t.at("content").as_string();
    a.special = t.get("special", false);
    a.single_word = t.get("single_word", false);
    a.lstrip = t.get("lstrip", false);
    a.rstrip = t.get("rstrip", false);
    a.normalized = t.get("normalized", !a.special);
    tokens.push_back(std::move(a));
  }
  e.add_tokens(tokens);
  return e;
}

Json Engine::to_json() const {
  Json j = Json::object();
  j.set("version", "1.0");
  Json cut, fill;
  if (truncation) {
    cut = Json::object();
    cut.set("direction", truncation->side == Side::left ? "Left" : "Right");
    cut.set("max_length", truncation->max_length);
    cut.set("strategy", truncation->strategy == TruncationStrategy::only_first    ? "OnlyFirst"
                        : truncation->strategy == TruncationStrategy::only_second ? "OnlySecond"
                                                                                  : "LongestFirst");
    cut.set("stride", truncation->stride);
  }
  if (padding) {
    fill = Json::object();
    Json fixed = Json::object();
    fixed.set("Fixed", padding->length);
    fill.set("strategy", padding->strategy == PaddingStrategy::max_length ? fixed : Json("BatchLongest"));
    fill.set("direction", padding->side == Side::left ? "Left" : "Right");
    fill.set("pad_to_multiple_of", padding->multiple > 0 ? Json(padding->multiple) : Json());
    fill.set("pad_id", padding->id);
    fill.set("pad_type_id", padding->type_id);
    fill.set("pad_token", padding->token);
  }
  j.set("truncation", std::move(cut));
  j.set("padding", std::move(fill));
  Json::Array tokens;
  for (const auto& [id, t] : added.sorted()) {
    Json a = Json::object();
    a.set("id", id);
    a.set("content", t.content);
    a.set("single_word", t.single_word);
    a.set("lstrip", t.lstrip);
    a.set("rstrip", t.rstrip);
    a.set("normalized", t.normalized);
    a.set("special", t.special);
    tokens.push_back(std::move(a));
  }
  j.set("added_tokens", Json(std::move(tokens)));
  j.set("normalizer", normalizer_json_);
  j.set("pre_tokenizer", pre_tokenizer_json_);
  j.set("post_processor", processor_json_);
  j.set("decoder", decoder_json_);
  j.set("model", model_->to_json());
  return j;
}

}  // namespace transformers::tokenizers
