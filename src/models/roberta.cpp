// RoBERTa: BERT with padded positions and its own heads. Reference: transformers/models/roberta/modeling_roberta.py.
// B batch, T tokens, C hidden, V vocabulary.
#include "models/roberta.h"

#include "models/custom_heads.h"

namespace transformers {

RobertaLmHead::RobertaLmHead(const Scope& w, const BertConfig& c, const Embedding& table)
    : dense(w / "dense", c.hidden_size, c.hidden_size),
      decoder(tied_decoder(w, c.tie_word_embeddings, table)),
      layer_norm(w / "layer_norm", c.hidden_size, c.layer_norm_eps) {}

RobertaClassificationHead::RobertaClassificationHead(const Scope& w, const Json& json, int64_t outputs,
                                                     Tensor (*activation)(const Tensor&))
    : dropout_p(first_of(json, {"classifier_dropout", "hidden_dropout_prob"}, 0.1)), act(activation) {
  const int64_t width = json.get("hidden_size", 768);
  dense = Linear(w / "classifier" / "dense", width, width);
  out_proj = Linear(w / "classifier" / "out_proj", width, outputs);
}
Tensor RobertaClassificationHead::operator()(const Outputs& h, const Inputs& in) const {
  const double p = in.dropout(dropout_p);
  return out_proj(dropout(act(dense(dropout(h.tensor("last_hidden_state").select(1, 0), p))), p));
}

namespace {

Factory backbone(bool pooler) {
  return [=](const Scope& w, const Json& j) -> std::unique_ptr<Model> {
    return std::make_unique<BertModel>(w, RobertaConfig(j), pooler);
  };
}

struct RobertaVocabulary : RobertaLmHead {
  RobertaVocabulary(const Scope& w, const Json& json, const Embedding& table)
      : RobertaLmHead(w / "lm_head", RobertaConfig(json), table) {}
};

}  // namespace

void add_roberta_classes(ModelFamily& family, const std::string& name, const std::string& prefix,
                         const std::vector<std::string>& masked_autos) {
  family.rename("LayerNorm.gamma", "LayerNorm.weight")
      .rename("LayerNorm.beta", "LayerNorm.bias")
      .add(name + "Model", backbone(true), {"AutoModel", "AutoModelForTextEncoding"})
      .add(name + "ForCausalLM", vocabulary_head<RobertaVocabulary>(backbone(false), prefix, true),
           {"AutoModelForCausalLM"})
      .add(name + "ForMaskedLM", vocabulary_head<RobertaVocabulary>(backbone(false), prefix, false), masked_autos)
      .add(name + "ForSequenceClassification", sequence_head<RobertaClassificationHead>(backbone(false), prefix),
           {"AutoModelForSequenceClassification"})
      .add(name + "ForMultipleChoice", multiple_choice_head(backbone(true), {prefix, "classifier"}),
           {"AutoModelForMultipleChoice"})
      .add(name + "ForTokenClassification", token_classifier(backbone(false), {prefix, "classifier"}),
           {"AutoModelForTokenClassification"})
      .add(name + "ForQuestionAnswering", question_answering_head(backbone(false), {prefix, "qa_outputs"}),
           {"AutoModelForQuestionAnswering"});
}

void register_roberta(ModelRegistry& r) {
  add_roberta_classes(r.family("roberta", "roberta"), "Roberta", "roberta",
                      {"AutoModelForMaskedLM", "AutoModelForPreTraining", "AutoModelWithLMHead"});
}

}  // namespace transformers
