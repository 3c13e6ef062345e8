// The engine: what a tokenizer.json describes. Text -> normalizer -> pre-tokenizer -> model -> post-processor, and back.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/core/added_vocabulary.h"
#include "tokenizers/core/encoding_ops.h"
#include "tokenizers/decoders/decoder.h"
#include "tokenizers/models/model.h"
#include "tokenizers/normalizers/normalizer.h"
#include "tokenizers/pre_tokenizers/pre_tokenizer.h"
#include "tokenizers/processors/processor.h"

namespace transformers::tokenizers {

/// One text, or words already split.
struct Input {
  std::string_view text;
  const std::vector<std::string>* words = nullptr;
};

class Engine {
 public:
  Engine() = default;
  /// Reads tokenizer.json. Throws TokenizerError, ConfigError.
  static Engine from_json(std::string_view text, std::string_view source = "tokenizer.json");
  Json to_json() const;

  /// Tokens of one sequence, before post-processing.
  Encoding encode_sequence(const Input& input, int64_t type_id, bool detailed, bool skip_special) const;
  /// One text or pair; truncation and padding as given.
  Encoding encode(const Input& first, const Input* second, bool add_special_tokens, bool detailed,
                  const std::optional<Truncation>& truncation, const std::optional<Padding>& padding, bool skip_special) const;
  std::string decode(const std::vector<int64_t>& ids, bool skip_special_tokens) const;
  std::string decode_tokens(std::vector<std::string> tokens) const;

  int64_t token_to_id(std::string_view token) const;          ///< -1: unknown.
  std::optional<std::string> id_to_token(int64_t id) const;
  int64_t added_by_processor(bool pair) const { return processor_ ? processor_->added(pair) : 0; }
  int64_t add_tokens(const std::vector<AddedToken>& tokens) { return added.add(tokens, *model_, normalizer_.get()); }
  const Model& model() const { return *model_; }
  bool has_model() const { return model_ != nullptr; }

  void set_model(ModelPtr model) { model_ = std::move(model); }
  void set_normalizer(const Json& json);
  void set_pre_tokenizer(const Json& json);
  void set_processor(const Json& json);
  void set_decoder(const Json& json);
  const Json& normalizer_json() const { return normalizer_json_; }
  const Json& pre_tokenizer_json() const { return pre_tokenizer_json_; }
  const Json& processor_json() const { return processor_json_; }
  const Json& decoder_json() const { return decoder_json_; }
  const NormalizerPtr& normalizer() const { return normalizer_; }
  const PreTokenizerPtr& pre_tokenizer() const { return pre_tokenizer_; }

  AddedVocabulary added;
  std::optional<Truncation> truncation;  ///< As the file has it.
  std::optional<Padding> padding;
  /// As the reference's tokenizers without a fast version: added tokens show their name without the white space beside
  /// them, a text too short for what must be cut is left whole, and words already split get a space before them.
  bool python_rules = false;

 private:
  void encode_text(std::string_view text, int64_t word, int64_t type_id, bool detailed, bool skip_special, Encoding& out) const;
  ModelPtr model_;
  NormalizerPtr normalizer_;
  PreTokenizerPtr pre_tokenizer_;
  ProcessorPtr processor_;
  DecoderPtr decoder_;
  Json normalizer_json_, pre_tokenizer_json_, processor_json_, decoder_json_;
};

}  // namespace transformers::tokenizers
