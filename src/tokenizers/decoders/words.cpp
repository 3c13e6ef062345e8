// Decoders that put words together: WordPiece, BPEDecoder (end-of-word suffix), CTC.
#include "tokenizers/decoders/decoder.h"

namespace transformers::tokenizers {
namespace {

class WordPieceDecoder : public Decoder {
 public:
  explicit WordPieceDecoder(const Json& json) : prefix_(json.get("prefix", "##")), cleanup_(json.get("cleanup", true)) {}
  void decode(std::vector<std::string>& tokens) const override {
    std::string spaced;
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::string& t = tokens[i];
      if (i > 0) {
        if (t.starts_with(prefix_)) t.erase(0, prefix_.size());
        else spaced.assign(1, ' ').append(t), t.swap(spaced);
      }
      if (cleanup_) t = clean_up(std::move(t));
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

class BpeDecoder : public Decoder {
 public:
  explicit BpeDecoder(const Json& json) : suffix_(json.get("suffix", "</w>")) {}
  void decode(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = replace_all(tokens[i], suffix_, i + 1 == tokens.size() ? "" : " ");
  }

 private:
  std::string suffix_;
};

class CtcDecoder : public Decoder {
 public:
  explicit CtcDecoder(const Json& json)
      : pad_(json.get("pad_token", "<pad>")), delimiter_(json.get("word_delimiter_token", "|")), cleanup_(json.get("cleanup", true)) {}
  void decode(std::vector<std::string>& tokens) const override {
    std::vector<std::string> out;
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 && tokens[i] == tokens[i - 1]) continue;
      std::string t = replace_all(tokens[i], pad_, "");
      if (cleanup_) t = replace_all(clean_up(std::move(t)), delimiter_, " ");
      if (!t.empty()) out.push_back(std::move(t));
    }
    tokens = std::move(out);
  }

 private:
  std::string pad_, delimiter_;
  bool cleanup_;
};

}  // namespace

DecoderPtr make_word_decoder(const std::string& type, const Json& json) {
  if (type == "WordPiece") return std::make_shared<WordPieceDecoder>(json);
  if (type == "BPEDecoder") return std::make_shared<BpeDecoder>(json);
  if (type == "CTC") return std::make_shared<CtcDecoder>(json);
  return nullptr;
}

}  // namespace transformers::tokenizers
