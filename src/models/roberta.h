// RoBERTa's classes for its relatives (CamemBERT, XLM-RoBERTa, Data2VecText): the same parts under other names.
#pragma once
#include "models/bert.h"

namespace transformers {

struct RobertaConfig : BertConfig {
  explicit RobertaConfig(const Json& j) : BertConfig(with_defaults(j, {{"vocab_size", 50265}, {"pad_token_id", 1}})) {
    padded_positions = true;
  }
};

/// dense, gelu, layer_norm, then the (tied) decoder with its bias: -> [B, T, V].
struct RobertaLmHead {
  Linear dense, decoder;
  LayerNorm layer_norm;
  RobertaLmHead(const Scope& w, const BertConfig& c, const Embedding& table);
  Tensor operator()(const Tensor& x) const { return decoder(layer_norm(gelu(dense(x)))); }
};

/// Classification of the first token: dropout, dense, activation, dropout, out_proj, under "classifier".
struct RobertaClassificationHead {
  Linear dense, out_proj;
  double dropout_p;
  Tensor (*act)(const Tensor&);
  RobertaClassificationHead(const Scope& w, const Json& json, int64_t outputs, Tensor (*act)(const Tensor&) = tanh);
  Tensor operator()(const Outputs& h, const Inputs& in) const;  ///< [B, T, C] -> [B, outputs]
};

/// Adds <name>Model, ForCausalLM, ForMaskedLM, ForSequenceClassification, ForMultipleChoice, ForTokenClassification and
/// ForQuestionAnswering, whose backbone lies under `prefix`. `masked_autos`: the Auto classes of <name>ForMaskedLM.
void add_roberta_classes(ModelFamily& family, const std::string& name, const std::string& prefix,
                         const std::vector<std::string>& masked_autos);

}  // namespace transformers
