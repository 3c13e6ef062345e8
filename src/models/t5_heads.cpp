// T5's heads. Reference: transformers/models/t5/modeling_t5.py. Letters as in t5.h; V vocabulary.
#include <cmath>

#include "models/t5.h"
#include "nn/weight.h"

namespace transformers {
namespace {

struct ConditionalGeneration final : Model {
  T5Model model;  // its parts lie at the top: "shared", "encoder", "decoder"
  Linear lm_head;
  ConditionalGeneration(const Scope& w, const T5Config& config) : model(w, config) {
    if (model.c.tie_word_embeddings) {
      lm_head = Linear(model.shared.weight(), Tensor());
      w.tie("lm_head.weight", model.shared.name());
    } else {
      lm_head = Linear(w / "lm_head", model.c.d_model, model.c.vocab_size, false, Init::std(model.c.initializer_factor));
    }
  }
  Outputs forward(const Inputs& given) const override {
    Inputs in = given;
    const Tensor& labels = given.tensor("labels");
    if (labels.defined() && !in.has("decoder_input_ids") && !in.has("decoder_inputs_embeds"))
      in.set("decoder_input_ids", shift_tokens_right(labels, model.c.pad_token_id, model.c.decoder_start_token_id));
    const Outputs h = model.forward(in);
    Tensor x = h.tensor("last_hidden_state");
    if (in.last_logits_only) x = x.slice(1, x.dim(1) - 1, x.dim(1));
    if (model.c.tie_word_embeddings) x = x * (1 / std::sqrt(static_cast<double>(model.c.d_model)));
    const Tensor logits = lm_head(x);  // [B, T, V]
    Outputs out;
    out.set("loss", token_loss(logits, labels)).set("logits", logits);
    pass_on(out, h);
    return out;
  }
  Outputs encode(const Inputs& in) const override { return model.encode(in); }
  bool is_encoder_decoder() const override { return true; }
  bool can_generate() const override { return true; }
  const Embedding* input_embeddings() const override { return &model.shared; }
  const Linear* output_embeddings() const override { return &lm_head; }
};

struct EncoderModel final : Model {
  T5Config c;
  Embedding shared;
  T5Stack encoder;
  EncoderModel(const Scope& w, const T5Config& config) : c(config), shared(w / "shared", c.vocab_size, c.d_model, -1, Init::std(c.initializer_factor)), encoder(w / "encoder", c, false, shared) {
    config_ = c.json;
    w.tie("encoder.embed_tokens.weight", shared.name());
  }
  Outputs forward(const Inputs& in) const override { return encoder(in); }
  const Embedding* input_embeddings() const override { return &shared; }
};

// Decoder inputs made from the encoder's, as T5's classification and question answering heads do.
Inputs with_decoder_ids(const Inputs& given, const T5Config& c, const char* what) {
  Inputs in = given;
  if (in.has("decoder_input_ids") || in.has("decoder_inputs_embeds")) return in;
  if (!in.has("input_ids")) throw ValueError({what, ": `input_ids` are needed when no decoder_input_ids are passed"});
  in.set("decoder_input_ids", shift_tokens_right(in.tensor("input_ids"), c.pad_token_id, c.decoder_start_token_id));
  return in;
}

struct SequenceClassification final : Model {
  T5Model model;
  Linear dense, out_proj;
  SequenceClassification(const Scope& w, const T5Config& config)
      : model(w / "transformer", config), dense(w / "classification_head.dense", model.c.d_model, model.c.d_model, true, Init::std(model.c.initializer_factor / std::sqrt(static_cast<double>(model.c.d_model)))),
        out_proj(w / "classification_head.out_proj", model.c.d_model, num_labels(config.json), true, Init::std(model.c.initializer_factor / std::sqrt(static_cast<double>(model.c.d_model)))) {}
  Outputs forward(const Inputs& given) const override {
    const Inputs in = with_decoder_ids(given, model.c, "sequence classification");
    const Outputs h = model.forward(in);
    const Tensor& x = h.tensor("last_hidden_state");
    const Tensor& ids = in.tensor("input_ids");
    if (!ids.defined()) throw ValueError("Passing input embeddings is currently not supported for sequence classification");
    const std::vector<int64_t> flat = ids.to_ints();
    std::vector<Tensor> rows;
    int64_t expected = -1;
    for (int64_t b = 0; b < ids.dim(0); ++b) {
      int64_t last = -1, count = 0;
      for (int64_t t = 0; t < ids.dim(1); ++t)
        if (flat[static_cast<size_t>(b * ids.dim(1) + t)] == model.c.eos_token_id) last = t, ++count;
      if (count == 0 || (expected >= 0 && count != expected)) throw ValueError("All examples must have the same number of <eos> tokens.");
      expected = count;
      rows.push_back(x.select(0, b).select(0, last));
    }
    const double p = in.dropout(model.c.classifier_dropout);
    const Tensor logits = out_proj(dropout(tanh(dense(dropout(stack(rows), p))), p));
    Outputs out;
    out.set("loss", sequence_classification_loss(logits, in.tensor("labels"), config_)).set("logits", logits);
    pass_on(out, h);
    return out;
  }
  const Embedding* input_embeddings() const override { return &model.shared; }
};

struct TokenClassification final : Model {
  EncoderModel encoder;
  Linear classifier;
  TokenClassification(const Scope& w, const T5Config& config)
      : encoder(w / "transformer", config), classifier(w / "classifier", encoder.c.d_model, num_labels(config.json), true, Init::std(encoder.c.initializer_factor)) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = encoder.forward(in);
    const Tensor logits = classifier(dropout(h.tensor("last_hidden_state"), in.dropout(encoder.c.classifier_dropout)));
    Outputs out;
    out.set("loss", token_loss(logits, in.tensor("labels"))).set("logits", logits);
    pass_on(out, h);
    return out;
  }
  const Embedding* input_embeddings() const override { return &encoder.shared; }
};

struct QuestionAnswering final : Model {
  T5Model model;
  Linear qa_outputs;
  QuestionAnswering(const Scope& w, const T5Config& config)
      : model(w, config), qa_outputs(w / "qa_outputs", model.c.d_model, num_labels(config.json), true, Init::std(model.c.initializer_factor / std::sqrt(static_cast<double>(model.c.d_model)))) {}
  Outputs forward(const Inputs& given) const override {
    const Inputs in = with_decoder_ids(given, model.c, "question answering");
    const Outputs h = model.forward(in);
    const Tensor logits = qa_outputs(h.tensor("last_hidden_state"));  // [B, T, 2]
    const Tensor start = logits.select(-1, 0), end = logits.select(-1, 1);
    Outputs out;
    out.set("loss", question_answering_loss(start, end, in.tensor("start_positions"), in.tensor("end_positions")));
    out.set("start_logits", start).set("end_logits", end);
    pass_on(out, h);
    return out;
  }
  const Embedding* input_embeddings() const override { return &model.shared; }
};

}  // namespace

void add_t5_family(ModelFamily& f, const std::string& name, const std::function<T5Config(const Json&)>& config) {
  const auto of = [&]<class T>(std::type_identity<T>) -> Factory {
    return [config](const Scope& w, const Json& json) -> std::unique_ptr<Model> { return std::make_unique<T>(w, config(json)); };
  };
  f.add(name + "Model", of(std::type_identity<T5Model>{}), {"AutoModel"})
      .add(name + "ForConditionalGeneration", of(std::type_identity<ConditionalGeneration>{}), {"AutoModelForSeq2SeqLM", "AutoModelForPreTraining", "AutoModelWithLMHead"})
      .add(name + "EncoderModel", of(std::type_identity<EncoderModel>{}), {"AutoModelForTextEncoding"})
      .add(name + "ForSequenceClassification", of(std::type_identity<SequenceClassification>{}), {"AutoModelForSequenceClassification"})
      .add(name + "ForTokenClassification", of(std::type_identity<TokenClassification>{}), {"AutoModelForTokenClassification"})
      .add(name + "ForQuestionAnswering", of(std::type_identity<QuestionAnswering>{}), {"AutoModelForQuestionAnswering"})
      .ignore_unexpected("EncDecAttention.relative_attention_bias");
}

void register_t5(ModelRegistry& r) {
  add_t5_family(r.family("t5", "transformer"), "T5", [](const Json& j) { return T5Config(j); });
}

}  // namespace transformers
