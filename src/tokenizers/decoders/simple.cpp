// Fuse, Strip, Replace and Metaspace decoders.
#include "tokenizers/decoders/decoder.h"
#include "tokenizers/pre_tokenizers/pre_tokenizer.h"
#include "tokenizers/text/pattern_json.h"
#include "tokenizers/text/unicode.h"

namespace transformers::tokenizers {
namespace {

class Fuse : public Decoder {
  void decode(std::vector<std::string>& tokens) const override { tokens.assign(1, join(tokens)); }
};

class Strip : public Decoder {
 public:
  explicit Strip(const Json& json) : start_(json.get("start", 0)), stop_(json.get("stop", 0)) {
    const std::string& c = json.at("content").as_string();
    if (count_chars(c) != 1) throw TokenizerError({"Strip decoder: expected one character as content, got \"", c, "\""});
    content_ = first_char(c);
  }
  void decode(std::vector<std::string>& tokens) const override {
    for (std::string& t : tokens) {
      const auto chars = to_code_points(t);
      const auto size = static_cast<int64_t>(chars.size());
      int64_t begin = 0, end = size;
      while (begin < start_ && begin < size && chars[begin] == content_) ++begin;
      for (int64_t i = 0; i < stop_; ++i) {
        if (i >= size) throw TokenizerError({"Strip decoder: token \"", t, "\" is shorter than what is to be removed"});
        if (chars[size - 1 - i] != content_) break;
        end = size - 1 - i;
      }
      if (begin > end) throw TokenizerError({"Strip decoder: nothing is left of token \"", t, "\""});
      std::string out;
      for (int64_t i = begin; i < end; ++i) append_utf8(out, chars[i]);
      t = std::move(out);
    }
  }

 private:
  int64_t start_, stop_;
  uint32_t content_;
};

class ReplaceDecoder : public Decoder {
 public:
  explicit ReplaceDecoder(const Json& json) : pattern_(pattern_from_json(json.at("pattern"))), content_(json.at("content").as_string()) {}
  void decode(std::vector<std::string>& tokens) const override {
    thread_local std::vector<Match> matches;
    for (std::string& t : tokens) {
      pattern_.find_matches(t, matches);
      if (matches.empty() || (matches.size() == 1 && !matches[0].match)) continue;
      std::string out;
      for (const Match& m : matches) {
        if (m.match) out += content_;
        else out.append(t, m.begin, m.end - m.begin);
      }
      t = std::move(out);
    }
  }

 private:
  Pattern pattern_;
  std::string content_;
};

class MetaspaceDecoder : public Decoder {
 public:
  explicit MetaspaceDecoder(const Json& json) : o_(json) {}
  void decode(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i)
      tokens[i] = replace_all(tokens[i], o_.replacement, i == 0 && o_.scheme != MetaspaceOptions::Scheme::never ? "" : " ");
  }

 private:
  MetaspaceOptions o_;
};

}  // namespace

DecoderPtr make_simple_decoder(const std::string& type, const Json& json) {
  if (type == "Fuse") return std::make_shared<Fuse>();
  if (type == "Strip") return std::make_shared<Strip>(json);
  if (type == "Replace") return std::make_shared<ReplaceDecoder>(json);
  if (type == "Metaspace") return std::make_shared<MetaspaceDecoder>(json);
  return nullptr;
}

}  // namespace transformers::tokenizers
