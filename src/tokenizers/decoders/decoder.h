// Decoders of tokenizer.json: tokens back to text. A file per kind.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "transformers/json.h"

namespace transformers::tokenizers {

class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Changes the tokens; their concatenation is the text. Throws TokenizerError where the reference crashes.
  virtual void decode(std::vector<std::string>& tokens) const = 0;
};
using DecoderPtr = std::shared_ptr<const Decoder>;

/// From the JSON of tokenizer.json; nullptr for null. Throws TokenizerError, ConfigError.
DecoderPtr make_decoder(const Json& json, int depth = 0);
DecoderPtr make_byte_level_decoder();
DecoderPtr make_byte_fallback_decoder();
/// Fuse, Strip, Replace, Metaspace; nullptr for other types.
DecoderPtr make_simple_decoder(const std::string& type, const Json& json);
/// WordPiece, BPEDecoder, CTC; nullptr for other types.
DecoderPtr make_word_decoder(const std::string& type, const Json& json);

/// All occurrences of `from` replaced.
std::string replace_all(std::string_view s, std::string_view from, std::string_view to);
/// English clean-up of spaces before punctuation and in contractions, as WordPiece's decoder does it.
std::string clean_up(std::string s);
/// Text of a byte token "<0xE2>": its byte, or -1.
int byte_token(std::string_view token);
std::string join(const std::vector<std::string>& tokens, std::string_view between = "");

}  // namespace transformers::tokenizers
