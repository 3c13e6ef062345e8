// Reads a post-processor's JSON; sequences; the steps around a processor.
#include "tokenizers/processors/processor.h"

#include <algorithm>

#include "tokenizers/core/encoding_ops.h"
#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {

class SequenceProcessor : public Processor {
 public:
  SequenceProcessor(const Json& json, int depth) {
    for (const Json& part : json.at("processors").as_array())
      if (auto p = make_processor(part, depth + 1)) parts_.push_back(std::move(p));
  }
  int64_t added(bool pair) const override {
    int64_t n = 0;
    for (const auto& p : parts_) n += p->added(pair);
    return n;
  }
  void process(std::vector<Encoding>& e, bool special) const override {
    for (const auto& p : parts_) p->process(e, special);
  }

 private:
  std::vector<ProcessorPtr> parts_;
};

ProcessorPtr make_processor(const Json& json, int depth) {
  if (json.is_null()) return nullptr;
  if (depth > 32) throw TokenizerError({"tokenizer.json: post-processors nest deeper than 32"});
  const std::string& type = json.at("type").as_string();
  if (type == "Sequence") return std::make_shared<SequenceProcessor>(json, depth);
  if (type == "ByteLevel") return make_byte_level_processor(json);
  if (type == "BertProcessing") return make_bert_processor(json);
  if (type == "RobertaProcessing") return make_roberta_processor(json);
  if (type == "TemplateProcessing") return make_template_processor(json);
  throw TokenizerError({"tokenizer.json: unknown post-processor \"", type, "\".",
                        did_you_mean(type, {"Sequence", "ByteLevel", "BertProcessing", "RobertaProcessing", "TemplateProcessing"})});
}

Encoding post_process(const Processor* processor, Encoding first, Encoding* second, bool add_special_tokens) {
  std::vector<Encoding> parts;
  parts.reserve(2);
  parts.push_back(std::move(first));
  if (second) parts.push_back(std::move(*second));
  for (size_t i = 0; i < parts.size(); ++i) {
    set_sequence_id(parts[i], static_cast<int64_t>(i));
    // Without a processor the reference leaves the overflowing pieces of pairs without a sequence.
    for (Encoding& e : parts[i].overflowing) set_sequence_id(e, processor || !second ? static_cast<int64_t>(i) : -1);
    if (processor) set_type_id(parts[i], static_cast<int64_t>(i));
  }
  if (processor) processor->process(parts, add_special_tokens);
  if (parts.empty()) return Encoding();
  Encoding all = std::move(parts[0]);
  for (size_t i = 1; i < parts.size(); ++i) merge_encoding(all, parts[i]);
  if (!processor && second)
    for (Encoding& e : all.overflowing)
      if (std::all_of(e.sequence_ids.begin(), e.sequence_ids.end(), [](int64_t s) { return s < 0; })) set_sequence_id(e, 0);
  return all;
}

void trim_offsets(Encoding& e, bool add_prefix_space) {
  for (size_t i = 0; i < e.tokens.size(); ++i) {
    const auto code_points = to_code_points(e.tokens[i]);
    const auto space = [](uint32_t c) { return c == 0x120 || is_whitespace(c); };
    int64_t leading = 0, trailing = 0;
    for (size_t k = 0; k < code_points.size() && space(code_points[k]); ++k) ++leading;
    for (size_t k = code_points.size(); k > 0 && space(code_points[k - 1]); --k) ++trailing;
    auto& [begin, end] = e.offsets[i];
    if (leading > 0) {
      if (add_prefix_space && (i == 0 || begin == 0)) --leading;
      begin = std::min(begin + leading, end);
    }
    if (trailing > 0 && end >= trailing) end = std::max(end - trailing, begin);
  }
}

}  // namespace transformers::tokenizers
