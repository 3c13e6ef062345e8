// ELECTRA: BERT with narrow embeddings, as generator and discriminator. Reference: transformers/models/electra/modeling_electra.py.
// B batch, T tokens, C hidden, E embedding width.
#include "models/custom_heads.h"
#include "models/roberta.h"
#include "models/summary.h"
#include "ops/loss.h"

namespace transformers {
namespace {

struct ElectraConfig : BertConfig {
  explicit ElectraConfig(const Json& j)
      : BertConfig(with_defaults(j, {{"hidden_size", 256}, {"num_attention_heads", 4}, {"intermediate_size", 1024}})) {
    embedding_size = size("embedding_size", 128);
  }
};

struct ElectraModel final : Model {
  ElectraConfig c;
  BertEmbeddings embeddings;
  Linear embeddings_project;
  BertEncoder encoder;
  ElectraModel(const Scope& w, const Json& json) : c(json), embeddings(w / "embeddings", c), encoder(w / "encoder", c) {
    config_ = json;
    if (c.embedding_size != c.hidden_size) embeddings_project = Linear(w / "embeddings_project", c.embedding_size, c.hidden_size);
  }
  Outputs forward(const Inputs& in) const override {  // ids [B, T] -> last_hidden_state [B, T, C]
    Tensor x = embeddings(in);                        // [B, T, E]
    if (embeddings_project) x = embeddings_project(x);
    Recorder recorder(in);
    x = encoder(x, in, recorder);
    Outputs out;
    out.set("last_hidden_state", x);
    recorder.write(out);
    return out;
  }
  const Embedding* input_embeddings() const override { return &embeddings.word_embeddings; }
  void prune_attention(int64_t layer, const std::vector<int64_t>& heads, const Replace& replace) override { encoder.prune(layer, heads, replace); }
};

struct ElectraVocabulary {
  Linear dense, decoder;
  LayerNorm norm;
  ElectraVocabulary(const Scope& w, const Json& json, const Embedding& table) {
    const ElectraConfig c(json);
    const Scope g = w / "generator_predictions", lm = w / "generator_lm_head";
    norm = LayerNorm(g / "LayerNorm", c.embedding_size, c.layer_norm_eps);
    dense = Linear(g / "dense", c.hidden_size, c.embedding_size);
    if (c.tie_word_embeddings) {
      decoder = Linear(table.weight(), lm.param("bias", {c.vocab_size}, Init::zero()));
      lm.tie("weight", table.name());
    } else {
      decoder = Linear(lm, c.embedding_size, c.vocab_size);
    }
  }
  Tensor operator()(const Tensor& x) const { return decoder(norm(gelu(dense(x)))); }
};

/// The discriminator: was each token replaced?
struct ElectraForPreTraining final : HeadModel {
  Linear dense, dense_prediction;
  Activation act;
  ElectraForPreTraining(const Scope& w, const Json& json) : HeadModel(w, json, "electra", make<ElectraModel>()) {
    const ElectraConfig c(json);
    dense = Linear(w / "discriminator_predictions" / "dense", c.hidden_size, c.hidden_size);
    dense_prediction = Linear(w / "discriminator_predictions" / "dense_prediction", c.hidden_size, 1);
    act = Activation(c.hidden_act);
  }
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor logits = dense_prediction(act(dense(h.tensor("last_hidden_state")))).squeeze(-1);  // [B, T]
    const Tensor &labels = in.tensor("labels"), &mask = in.tensor("attention_mask");
    Outputs out;
    if (labels.defined()) {
      Tensor x = logits, want = labels.to(logits.dtype());
      if (mask.defined()) x = masked_select_rows(x, eq(mask, 1)), want = masked_select_rows(want, eq(mask, 1));
      out.set("loss", bce_with_logits(x, want));
    }
    out.set("logits", logits);
    pass_on(out, h);
    return out;
  }
};

struct ElectraClassificationHead : RobertaClassificationHead {
  ElectraClassificationHead(const Scope& w, const Json& json, int64_t outputs) : RobertaClassificationHead(w, with_defaults(json, {{"hidden_size", 256}}), outputs, gelu) {}
};

struct ElectraChoiceHead {
  SequenceSummary summary;
  Linear classifier;
  ElectraChoiceHead(const Scope& w, const Json& json, int64_t outputs)
      : summary(w / "sequence_summary", with_defaults(json, {{"summary_type", "first"}, {"summary_use_proj", true}, {"summary_activation", "gelu"}, {"summary_last_dropout", 0.1}}),
                ElectraConfig(json).hidden_size, num_labels(json)),
        classifier(w / "classifier", ElectraConfig(json).hidden_size, outputs) {}
  Tensor operator()(const Outputs& h, const Inputs& in) const { return classifier(summary(h.tensor("last_hidden_state"), {}, in)); }
};

}  // namespace

void register_electra(ModelRegistry& r) {
  const Factory backbone = make<ElectraModel>();
  const std::vector<std::pair<const char*, Json>> defaults{{"hidden_size", 256}};
  r.family("electra", "electra")
      .rename("LayerNorm.gamma", "LayerNorm.weight")
      .rename("LayerNorm.beta", "LayerNorm.bias")
      .add("ElectraModel", backbone, {"AutoModel", "AutoModelForTextEncoding"})
      .add("ElectraForPreTraining", make<ElectraForPreTraining>(), {"AutoModelForPreTraining"})
      .add("ElectraForMaskedLM", vocabulary_head<ElectraVocabulary>(backbone, "electra", false), {"AutoModelForMaskedLM", "AutoModelWithLMHead"})
      .add("ElectraForCausalLM", vocabulary_head<ElectraVocabulary>(backbone, "electra", true), {"AutoModelForCausalLM"})
      .add("ElectraForSequenceClassification", sequence_head<ElectraClassificationHead>(backbone, "electra"), {"AutoModelForSequenceClassification"})
      .add("ElectraForMultipleChoice", sequence_head<ElectraChoiceHead>(backbone, "electra", true), {"AutoModelForMultipleChoice"})
      .add("ElectraForTokenClassification", with_config_defaults(token_classifier(backbone, {"electra", "classifier"}), defaults), {"AutoModelForTokenClassification"})
      .add("ElectraForQuestionAnswering", with_config_defaults(question_answering_head(backbone, {"electra", "qa_outputs"}), defaults), {"AutoModelForQuestionAnswering"});
}

}  // namespace transformers
