// Frames of heads whose layers differ from model to model: the model brings the layers, the frame does the rest.
// B batch, T tokens, C hidden, V vocabulary.
#pragma once
#include "models/heads.h"

namespace transformers {

/// Logits over the vocabulary. Head is built as Head(root scope, config, word table), called with [B, T, C] -> [B, T,
/// V], and has the member `decoder`. `causal`: the labels are shifted, and the model generates.
template <class Head>
struct VocabularyModel final : HeadModel {
  Head head;
  bool causal;
  VocabularyModel(const Scope& w, const Json& json, const std::string& prefix, const Factory& backbone, bool causal)
      : HeadModel(w, json, prefix, backbone), head(w, json, *base->input_embeddings()), causal(causal) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    Tensor x = h.tensor("last_hidden_state");
    if (in.last_logits_only) x = x.slice(1, x.dim(1) - 1, x.dim(1));
    const Tensor logits = head(x), labels = in.tensor("labels");
    Outputs out;
    out.set("loss", causal ? causal_lm_loss(logits, labels) : token_loss(logits, labels)).set("logits", logits);
    pass_on(out, h);
    return out;
  }
  bool can_generate() const override { return causal; }
  const Linear* output_embeddings() const override { return &head.decoder; }
};
template <class Head>
Factory vocabulary_head(Factory backbone, std::string prefix, bool causal) {
  return [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> {
    return std::make_unique<VocabularyModel<Head>>(w, c, prefix, backbone, causal);
  };
}

/// One decision per sequence, or per choice. Head is built as Head(root scope, config, outputs) and called with the
/// backbone's outputs and the inputs -> [B, outputs].
template <class Head>
struct SequenceModel final : HeadModel {
  bool multiple_choice;
  Head head;
  SequenceModel(const Scope& w, const Json& json, const std::string& prefix, const Factory& backbone,
                bool multiple_choice)
      : HeadModel(w, json, prefix, backbone),
        multiple_choice(multiple_choice),
        head(w, json, multiple_choice ? 1 : num_labels(json)) {}
  Outputs forward(const Inputs& in) const override {
    int64_t choices = 1;
    const Outputs h = base->forward(multiple_choice ? flatten_choices(in, &choices) : in);
    Tensor logits = head(h, in);
    if (multiple_choice) logits = logits.reshape({-1, choices});
    const Tensor& labels = in.tensor("labels");
    Outputs out;
    out.set("loss",
            multiple_choice ? token_loss(logits, labels) : sequence_classification_loss(logits, labels, config_))
        .set("logits", logits);
    pass_on(out, h);
    return out;
  }
};
template <class Head>
Factory sequence_head(Factory backbone, std::string prefix, bool multiple_choice = false) {
  return [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> {
    return std::make_unique<SequenceModel<Head>>(w, c, prefix, backbone, multiple_choice);
  };
}

}  // namespace transformers
