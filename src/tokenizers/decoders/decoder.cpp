// Reads a decoder's JSON; sequences; ByteLevel and ByteFallback.
#include "tokenizers/decoders/decoder.h"

#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {

class SequenceDecoder : public Decoder {
 public:
  SequenceDecoder(const Json& json, int depth) {
    for (const Json& part : json.at("decoders").as_array())
      if (auto d = make_decoder(part, depth + 1)) parts_.push_back(std::move(d));
  }
  void decode(std::vector<std::string>& tokens) const override {
    for (const auto& part : parts_) part->decode(tokens);
  }

 private:
  std::vector<DecoderPtr> parts_;
};

class ByteLevelDecoder : public Decoder {
  void decode(std::vector<std::string>& tokens) const override {
    std::string bytes;
    for (const std::string& t : tokens) {
      const size_t before = bytes.size();
      for (const char *p = t.data(), *end = p + t.size(); p < end;) {
        const int b = char_to_byte(next_char(p, end));
        if (b < 0) {  // not a byte-level token: itself
          bytes.resize(before);
          bytes += t;
          break;
        }
        bytes += static_cast<char>(b);
      }
    }
    tokens.assign(1, valid_utf8(bytes) ? std::move(bytes) : repair_utf8(bytes));
  }
};

class ByteFallbackDecoder : public Decoder {
  void decode(std::vector<std::string>& tokens) const override {
    std::vector<std::string> out;
    out.reserve(tokens.size());
    std::string bytes;
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (valid_utf8(bytes)) out.push_back(bytes);
      else out.insert(out.end(), bytes.size(), "\xef\xbf\xbd");
      bytes.clear();
    };
    for (std::string& t : tokens) {
      const int b = byte_token(t);
      if (b >= 0) { bytes += static_cast<char>(b); continue; }
      flush();
      out.push_back(std::move(t));
    }
    flush();
    tokens = std::move(out);
  }
};

int byte_token(std::string_view t) {
  if (t.size() != 6 || !t.starts_with("<0x") || t[5] != '>') return -1;
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  const int a = t[3] == '+' ? 0 : digit(t[3]), b = digit(t[4]);
  return a < 0 || b < 0 ? -1 : a * 16 + b;
}

std::string replace_all(std::string_view s, std::string_view from, std::string_view to) {
  std::string out;
  if (from.empty()) return std::string(s);
  size_t begin = 0;
  for (size_t at; (at = s.find(from, begin)) != std::string_view::npos; begin = at + from.size()) {
    out.append(s.substr(begin, at - begin));
    out.append(to);
  }
  return out.append(s.substr(begin));
}

std::string clean_up(std::string s) {
  if (s.find(' ') == std::string::npos) return s;
  static constexpr std::pair<std::string_view, std::string_view> rules[] = {
      {" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : rules)
    if (s.find(from) != std::string::npos) s = replace_all(s, from, to);
  return s;
}

std::string join(const std::vector<std::string>& tokens, std::string_view between) {
  std::string out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out += between;
    out += tokens[i];
  }
  return out;
}

DecoderPtr make_byte_level_decoder() { return std::make_shared<ByteLevelDecoder>(); }
DecoderPtr make_byte_fallback_decoder() { return std::make_shared<ByteFallbackDecoder>(); }

DecoderPtr make_decoder(const Json& json, int depth) {
  if (json.is_null()) return nullptr;
  if (depth > 32) throw TokenizerError({"tokenizer.json: decoders nest deeper than 32"});
  const std::string& type = json.at("type").as_string();
  if (type == "Sequence") return std::make_shared<SequenceDecoder>(json, depth);
  if (type == "ByteLevel") return make_byte_level_decoder();
  if (type == "ByteFallback") return make_byte_fallback_decoder();
  if (auto d = make_simple_decoder(type, json)) return d;
  if (auto d = make_word_decoder(type, json)) return d;
  throw TokenizerError({"tokenizer.json: unknown decoder \"", type, "\".",
                        did_you_mean(type, {"Sequence", "ByteLevel", "ByteFallback", "Fuse", "Strip", "Replace", "Metaspace", "WordPiece",
                                            "BPEDecoder", "CTC"})});
}

}  // namespace transformers::tokenizers
