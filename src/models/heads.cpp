// Stock heads.
#include "models/heads.h"

#include "nn/weight.h"

namespace transformers {

void pass_on(Outputs& out, const Outputs& base) {
  for (const char* name : {"hidden_states", "attentions", "cross_attentions", "encoder_last_hidden_state", "encoder_hidden_states",
                           "encoder_attentions", "decoder_hidden_states", "decoder_attentions"})
    if (const Value* v = base.find(name)) out.set(name, *v);
}

int64_t hidden_width(const Json& config, const Model& backbone) {
  for (const char* key : {"word_embed_proj_dim", "hidden_size", "n_embd", "d_model", "dim"})
    if (config[key].is_int()) return config.get(key, 0);
  if (!backbone.input_embeddings()) throw ConfigError("config: hidden_size is missing");
  return backbone.input_embeddings()->weight()->in();
}
Factory with_config_defaults(Factory make, std::vector<std::pair<const char*, Json>> defaults) {
  return [=](const Scope& w, const Json& json) {
    Json config = json;
    for (const auto& [key, value] : defaults)
      if (!config.contains(key)) config.set(key, value);
    return make(w, config);
  };
}
Linear tied_decoder(const Scope& w, bool tied, const Embedding& table) {
  const Tensor bias = w.param("bias", {table.count()}, Init::zero());
  w.tie("decoder.bias", w.full("bias"));
  if (!tied) w.module(linear_text(table.weight()->in(), table.count(), true), "decoder");
  if (!tied) return Linear(w.weight("decoder.weight", {table.count(), table.weight()->in()}), bias);
  w.tie("decoder.weight", table.name());
  return Linear(table.weight(), bias);
}
Inputs flatten_choices(const Inputs& in, int64_t* choices) {
  Inputs flat = in;
  for (const auto& [name, value] : in.items()) {
    const Tensor& t = value.tensor();
    if (!t.defined() || t.rank() < 3 || name == "labels") continue;
    *choices = t.dim(1);
    flat.set(name, t.flatten(0, 1));
  }
  flat.erase("labels");
  return flat;
}

namespace {

struct CausalLm final : HeadModel {
  Linear lm_head;
  std::string softcap_field;
  double softcap;
  CausalLm(const Scope& w, const Json& c, const Factory& backbone, const HeadNames& n, const std::string& softcap_field)
      : HeadModel(w, c, n.prefix, backbone), softcap(softcap_field.empty() ? 0 : c.get(softcap_field, 0.0)) {
    const Embedding* table = base->input_embeddings();
    if (c.get("tie_word_embeddings", n.tied)) {
      lm_head = Linear(table->weight(), n.bias ? w.param(n.output + ".bias", {table->weight()->out()}, Init::zero()) : Tensor());
      w.tie(n.output + ".weight", table->name());
    } else {
      lm_head = Linear(w / n.output, hidden_width(c, *base), table->weight()->out(), n.bias);
    }
  }
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    Tensor x = h.tensor("last_hidden_state");
    if (in.last_logits_only) x = x.slice(1, x.dim(1) - 1, x.dim(1));
    Tensor logits = lm_head(x);  // [B, T, V]
    if (softcap > 0) logits = tanh(logits / softcap) * softcap;
    Outputs out;
    out.set("loss", causal_lm_loss(logits, in.tensor("labels"))).set("logits", logits);
    pass_on(out, h);
    return out;
  }
  bool can_generate() const override { return true; }
  const Linear* output_embeddings() const override { return &lm_head; }
};

struct LastTokenClassifier final : HeadModel {
  Linear score;
  int64_t pad;
  LastTokenClassifier(const Scope& w, const Json& c, const Factory& backbone, const HeadNames& n)
      : HeadModel(w, c, n.prefix, backbone), score(w / n.output, hidden_width(c, *base), num_labels(c), n.bias), pad(c.get("pad_token_id", -1)) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor logits = score(h.tensor("last_hidden_state"));  // [B, T, labels]
    const int64_t B = logits.dim(0), T = logits.dim(1);
    const Tensor& ids = in.tensor("input_ids");
    if (pad < 0 && B != 1) throw ValueError("Cannot handle batch sizes > 1 if no padding token is defined.");
    std::vector<int64_t> last(static_cast<size_t>(B), T - 1);
    if (ids.defined() && pad >= 0) {
      const std::vector<int64_t> flat = ids.to_ints();
      for (int64_t b = 0; b < B; ++b) {
        last[static_cast<size_t>(b)] = 0;  // the rightmost token that is no padding; 0 when all are
        for (int64_t t = 0; t < T; ++t)
          if (flat[static_cast<size_t>(b * T + t)] != pad) last[static_cast<size_t>(b)] = t;
      }
    }
    std::vector<Tensor> rows;
    for (int64_t b = 0; b < B; ++b) rows.push_back(logits.select(0, b).select(0, last[static_cast<size_t>(b)]));
    const Tensor pooled = stack(rows, 0);
    Outputs out;
    out.set("loss", sequence_classification_loss(pooled, in.tensor("labels"), config_)).set("logits", pooled);
    pass_on(out, h);
    return out;
  }
};

double dropout_of(const Json& c, const HeadNames& n) {
  if (!n.dropout) return 0;
  if (!n.dropout_field.empty()) return c.get(n.dropout_field, 0.1);
  return first_of(c, {"classifier_dropout", "classifier_dropout_prob", "hidden_dropout_prob", "hidden_dropout", "resid_pdrop"}, 0.1);
}

struct PooledClassifier final : HeadModel {
  Linear classifier;
  double p;
  PooledClassifier(const Scope& w, const Json& c, const Factory& backbone, const HeadNames& n)
      : HeadModel(w, c, n.prefix, backbone), classifier(w / n.output, hidden_width(c, *base), num_labels(c), n.bias), p(dropout_of(c, n)) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor logits = classifier(dropout(h.tensor("pooler_output"), in.dropout(p)));
    Outputs out;
    out.set("loss", sequence_classification_loss(logits, in.tensor("labels"), config_)).set("logits", logits);
    pass_on(out, h);
    return out;
  }
};

struct TokenClassifier final : HeadModel {
  Linear classifier;
  double p;
  TokenClassifier(const Scope& w, const Json& c, const Factory& backbone, const HeadNames& n)
      : HeadModel(w, c, n.prefix, backbone), classifier(w / n.output, hidden_width(c, *base), num_labels(c), n.bias), p(dropout_of(c, n)) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor logits = classifier(dropout(h.tensor("last_hidden_state"), in.dropout(p)));
    Outputs out;
    out.set("loss", token_loss(logits, in.tensor("labels"))).set("logits", logits);
    pass_on(out, h);
    return out;
  }
};

struct QuestionAnswering final : HeadModel {
  Linear qa_outputs;
  double p;
  QuestionAnswering(const Scope& w, const Json& c, const Factory& backbone, const HeadNames& n)
      : HeadModel(w, c, n.prefix, backbone), qa_outputs(w / n.output, hidden_width(c, *base), 2), p(n.dropout_field.empty() ? 0 : dropout_of(c, n)) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor logits = qa_outputs(dropout(h.tensor("last_hidden_state"), in.dropout(p)));  // [B, T, 2]
    const Tensor start = logits.select(-1, 0), end = logits.select(-1, 1);
    Outputs out;
    out.set("loss", question_answering_loss(start, end, in.tensor("start_positions"), in.tensor("end_positions")));
    out.set("start_logits", start).set("end_logits", end);
    pass_on(out, h);
    return out;
  }
};

struct MultipleChoice final : HeadModel {
  Linear classifier;
  double p;
  MultipleChoice(const Scope& w, const Json& c, const Factory& backbone, const HeadNames& n)
      : HeadModel(w, c, n.prefix, backbone), classifier(w / n.output, hidden_width(c, *base), 1), p(dropout_of(c, n)) {}
  Outputs forward(const Inputs& in) const override {
    int64_t choices = 1;
    const Inputs flat = flatten_choices(in, &choices);
    const Outputs h = base->forward(flat);
    const Tensor logits = classifier(dropout(h.tensor("pooler_output"), in.dropout(p))).reshape({-1, choices});
    Outputs out;
    out.set("loss", token_loss(logits, in.tensor("labels"))).set("logits", logits);
    pass_on(out, h);
    return out;
  }
};

template <class Head> Factory stock(Factory backbone, HeadNames names) {
  return [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> { return std::make_unique<Head>(w, c, backbone, names); };
}

}  // namespace

Factory causal_lm_head(Factory backbone, HeadNames names, const std::string& softcap) {
  return [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> { return std::make_unique<CausalLm>(w, c, backbone, names, softcap); };
}
Factory last_token_classifier(Factory backbone, HeadNames names) { return stock<LastTokenClassifier>(backbone, names); }
Factory pooled_classifier(Factory backbone, HeadNames names) { return stock<PooledClassifier>(backbone, names); }
Factory token_classifier(Factory backbone, HeadNames names) { return stock<TokenClassifier>(backbone, names); }
Factory question_answering_head(Factory backbone, HeadNames names) { return stock<QuestionAnswering>(backbone, names); }
Factory multiple_choice_head(Factory backbone, HeadNames names) { return stock<MultipleChoice>(backbone, names); }

}  // namespace transformers
