// DistilBERT. Reference: transformers/models/distilbert/modeling_distilbert.py.
// B batch, T tokens, C hidden (dim), H heads, D = C / H.
#include <cmath>

#include "models/custom_heads.h"

namespace transformers {
namespace {

constexpr double kNormEps = 1e-12;

struct DistilBertConfig : Config {
  using Config::Config;
  int64_t vocab_size = size("vocab_size", 30522);
  int64_t max_position_embeddings = size("max_position_embeddings", 512);
  bool sinusoidal_pos_embds = get("sinusoidal_pos_embds", false);
  int64_t n_layers = get("n_layers", 6);
  int64_t n_heads = size("n_heads", 12);
  int64_t dim = size("dim", 768);
  int64_t hidden_dim = size("hidden_dim", 3072);
  double dropout = get("dropout", 0.1);
  double attention_dropout = get("attention_dropout", 0.1);
  std::string activation = get("activation", "gelu");
  int64_t pad_token_id = get("pad_token_id", 0);

  Init position_init() const {
    if (!sinusoidal_pos_embds) return {};
    const Tensor table = Tensor::empty({max_position_embeddings, dim});
    float* p = static_cast<float*>(table.mutable_raw());
    for (int64_t pos = 0; pos < max_position_embeddings; ++pos)
      for (int64_t j = 0; j < dim; ++j) {
        const double angle =
            static_cast<double>(pos) / std::pow(10000.0, static_cast<double>(2 * (j / 2)) / static_cast<double>(dim));
        p[pos * dim + j] = static_cast<float>(j % 2 ? std::cos(angle) : std::sin(angle));
      }
    return Init::of(table);
  }
};

struct DistilBertBlock {
  int64_t layer, head_dim;
  Linear q_lin, k_lin, v_lin, out_lin, lin1, lin2;
  LayerNorm sa_layer_norm, output_layer_norm;
  Activation act;
  double dropout_p, attention_dropout;

  DistilBertBlock(const Scope& w, const DistilBertConfig& c, int64_t index)
      : layer(index),
        head_dim(divide_exactly("dim", c.dim, "n_heads", c.n_heads)),
        q_lin(w / "attention" / "q_lin", c.dim, c.dim),
        k_lin(w / "attention" / "k_lin", c.dim, c.dim),
        v_lin(w / "attention" / "v_lin", c.dim, c.dim),
        out_lin(w / "attention" / "out_lin", c.dim, c.dim),
        lin1(w / "ffn" / "lin1", c.dim, c.hidden_dim),
        lin2(w / "ffn" / "lin2", c.hidden_dim, c.dim),
        sa_layer_norm(w / "sa_layer_norm", c.dim, kNormEps),
        output_layer_norm(w / "output_layer_norm", c.dim, kNormEps),
        act(c.activation),
        dropout_p(c.dropout),
        attention_dropout(c.attention_dropout) {}

  Tensor operator()(const Tensor& x, const Inputs& in, const AttentionOptions& mask,
                    Recorder& recorder) const {  // [B, T, C], post-norm
    AttentionOptions o = mask;
    o.dropout = in.dropout(attention_dropout);
    o.head_mask = head_mask_of(in, layer);
    o.probabilities = recorder.attention_slot();
    const Tensor a =
        attention(split_heads(q_lin(x), head_dim), split_heads(k_lin(x), head_dim), split_heads(v_lin(x), head_dim), o);
    const Tensor h = sa_layer_norm(out_lin(merge_heads(a)) + x);
    return output_layer_norm(dropout(lin2(act(lin1(h))), in.dropout(dropout_p)) + h);
  }
};

struct DistilBertModel final : Model {
  DistilBertConfig c;
  Embedding word_embeddings, position_embeddings;
  LayerNorm norm;
  std::vector<DistilBertBlock> layers;

  DistilBertModel(const Scope& w, const Json& json)
      : c(json),
        word_embeddings(w / "embeddings" / "word_embeddings", c.vocab_size, c.dim, c.pad_token_id),
        position_embeddings(w / "embeddings" / "position_embeddings", c.max_position_embeddings, c.dim, -1,
                            c.position_init()),
        norm(w / "embeddings" / "LayerNorm", c.dim, kNormEps),
        layers(make_layers<DistilBertBlock>(w / "transformer" / "layer", c.n_layers, c)) {
    config_ = json;
    w.ignore("embeddings.position_ids");
  }
  Outputs forward(const Inputs& in) const override {  // ids [B, T] -> last_hidden_state [B, T, C]
    Tensor x = embeds_or(in, word_embeddings);
    x = x + position_embeddings(arange(x.dim(1)).unsqueeze(0));
    x = dropout(norm(x), in.dropout(c.dropout));
    Recorder recorder(in);
    const AttentionOptions mask = padding_mask(in.tensor("attention_mask"));
    for (const DistilBertBlock& layer : layers) {
      recorder.hidden(x);
      x = layer(x, in, mask, recorder);
    }
    recorder.hidden(x);
    Outputs out;
    out.set("last_hidden_state", x);
    recorder.write(out);
    return out;
  }
  const Embedding* input_embeddings() const override { return &word_embeddings; }
};

struct DistilBertVocabulary {
  Linear transform, decoder;
  LayerNorm norm;
  Activation act;
  DistilBertVocabulary(const Scope& w, const Json& json, const Embedding& table) : act(json.get("activation", "gelu")) {
    const DistilBertConfig c(json);
    transform = Linear(w / "vocab_transform", c.dim, c.dim);
    norm = LayerNorm(w / "vocab_layer_norm", c.dim, kNormEps);
    if (json.get("tie_word_embeddings", true)) {
      decoder = Linear(table.weight(), (w / "vocab_projector").param("bias", {c.vocab_size}, Init::zero()));
      w.tie("vocab_projector.weight", table.name());
    } else {
      decoder = Linear(w / "vocab_projector", c.dim, c.vocab_size);
    }
  }
  Tensor operator()(const Tensor& x) const { return decoder(norm(act(transform(x)))); }
};

/// The first token through pre_classifier, relu, dropout, classifier.
struct DistilBertClassifier {
  Linear pre_classifier, classifier;
  double p;
  DistilBertClassifier(const Scope& w, const Json& json, int64_t outputs) : p(json.get("seq_classif_dropout", 0.2)) {
    const int64_t dim = DistilBertConfig(json).dim;
    pre_classifier = Linear(w / "pre_classifier", dim, dim);
    classifier = Linear(w / "classifier", dim, outputs);
  }
  Tensor operator()(const Outputs& h, const Inputs& in) const {
    return classifier(dropout(relu(pre_classifier(h.tensor("last_hidden_state").select(1, 0))), in.dropout(p)));
  }
};

}  // namespace

void register_distilbert(ModelRegistry& r) {
  const Factory backbone = make<DistilBertModel>();
  r.family("distilbert", "distilbert")
      .rename("LayerNorm.gamma", "LayerNorm.weight")
      .rename("LayerNorm.beta", "LayerNorm.bias")
      .add("DistilBertModel", backbone, {"AutoModel", "AutoModelForTextEncoding"})
      .add("DistilBertForMaskedLM", vocabulary_head<DistilBertVocabulary>(backbone, "distilbert", false),
           {"AutoModelForMaskedLM", "AutoModelForPreTraining", "AutoModelWithLMHead"})
      .add("DistilBertForSequenceClassification", sequence_head<DistilBertClassifier>(backbone, "distilbert"),
           {"AutoModelForSequenceClassification"})
      .add("DistilBertForMultipleChoice", sequence_head<DistilBertClassifier>(backbone, "distilbert", true),
           {"AutoModelForMultipleChoice"})
      .add("DistilBertForTokenClassification",
           token_classifier(backbone, {.prefix = "distilbert", .dropout_field = "dropout"}),
           {"AutoModelForTokenClassification"})
      .add("DistilBertForQuestionAnswering",
           question_answering_head(backbone,
                                   {.prefix = "distilbert", .output = "qa_outputs", .dropout_field = "qa_dropout"}),
           {"AutoModelForQuestionAnswering"});
}

}  // namespace transformers
