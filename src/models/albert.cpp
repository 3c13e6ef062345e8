// ALBERT: BERT with narrow embeddings and layers shared in groups. Reference: transformers/models/albert/modeling_albert.py.
// B batch, T tokens, C hidden, E embedding width, H heads, D = C / H.
#include <cmath>

#include "models/bert.h"
#include "models/custom_heads.h"

namespace transformers {
namespace {

struct AlbertConfig : BertConfig {
  explicit AlbertConfig(const Json& j)
      : BertConfig(with_defaults(j, {{"vocab_size", 30000}, {"hidden_size", 4096}, {"num_attention_heads", 64}, {"intermediate_size", 16384}, {"hidden_act", "gelu_new"},
                                     {"hidden_dropout_prob", 0.0}, {"attention_probs_dropout_prob", 0.0}})) {
    embedding_size = size("embedding_size", 128);
    if (json["pruned_heads"].is_object() && json["pruned_heads"].size() > 0) throw UnsupportedError("ALBERT: pruned_heads are not supported, as depths share layers");
  }
  int64_t num_hidden_groups = size("num_hidden_groups", 1);
  int64_t inner_group_num = size("inner_group_num", 1);
};

struct AlbertLayer {
  BertAttention attention;
  Linear ffn, ffn_output;
  LayerNorm full_layer_layer_norm;
  Activation act;

  AlbertLayer(const Scope& w, const AlbertConfig& c, int64_t index)
      : attention(names(w / "attention", c, index)), ffn(w / "ffn", c.hidden_size, c.intermediate_size), ffn_output(w / "ffn_output", c.intermediate_size, c.hidden_size),
        full_layer_layer_norm(w / "full_layer_layer_norm", c.hidden_size, c.layer_norm_eps), act(c.hidden_act) {}
  Tensor operator()(const Tensor& x, const BertStep& s) const {
    const Tensor h = attention(x, s);
    return full_layer_layer_norm(ffn_output(act(ffn(h))) + h);
  }

 private:
  /// ALBERT's attention has all its parts in one scope, and adds relative positions unscaled.
  static BertAttention names(const Scope& w, const AlbertConfig& c, int64_t index) {
    return BertAttention(w, w, c, index, c.position_embedding_type, 1);
  }
};

struct AlbertGroup {
  std::vector<AlbertLayer> layers;
  AlbertGroup(const Scope& w, const AlbertConfig& c, int64_t) : layers(make_layers<AlbertLayer>(w / "albert_layers", c.inner_group_num, c)) {}
};

struct AlbertModel final : Model {
  AlbertConfig c;
  BertEmbeddings embeddings;
  Linear embedding_hidden_mapping_in, pooler;
  std::vector<AlbertGroup> groups;

  AlbertModel(const Scope& w, const Json& json, bool has_pooler)
      : c(json), embeddings(w / "embeddings", c), embedding_hidden_mapping_in(w / "encoder" / "embedding_hidden_mapping_in", c.embedding_size, c.hidden_size),
        groups(make_layers<AlbertGroup>(w / "encoder" / "albert_layer_groups", c.num_hidden_groups, c)) {
    config_ = json;
    if (has_pooler) pooler = Linear(w / "pooler", c.hidden_size, c.hidden_size);
  }
  Outputs forward(const Inputs& in) const override {  // ids [B, T] -> last_hidden_state [B, T, C], pooler_output [B, C]
    Tensor x = embedding_hidden_mapping_in(embeddings(in));
    Recorder recorder(in);
    recorder.hidden(x);
    const BertStep step{in, padding_mask(in.tensor("attention_mask")), {}, {}, false, recorder};
    for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
      const double per_group = static_cast<double>(c.num_hidden_layers) / static_cast<double>(c.num_hidden_groups);
      for (const AlbertLayer& layer : groups[static_cast<size_t>(static_cast<double>(i) / per_group)].layers) x = layer(x, step);
      recorder.hidden(x);
    }
    Outputs out;
    out.set("last_hidden_state", x);
    if (pooler) out.set("pooler_output", tanh(pooler(x.select(1, 0))));
    recorder.write(out);
    return out;
  }
  const Embedding* input_embeddings() const override { return &embeddings.word_embeddings; }
};

Factory backbone(bool pooler) {
  return [=](const Scope& w, const Json& j) -> std::unique_ptr<Model> { return std::make_unique<AlbertModel>(w, j, pooler); };
}

struct AlbertVocabulary {
  Linear dense, decoder;
  LayerNorm norm;
  Activation act;
  AlbertVocabulary(const Scope& w, const Json& json, const Embedding& table) {
    const AlbertConfig c(json);
    const Scope p = w / "predictions";
    dense = Linear(p / "dense", c.hidden_size, c.embedding_size);
    norm = LayerNorm(p / "LayerNorm", c.embedding_size, c.layer_norm_eps);
    act = Activation(c.hidden_act);
    decoder = tied_decoder(p, c.tie_word_embeddings, table);
  }
  Tensor operator()(const Tensor& x) const { return decoder(norm(act(dense(x)))); }
};

/// Masked words and the order of two sentences.
struct AlbertForPreTraining final : HeadModel {
  AlbertVocabulary predictions;
  Linear classifier;
  double p;
  AlbertForPreTraining(const Scope& w, const Json& json)
      : HeadModel(w, json, "albert", backbone(true)), predictions(w, json, *base->input_embeddings()),
        classifier(w / "sop_classifier" / "classifier", AlbertConfig(json).hidden_size, num_labels(json)), p(json.get("classifier_dropout_prob", 0.1)) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor words = predictions(h.tensor("last_hidden_state"));                            // [B, T, V]
    const Tensor order = classifier(dropout(h.tensor("pooler_output"), in.dropout(p)));         // [B, 2]
    Outputs out;
    if (in.has("labels") && in.has("sentence_order_label"))
      out.set("loss", token_loss(words, in.tensor("labels")) + token_loss(order, in.tensor("sentence_order_label")));
    out.set("prediction_logits", words).set("sop_logits", order);
    pass_on(out, h);
    return out;
  }
  const Linear* output_embeddings() const override { return &predictions.decoder; }
};

}  // namespace

void register_albert(ModelRegistry& r) {
  const HeadNames classifier{"albert", "classifier"};
  const auto sized = [](Factory head) { return with_config_defaults(head, {{"hidden_size", 4096}}); };
  r.family("albert", "albert")
      .rename("LayerNorm.gamma", "LayerNorm.weight")
      .rename("LayerNorm.beta", "LayerNorm.bias")
      .add("AlbertModel", backbone(true), {"AutoModel", "AutoModelForTextEncoding"})
      .add("AlbertForPreTraining", make<AlbertForPreTraining>(), {"AutoModelForPreTraining"})
      .add("AlbertForMaskedLM", vocabulary_head<AlbertVocabulary>(backbone(false), "albert", false), {"AutoModelForMaskedLM", "AutoModelWithLMHead"})
      .add("AlbertForSequenceClassification", sized(pooled_classifier(backbone(true), classifier)), {"AutoModelForSequenceClassification"})
      .add("AlbertForMultipleChoice", sized(multiple_choice_head(backbone(true), classifier)), {"AutoModelForMultipleChoice"})
      .add("AlbertForTokenClassification", sized(token_classifier(backbone(false), classifier)), {"AutoModelForTokenClassification"})
      .add("AlbertForQuestionAnswering", sized(question_answering_head(backbone(false), {"albert", "qa_outputs"})), {"AutoModelForQuestionAnswering"});
}

}  // namespace transformers
