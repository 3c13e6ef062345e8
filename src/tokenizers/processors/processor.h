// Post-processors of tokenizer.json: add special tokens around a text or a pair. A file per type.
#pragma once
#include <memory>

#include "transformers/json.h"
#include "transformers/tokenizer.h"

namespace transformers::tokenizers {

class Processor {
 public:
  virtual ~Processor() = default;
  /// Special tokens added to one text or a pair.
  virtual int64_t added(bool pair) const = 0;
  /// Changes the one or two parts; the result is their concatenation.
  virtual void process(std::vector<Encoding>& parts, bool add_special_tokens) const = 0;
};
using ProcessorPtr = std::shared_ptr<const Processor>;

/// From the JSON of tokenizer.json; nullptr for null. Throws TokenizerError, ConfigError.
ProcessorPtr make_processor(const Json& json, int depth = 0);
ProcessorPtr make_byte_level_processor(const Json& json);
ProcessorPtr make_bert_processor(const Json& json);
ProcessorPtr make_roberta_processor(const Json& json);
ProcessorPtr make_template_processor(const Json& json);

/// Joins the text(s) through the processor (may be nullptr) into one encoding.
Encoding post_process(const Processor* processor, Encoding first, Encoding* second, bool add_special_tokens);
/// Moves offsets off the spaces that a token begins or ends with.
void trim_offsets(Encoding& e, bool add_prefix_space);

}  // namespace transformers::tokenizers
