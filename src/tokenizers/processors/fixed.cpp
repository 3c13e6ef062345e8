// ByteLevel (trims offsets), BertProcessing ([CLS] A [SEP] B [SEP]) and RobertaProcessing (<s> A </s></s> B </s>).
#include "tokenizers/core/encoding_ops.h"
#include "tokenizers/processors/processor.h"
#include "transformers/error.h"

namespace transformers::tokenizers {
namespace {

class ByteLevelProcessor : public Processor {
 public:
  explicit ByteLevelProcessor(const Json& json)
      : trim_(json.get("trim_offsets", true)), prefix_(json.get("add_prefix_space", true)) {}
  int64_t added(bool) const override { return 0; }
  void process(std::vector<Encoding>& parts, bool) const override {
    if (!trim_) return;
    for (Encoding& e : parts) {
      trim_offsets(e, prefix_);
      for (Encoding& o : e.overflowing) trim_offsets(o, prefix_);
    }
  }

 private:
  bool trim_, prefix_;
};

struct Special {
  std::string token;
  int64_t id;
  explicit Special(const Json& json) : token(json.at(size_t{0}).as_string()), id(json.at(size_t{1}).as_int()) {}
};

// Puts special tokens around an encoding and its overflowing pieces.
void wrap(Encoding& e, const std::vector<const Special*>& before, const Special& after, int64_t type_id) {
  for (Encoding& o : e.overflowing) wrap(o, before, after, type_id);
  const bool detailed = e.tokens.size() == e.ids.size();
  Encoding all;
  for (const Special* s : before) merge_encoding(all, special_encoding({s->id}, {s->token}, type_id, detailed));
  std::vector<Encoding> overflowing = std::move(e.overflowing);
  e.overflowing.clear();
  set_type_id(e, type_id);
  merge_encoding(all, e);
  merge_encoding(all, special_encoding({after.id}, {after.token}, type_id, detailed));
  all.overflowing = std::move(overflowing);
  e = std::move(all);
}

class BertProcessing : public Processor {
 public:
  explicit BertProcessing(const Json& json) : sep_(json.at("sep")), cls_(json.at("cls")) {}
  int64_t added(bool pair) const override { return pair ? 3 : 2; }
  void process(std::vector<Encoding>& parts, bool special) const override {
    if (!special) return;
    wrap(parts[0], {&cls_}, sep_, 0);
    if (parts.size() > 1) wrap(parts[1], {}, sep_, 1);
  }

 private:
  Special sep_, cls_;
};

class RobertaProcessing : public Processor {
 public:
  explicit RobertaProcessing(const Json& json)
      : sep_(json.at("sep")), cls_(json.at("cls")), trim_(json.get("trim_offsets", true)), prefix_(json.get("add_prefix_space", true)) {}
  int64_t added(bool pair) const override { return pair ? 4 : 2; }
  void process(std::vector<Encoding>& parts, bool special) const override {
    for (Encoding& e : parts) {
      if (trim_) {
        trim_offsets(e, prefix_);
        for (Encoding& o : e.overflowing) trim_offsets(o, prefix_);
      }
      set_type_id(e, 0);
    }
    if (!special) return;
    wrap(parts[0], {&cls_}, sep_, 0);
    if (parts.size() > 1) wrap(parts[1], {&sep_}, sep_, 0);
  }

 private:
  Special sep_, cls_;
  bool trim_, prefix_;
};

}  // namespace

ProcessorPtr make_byte_level_processor(const Json& json) { return std::make_shared<ByteLevelProcessor>(json); }
ProcessorPtr make_bert_processor(const Json& json) { return std::make_shared<BertProcessing>(json); }
ProcessorPtr make_roberta_processor(const Json& json) { return std::make_shared<RobertaProcessing>(json); }

}  // namespace transformers::tokenizers
