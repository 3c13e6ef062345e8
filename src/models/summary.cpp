// The summary head. Reference: modeling_utils.py (SequenceSummary).
#include "models/summary.h"

namespace transformers {

SequenceSummary::SequenceSummary(const Scope& w, const Json& c, int64_t hidden_size, int64_t labels)
    : type_(c.get("summary_type", "last")),
      first_dropout_(c.get("summary_first_dropout", 0.0)),
      last_dropout_(c.get("summary_last_dropout", 0.0)) {
  if (type_ == "attn")
    throw UnsupportedError(
        "summary_type \"attn\" is not supported (nor by the reference); known: last, first, mean, cls_index");
  if (type_ != "last" && type_ != "first" && type_ != "mean" && type_ != "cls_index")
    throw ConfigError({"config: unknown summary_type \"", type_, "\"; known: last, first, mean, cls_index"});
  if (c.get("summary_use_proj", false))
    summary_ =
        Linear(w / "summary", hidden_size, c.get("summary_proj_to_labels", false) && labels > 0 ? labels : hidden_size);
  if (const std::string name = c.get("summary_activation", ""); !name.empty()) activation_ = Activation(name);
}

Tensor SequenceSummary::operator()(const Tensor& hidden, const Tensor& cls_index, const Inputs& in) const {
  Tensor x;
  const int64_t T = hidden.dim(-2), C = hidden.dim(-1);
  if (type_ == "mean") {
    x = mean(hidden, {1});
  } else if (type_ == "cls_index" && cls_index.defined()) {
    Shape shape = cls_index.shape();
    shape.push_back(1), shape.push_back(C);
    x = gather(hidden, -2, cls_index.unsqueeze(-1).unsqueeze(-1).expand(shape).contiguous()).squeeze(-2);
  } else {
    x = hidden.select(-2, type_ == "first" ? 0 : T - 1);
  }
  x = dropout(x, in.dropout(first_dropout_));
  if (summary_) x = summary_(x);
  if (!activation_.name().empty()) x = activation_(x);
  return dropout(x, in.dropout(last_dropout_));
}

}  // namespace transformers
