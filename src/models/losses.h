// The reference's per-task losses (transformers/loss/loss_utils.py). Each returns an undefined tensor when labels are.
#pragma once
#include "transformers/json.h"
#include "transformers/model.h"
#include "transformers/tensor.h"

namespace transformers {

/// Next-token cross entropy: logits [B, T, V] against labels [B, T] shifted by one; -100 is ignored.
Tensor causal_lm_loss(const Tensor& logits, const Tensor& labels);
/// Cross entropy of every position: logits [..., V], labels [...].
Tensor token_loss(const Tensor& logits, const Tensor& labels);
/// By config.problem_type (inferred from num_labels and the labels' dtype when null): regression (MSE), single_label, multi_label (BCE).
Tensor sequence_classification_loss(const Tensor& logits, const Tensor& labels, const Json& config);
/// Mean of start and end cross entropy; positions are clamped to [0, T] and T is ignored.
Tensor question_answering_loss(const Tensor& start_logits, const Tensor& end_logits, Tensor start, Tensor end);

}  // namespace transformers
