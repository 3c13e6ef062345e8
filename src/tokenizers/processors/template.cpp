// TemplateProcessing: special tokens and texts in any order, each with its type id.
#include <map>

#include "tokenizers/core/encoding_ops.h"
#include "tokenizers/processors/processor.h"
#include "transformers/error.h"

namespace transformers::tokenizers {
namespace {

class TemplateProcessing : public Processor {
 public:
  explicit TemplateProcessing(const Json& json) {
    for (const auto& [key, value] : json.at("special_tokens").as_object()) {
      Special s;
      for (const Json& id : value.at("ids").as_array()) s.ids.push_back(id.as_int());
      for (const Json& token : value.at("tokens").as_array()) s.tokens.push_back(token.as_string());
      if (s.ids.size() != s.tokens.size())
        throw TokenizerError({"TemplateProcessing: \"", key, "\" has ", static_cast<uint64_t>(s.ids.size()), " ids but ",
                              static_cast<uint64_t>(s.tokens.size()), " tokens"});
      specials_[key] = std::move(s);
    }
    single_ = read(json.at("single"));
    pair_ = read(json.at("pair"));
  }
  int64_t added(bool pair) const override {
    int64_t n = 0;
    for (const Piece& p : pair ? pair_ : single_)
      if (p.special) n += static_cast<int64_t>(p.special->ids.size());
    return n;
  }
  void process(std::vector<Encoding>& parts, bool special) const override {
    const bool two = parts.size() > 1;
    const bool detailed = parts[0].tokens.size() == parts[0].ids.size() && (!two || parts[1].tokens.size() == parts[1].ids.size());
    std::vector<Encoding> out;
    size_t last[2] = {SIZE_MAX, SIZE_MAX};
    for (const Piece& p : two ? pair_ : single_) {
      if (p.special) {
        if (special) out.push_back(special_encoding(p.special->ids, p.special->tokens, p.type_id, detailed));
        continue;
      }
      const size_t i = p.second && two ? 1 : 0;
      set_type_id(parts[i], p.type_id);
      set_sequence_id(parts[i], static_cast<int64_t>(i));
      if (last[i] != SIZE_MAX) set_sequence_id(out[last[i]], -1);  // of a repeated text the last copy counts
      last[i] = out.size();
      out.push_back(parts[i]);
    }
    parts = std::move(out);
  }

 private:
  struct Special {
    std::vector<int64_t> ids;
    std::vector<std::string> tokens;
  };
  struct Piece {
    const Special* special = nullptr;
    bool second = false;
    int64_t type_id = 0;
  };
  // ["[CLS]", "$A:0", ...] (older) or [{"SpecialToken": {...}}, {"Sequence": {...}}, ...]
  std::vector<Piece> read(const Json& json) const {
    std::vector<Piece> pieces;
    if (json.is_string()) {
      std::string text = json.as_string();
      Json::Array words;
      for (size_t i = 0; i < text.size();) {
        const size_t end = std::min(text.find(' ', i), text.size());
        if (end > i) words.push_back(Json(text.substr(i, end - i)));
        i = end + 1;
      }
      return read(Json(std::move(words)));
    }
    for (const Json& item : json.as_array()) {
      Piece p;
      std::string id;
      if (item.is_string()) {
        id = item.as_string();
        if (const size_t colon = id.rfind(':'); colon != std::string::npos && colon + 1 < id.size() &&
                                                id.find_first_not_of("0123456789", colon + 1) == std::string::npos) {
          if (id.size() - colon > 9) throw TokenizerError({"TemplateProcessing: type id in \"", id, "\" is too large"});
          p.type_id = std::stoll(id.substr(colon + 1));
          id.resize(colon);
        }
        if (id == "$" || id == "$A" || id == "$a") { pieces.push_back(p); continue; }
        if (id == "$B" || id == "$b") { p.second = true; pieces.push_back(p); continue; }
        if (id.starts_with('$')) {
          if (id.find_first_not_of("0123456789", 1) != std::string::npos || id.size() > 9)
            throw TokenizerError({"TemplateProcessing: unknown piece \"", id, "\""});
          p.type_id = std::stoll(id.substr(1));
          pieces.push_back(p);
          continue;
        }
        p.special = find(id);
      } else if (const Json* s = item.find("SpecialToken")) {
        p.type_id = s->get("type_id", 0);
        p.special = find(s->at("id").as_string());
      } else if (const Json* q = item.find("Sequence")) {
        p.type_id = q->get("type_id", 0);
        const std::string& name = q->at("id").as_string();
        if (name != "A" && name != "B") throw TokenizerError({"TemplateProcessing: expected sequence A or B, got \"", name, "\""});
        p.second = name == "B";
      } else {
        throw TokenizerError({"TemplateProcessing: expected SpecialToken or Sequence, got ", item.dump()});
      }
      pieces.push_back(p);
    }
    return pieces;
  }
  const Special* find(const std::string& id) const {
    const auto it = specials_.find(id);
    if (it == specials_.end()) throw TokenizerError({"TemplateProcessing: \"", id, "\" is not among its special_tokens"});
    return &it->second;
  }
  std::map<std::string, Special> specials_;
  std::vector<Piece> single_, pair_;
};

}  // namespace

ProcessorPtr make_template_processor(const Json& json) { return std::make_shared<TemplateProcessing>(json); }

}  // namespace transformers::tokenizers
