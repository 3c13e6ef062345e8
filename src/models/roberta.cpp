// RoBERTa: BERT with padded positions and its own heads. Reference: transformers/models/roberta/modeling_roberta.py.
// B batch, T tokens, C hidden, V vocabulary.
#include "models/roberta.h"

namespace transformers {

RobertaLmHead::RobertaLmHead(const Scope& w, const BertConfig& c, const Embedding& table)
    : dense(w / "dense", c.hidden_size, c.hidden_size), layer_norm(w / "layer_norm", c.hidden_size, c.layer_norm_eps) {
  const Tensor bias = w.param("bias", {c.vocab_size}, Init::zero());
  w.tie("decoder.bias", w.full("bias"));
  if (c.tie_word_embeddings) w.tie("decoder.weight", table.name());
  decoder = Linear(c.tie_word_embeddings ? table.weight() : w.weight("decoder.weight", {c.vocab_size, c.hidden_size}), bias);
}

RobertaClassificationHead::RobertaClassificationHead(const Scope& w, const BertConfig& c)
    : dense(w / "dense", c.hidden_size, c.hidden_size), out_proj(w / "out_proj", c.hidden_size, num_labels(c.json)),
      dropout_p(first_of(c.json, {"classifier_dropout", "hidden_dropout_prob"}, 0.1)) {}
Tensor RobertaClassificationHead::operator()(const Tensor& x, const Inputs& in) const {
  const double p = in.dropout(dropout_p);
  return out_proj(dropout(tanh(dense(dropout(x.select(1, 0), p))), p));
}

namespace {

Factory backbone(bool pooler) {
  return [=](const Scope& w, const Json& j) -> std::unique_ptr<Model> { return std::make_unique<BertModel>(w, RobertaConfig(j), pooler); };
}

struct RobertaLm final : HeadModel {
  RobertaLmHead lm_head;
  bool causal;
  RobertaLm(const Scope& w, const Json& json, const std::string& prefix, bool causal)
      : HeadModel(w, json, prefix, backbone(false)), lm_head(w / "lm_head", RobertaConfig(json), *base->input_embeddings()), causal(causal) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    Tensor x = h.tensor("last_hidden_state");
    if (in.last_logits_only) x = x.slice(1, x.dim(1) - 1, x.dim(1));
    const Tensor logits = lm_head(x), labels = in.tensor("labels");
    Outputs out;
    out.set("loss", causal ? causal_lm_loss(logits, labels) : token_loss(logits, labels)).set("logits", logits);
    pass_on(out, h);
    return out;
  }
  bool can_generate() const override { return causal; }
  const Linear* output_embeddings() const override { return &lm_head.decoder; }
};

struct RobertaForSequenceClassification final : HeadModel {
  RobertaClassificationHead classifier;
  RobertaForSequenceClassification(const Scope& w, const Json& json, const std::string& prefix)
      : HeadModel(w, json, prefix, backbone(false)), classifier(w / "classifier", RobertaConfig(json)) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor logits = classifier(h.tensor("last_hidden_state"), in);
    Outputs out;
    out.set("loss", sequence_classification_loss(logits, in.tensor("labels"), config_)).set("logits", logits);
    pass_on(out, h);
    return out;
  }
};

}  // namespace

void add_roberta_classes(ModelFamily& family, const std::string& name, const std::string& prefix, const std::vector<std::string>& masked_autos) {
  const auto lm = [=](bool causal) {
    return [=](const Scope& w, const Json& j) -> std::unique_ptr<Model> { return std::make_unique<RobertaLm>(w, j, prefix, causal); };
  };
  const Factory classifier = [=](const Scope& w, const Json& j) -> std::unique_ptr<Model> { return std::make_unique<RobertaForSequenceClassification>(w, j, prefix); };
  family.rename("LayerNorm.gamma", "LayerNorm.weight")
      .rename("LayerNorm.beta", "LayerNorm.bias")
      .add(name + "Model", backbone(true), {"AutoModel", "AutoModelForTextEncoding"})
      .add(name + "ForCausalLM", lm(true), {"AutoModelForCausalLM"})
      .add(name + "ForMaskedLM", lm(false), masked_autos)
      .add(name + "ForSequenceClassification", classifier, {"AutoModelForSequenceClassification"})
      .add(name + "ForMultipleChoice", multiple_choice_head(backbone(true), {prefix, "classifier"}), {"AutoModelForMultipleChoice"})
      .add(name + "ForTokenClassification", token_classifier(backbone(false), {prefix, "classifier"}), {"AutoModelForTokenClassification"})
      .add(name + "ForQuestionAnswering", question_answering_head(backbone(false), {prefix, "qa_outputs"}), {"AutoModelForQuestionAnswering"});
}

void register_roberta(ModelRegistry& r) {
  add_roberta_classes(r.family("roberta", "roberta"), "Roberta", "roberta", {"AutoModelForMaskedLM", "AutoModelForPreTraining", "AutoModelWithLMHead"});
}

}  // namespace transformers
