// Normalizers of tokenizer.json: change the text before it is split. A file per type; make_normalizer reads the JSON.
#pragma once
#include <memory>

#include "tokenizers/text/tracked_text.h"
#include "transformers/json.h"

namespace transformers::tokenizers {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void normalize(TrackedText& text) const = 0;
};
using NormalizerPtr = std::shared_ptr<const Normalizer>;

/// From the JSON of tokenizer.json; nullptr for null. Throws TokenizerError, ConfigError.
NormalizerPtr make_normalizer(const Json& json, int depth = 0);

NormalizerPtr make_bert_normalizer(const Json& json);
NormalizerPtr make_unicode_normalizer(bool compose, bool compatible);  ///< NFC, NFD, NFKC, NFKD.
NormalizerPtr make_strip_normalizer(const Json& json);
NormalizerPtr make_strip_accents_normalizer();
NormalizerPtr make_lowercase_normalizer();
NormalizerPtr make_uppercase_normalizer();
NormalizerPtr make_nmt_normalizer();
NormalizerPtr make_replace_normalizer(const Json& json);
NormalizerPtr make_prepend_normalizer(const Json& json);
NormalizerPtr make_byte_level_normalizer();
NormalizerPtr make_precompiled_normalizer(const Json& json);

// Steps that several types share.
void lowercase(TrackedText& text);
void decompose_text(TrackedText& text, bool compatible);
/// Puts `s` in front, aligned with the first character; nothing for empty text.
void prepend(TrackedText& text, std::string_view s);

}  // namespace transformers::tokenizers
