// Per-task losses. Reference: transformers/loss/loss_utils.py and the heads of modeling_bert.py.
#include "models/losses.h"

#include "models/config.h"
#include "ops/elementwise.h"
#include "ops/loss.h"

namespace transformers {

static Tensor in_float(const Tensor& x) { return x.dtype() == DType::f64 ? x : x.to(DType::f32); }

Tensor causal_lm_loss(const Tensor& logits, const Tensor& labels) {
  if (!labels.defined()) return {};
  const int64_t T = logits.dim(1);
  const Tensor shifted = in_float(logits).slice(1, 0, T - 1), next = labels.slice(1, 1, T);
  return cross_entropy(shifted.reshape({-1, logits.dim(-1)}), next.reshape({-1}));
}
Tensor token_loss(const Tensor& logits, const Tensor& labels) {
  if (!labels.defined()) return {};
  return cross_entropy(in_float(logits).reshape({-1, logits.dim(-1)}), labels.reshape({-1}));
}
Tensor sequence_classification_loss(const Tensor& logits, const Tensor& labels, const Json& config) {
  if (!labels.defined()) return {};
  const int64_t n = num_labels(config);
  std::string type = config.get("problem_type", "");
  if (type.empty()) type = n == 1 ? "regression" : is_floating(labels.dtype()) ? "multi_label_classification" : "single_label_classification";
  const Tensor x = in_float(logits);
  if (type == "regression") return n == 1 ? mse_loss(x.reshape({-1}), labels.to(x.dtype()).reshape({-1})) : mse_loss(x, labels.to(x.dtype()));
  if (type == "single_label_classification") return cross_entropy(x.reshape({-1, n}), labels.reshape({-1}));
  if (type == "multi_label_classification") return bce_with_logits(x, labels.to(x.dtype()));
  throw ConfigError({"config: unknown problem_type \"", type, "\"; known: regression, single_label_classification, multi_label_classification"});
}
Tensor question_answering_loss(const Tensor& start_logits, const Tensor& end_logits, Tensor start, Tensor end) {
  if (!start.defined() || !end.defined()) return {};
  const int64_t T = start_logits.dim(1);
  CrossEntropyOptions o;
  o.ignore_index = T;
  const auto one = [&](const Tensor& logits, const Tensor& position) {
    return cross_entropy(in_float(logits), clamp(position.reshape({-1}), 0, static_cast<double>(T)), o);
  };
  return (one(start_logits, start) + one(end_logits, end)) / 2;
}

}  // namespace transformers
