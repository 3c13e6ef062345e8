// One vector for a sequence: the summary head of GPT-2, ELECTRA, XLNet, XLM and Flaubert.
// Reference: modeling_utils.py (SequenceSummary). B batch, T tokens, C hidden.
#pragma once
#include "nn/layers.h"
#include "transformers/model.h"

namespace transformers {

class SequenceSummary {
 public:
  /// Reads summary_type, summary_use_proj, summary_proj_to_labels, summary_activation and the dropouts of `config`.
  SequenceSummary(const Scope& w, const Json& config, int64_t hidden_size, int64_t labels);
  /// hidden [B, ..., T, C]; cls_index [B, ...] for type "cls_index" (undefined: the last token) -> [B, ..., labels].
  Tensor operator()(const Tensor& hidden, const Tensor& cls_index, const Inputs& in) const;

 private:
  std::string type_;
  Linear summary_;
  Activation activation_;
  double first_dropout_, last_dropout_;
};

}  // namespace transformers
