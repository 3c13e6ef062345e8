// Reads a normalizer's JSON; sequences of normalizers.
#include "tokenizers/normalizers/normalizer.h"

#include "transformers/error.h"

namespace transformers::tokenizers {

class SequenceNormalizer : public Normalizer {
 public:
  SequenceNormalizer(const Json& json, int depth) {
    for (const Json& part : json.at("normalizers").as_array()) parts_.push_back(make_normalizer(part, depth + 1));
  }
  void normalize(TrackedText& text) const override {
    for (const auto& part : parts_)
      if (part) part->normalize(text);
  }

 private:
  std::vector<NormalizerPtr> parts_;
};

NormalizerPtr make_normalizer(const Json& json, int depth) {
  if (json.is_null()) return nullptr;
  if (depth > 32) throw TokenizerError({"tokenizer.json: normalizers nest deeper than 32"});
  const std::string& type = json.at("type").as_string();
  if (type == "Sequence") return std::make_shared<SequenceNormalizer>(json, depth);
  if (type == "BertNormalizer") return make_bert_normalizer(json);
  if (type == "NFC") return make_unicode_normalizer(true, false);
  if (type == "NFD") return make_unicode_normalizer(false, false);
  if (type == "NFKC") return make_unicode_normalizer(true, true);
  if (type == "NFKD") return make_unicode_normalizer(false, true);
  if (type == "Strip" || type == "StripNormalizer") return make_strip_normalizer(json);
  if (type == "StripAccents") return make_strip_accents_normalizer();
  if (type == "Lowercase") return make_lowercase_normalizer();
  if (type == "Uppercase") return make_uppercase_normalizer();
  if (type == "Nmt") return make_nmt_normalizer();
  if (type == "Replace") return make_replace_normalizer(json);
  if (type == "Prepend") return make_prepend_normalizer(json);
  if (type == "ByteLevel") return make_byte_level_normalizer();
  if (type == "Precompiled") return make_precompiled_normalizer(json);
  throw TokenizerError({"tokenizer.json: unknown normalizer \"", type, "\".",
                        did_you_mean(type, {"Sequence", "BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Strip", "StripAccents",
                                            "Lowercase", "Nmt", "Replace", "Prepend", "ByteLevel", "Precompiled"})});
}

}  // namespace transformers::tokenizers
