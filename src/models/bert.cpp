// BERT: the encoder (or decoder) and its heads. Reference: transformers/models/bert/modeling_bert.py.
// Letters as in bert.h.
#include "models/bert.h"

#include <cmath>

#include "models/custom_heads.h"

namespace transformers {

std::set<int64_t> BertConfig::pruned_heads(int64_t layer) const {
  std::set<int64_t> heads;
  const Json& list = json["pruned_heads"][std::to_string(layer)];
  if (list.is_null()) return heads;
  if (!list.is_array()) throw ConfigError({"config: pruned_heads of layer ", layer, " is no list"});
  for (const Json& head : list.as_array()) {
    if (!head.is_int() || head.as_int() < 0 || head.as_int() >= num_attention_heads) throw ConfigError({"config: pruned_heads of layer ", layer, " names a head that is not there"});
    heads.insert(head.as_int());
  }
  if (static_cast<int64_t>(heads.size()) == num_attention_heads) throw ConfigError({"config: pruned_heads leaves no head in layer ", layer});
  return heads;
}
// Cross-attention is never pruned.
static BertConfig unpruned(BertConfig c) {
  c.json.erase("pruned_heads");
  return c;
}

BertAttention::BertAttention(const Scope& inner, const Scope& outer, const BertConfig& c, int64_t index, const std::string& type, double scale)
    : layer(index), head_dim(divide_exactly("hidden_size", c.hidden_size, "num_attention_heads", c.num_attention_heads)),
      max_positions(c.max_position_embeddings), position_type(type), dropout_p(c.hidden_dropout_prob),
      attention_dropout_p(c.attention_probs_dropout_prob), norm(outer / "LayerNorm", c.hidden_size, c.layer_norm_eps),
      relative_scale(scale > 0 ? scale : 1 / std::sqrt(static_cast<double>(head_dim))), pruned(c.pruned_heads(index)),
      heads(c.num_attention_heads - static_cast<int64_t>(pruned.size())) {
  const int64_t width = heads * head_dim;
  query = Linear(inner / "query", c.hidden_size, width);
  key = Linear(inner / "key", c.hidden_size, width);
  value = Linear(inner / "value", c.hidden_size, width);
  dense = Linear(outer / "dense", width, c.hidden_size);
  if (type == "relative_key" || type == "relative_key_query")
    distance_embedding = Embedding(inner / "distance_embedding", 2 * max_positions - 1, head_dim);
}

void BertAttention::prune(const std::vector<int64_t>& gone, const Model::Replace& replace) {
  const int64_t before = heads + static_cast<int64_t>(pruned.size());
  std::set<int64_t> all = pruned;
  for (int64_t head : gone) {
    if (head < 0 || head >= before) throw ValueError({"prune_heads: layer ", layer, " has no head ", head, " (it had ", before, ")"});
    all.insert(head);
  }
  if (static_cast<int64_t>(all.size()) == before) throw ValueError({"prune_heads: no head would be left in layer ", layer});
  std::vector<int64_t> kept;
  int64_t position = 0;  // among the heads that are still there
  for (int64_t head = 0; head < before; ++head) {
    if (pruned.count(head)) continue;
    for (int64_t d = 0; d < head_dim && !all.count(head); ++d) kept.push_back(position * head_dim + d);
    ++position;
  }
  const Tensor index = Tensor::from(kept);
  for (Linear* l : {&query, &key, &value}) l->keep(0, index, replace);
  dense.keep(1, index, replace);
  pruned = std::move(all), heads = before - static_cast<int64_t>(pruned.size());
}

void BertEncoder::prune(int64_t layer, const std::vector<int64_t>& heads, const Model::Replace& replace) {
  if (layer < 0 || layer >= static_cast<int64_t>(layers.size())) throw ValueError({"prune_heads: expected a layer below ", layers.size(), ", got ", layer});
  layers[static_cast<size_t>(layer)].attention.prune(heads, replace);
}

Tensor BertAttention::relative_bias(const Tensor& q, const Tensor& k, bool last_distance) const {
  const int64_t T = q.dim(2), S = k.dim(2), rows = last_distance ? 1 : T;
  std::vector<int64_t> distance;
  for (int64_t l = 0; l < rows; ++l)
    for (int64_t r = 0; r < S; ++r) distance.push_back((last_distance ? S - 1 : l) - r + max_positions - 1);
  const Tensor positions = distance_embedding(Tensor::from(distance, {rows, S}));                   // [T or 1, S, D]
  const Tensor per_query = positions.expand({T, S, head_dim});
  Tensor bias = einsum("bhld,lrd->bhlr", {q, per_query});                                           // [B, H, T, S]
  if (position_type == "relative_key_query") bias = bias + einsum("bhrd,lrd->bhlr", {k, positions});
  return bias * relative_scale;
}

Tensor BertAttention::finish(const Tensor& context, const Tensor& x, const Inputs& in) const {
  return norm(dropout(dense(merge_heads(context)), in.dropout(dropout_p)) + x);
}

Tensor BertAttention::operator()(const Tensor& x, const BertStep& s) const {
  const Tensor q = split_heads(query(x), head_dim);                                                 // [B, H, T, D]
  Tensor k = split_heads(key(x), head_dim), v = split_heads(value(x), head_dim);
  if (s.in.cache) std::tie(k, v) = s.in.cache->update(layer, k, v);                                 // [B, H, S, D]
  AttentionOptions o = s.mask;
  o.dropout = s.in.dropout(attention_dropout_p);
  o.head_mask = head_mask_of(s.in, layer);
  o.probabilities = s.recorder.attention_slot();
  if (distance_embedding) o.bias = relative_bias(q, k, s.last_distance);
  return finish(attention(q, k, v, o), x, s.in);
}

Tensor BertAttention::cross(const Tensor& x, const BertStep& s) const {
  const Tensor q = split_heads(query(x), head_dim);
  Tensor k, v;
  if (s.in.cache) std::tie(k, v) = s.in.cache->cross(layer);
  if (!k.defined()) {
    k = split_heads(key(s.encoder), head_dim), v = split_heads(value(s.encoder), head_dim);
    if (s.in.cache) s.in.cache->set_cross(layer, k, v);
  }
  AttentionOptions o = s.cross_mask;
  o.dropout = s.in.dropout(attention_dropout_p);
  o.head_mask = head_mask_of(s.in, layer);
  o.probabilities = s.recorder.cross_slot();
  return finish(attention(q, k, v, o), x, s.in);
}

BertLayer::BertLayer(const Scope& w, const BertConfig& c, int64_t index)
    : attention(w / "attention", c, index, c.position_embedding_type), intermediate(w / "intermediate" / "dense", c.hidden_size, c.intermediate_size),
      output(w / "output" / "dense", c.intermediate_size, c.hidden_size), norm(w / "output" / "LayerNorm", c.hidden_size, c.layer_norm_eps),
      act(c.hidden_act), dropout_p(c.hidden_dropout_prob), is_decoder(c.is_decoder) {
  if (!c.add_cross_attention) return;
  if (!c.is_decoder) throw ConfigError("config: add_cross_attention needs is_decoder = true");
  crossattention.emplace(w / "crossattention", unpruned(c), index, "absolute");
}

Tensor BertLayer::operator()(const Tensor& x, const BertStep& s) const {  // [B, T, C], post-norm
  Tensor h = attention(x, s);
  if (is_decoder && s.encoder.defined()) {
    if (!crossattention) throw ValueError("encoder_hidden_states were given, but the config has add_cross_attention = false");
    h = crossattention->cross(h, s);
  }
  return norm(dropout(output(act(intermediate(h))), s.in.dropout(dropout_p)) + h);
}

Tensor BertEncoder::operator()(Tensor x, const Inputs& in, Recorder& recorder) const {
  const Tensor& mask = in.tensor("attention_mask");
  const bool causal = c.is_decoder && !(mask.defined() && mask.rank() == 3);  // a 3-d mask says all there is to say
  const bool cached = in.cache || (c.is_decoder && in.flag("use_cache", c.use_cache) && !in.has("labels"));
  const BertStep step{in, causal ? causal_mask(mask) : padding_mask(mask), padding_mask(in.tensor("encoder_attention_mask")),
                      c.is_decoder ? in.tensor("encoder_hidden_states") : Tensor(), cached, recorder};
  for (const BertLayer& layer : layers) {
    recorder.hidden(x);
    x = layer(x, step);
  }
  recorder.hidden(x);
  return x;
}

BertEmbeddings::BertEmbeddings(const Scope& w, const BertConfig& c)
    : word_embeddings(w / "word_embeddings", c.vocab_size, c.embedding_size, c.pad_token_id),
      position_embeddings(w / "position_embeddings", c.max_position_embeddings, c.embedding_size, c.padded_positions ? c.pad_token_id : -1),
      token_type_embeddings(w / "token_type_embeddings", c.type_vocab_size, c.embedding_size), norm(w / "LayerNorm", c.embedding_size, c.layer_norm_eps),
      dropout_p(c.hidden_dropout_prob), pad(c.pad_token_id), absolute(c.position_embedding_type == "absolute"), padded_positions(c.padded_positions) {
  w.ignore("position_ids");
}

Tensor BertEmbeddings::positions(const Inputs& in, int64_t B, int64_t T) const {
  if (!padded_positions || in.has("position_ids")) return positions_of(in, T);
  const int64_t past = past_length(in);
  const Tensor& ids = in.tensor("input_ids");
  if (!ids.defined()) return arange(static_cast<double>(pad + 1), static_cast<double>(T + pad + 1), 1, DType::i64).unsqueeze(0).expand({B, T});
  const Tensor real = ne(ids, static_cast<double>(pad)).to(DType::i64);  // padding keeps the position pad_token_id
  return (cumsum(real, 1) + static_cast<double>(past)) * real + static_cast<double>(pad);
}

Tensor BertEmbeddings::operator()(const Inputs& in) const {
  Tensor x = embeds_or(in, word_embeddings);
  const int64_t B = x.dim(0), T = x.dim(1);
  x = x + token_type_embeddings(token_types_of(in, B, T));
  if (absolute) x = x + position_embeddings(positions(in, B, T));
  return dropout(norm(x), in.dropout(dropout_p));
}

BertModel::BertModel(const Scope& w, const BertConfig& config, bool has_pooler)
    : c(config), embeddings(w / "embeddings", c), encoder(w / "encoder", c) {
  config_ = c.json;
  if (has_pooler && c.get("add_pooling_layer", true)) pooler = Linear(w / "pooler" / "dense", c.hidden_size, c.hidden_size);
}

Outputs BertModel::forward(const Inputs& in) const {  // ids [B, T] -> last_hidden_state [B, T, C], pooler_output [B, C]
  Recorder recorder(in);
  const Tensor x = encoder(embeddings(in), in, recorder);
  Outputs out;
  out.set("last_hidden_state", x);
  if (pooler) out.set("pooler_output", tanh(pooler(x.select(1, 0))));
  recorder.write(out);
  return out;
}

BertLmHead::BertLmHead(const Scope& w, const BertConfig& c, const Embedding& table)
    : transform(w / "transform" / "dense", c.hidden_size, c.hidden_size), decoder(tied_decoder(w, c.tie_word_embeddings, table)),
      norm(w / "transform" / "LayerNorm", c.hidden_size, c.layer_norm_eps), act(c.hidden_act) {}

namespace {

Factory backbone(bool pooler) {
  return [=](const Scope& w, const Json& json) -> std::unique_ptr<Model> { return std::make_unique<BertModel>(w, BertConfig(json), pooler); };
}

struct BertVocabulary : BertLmHead {
  BertVocabulary(const Scope& w, const Json& json, const Embedding& table) : BertLmHead(w / "cls" / "predictions", BertConfig(json), table) {}
};

struct BertForNextSentencePrediction final : HeadModel {
  Linear seq_relationship;
  BertForNextSentencePrediction(const Scope& w, const Json& json)
      : HeadModel(w, json, "bert", backbone(true)), seq_relationship(w / "cls" / "seq_relationship", json.get("hidden_size", 768), 2) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor logits = seq_relationship(h.tensor("pooler_output"));  // [B, 2]
    const Tensor& labels = in.has("labels") ? in.tensor("labels") : in.tensor("next_sentence_label");
    Outputs out;
    out.set("loss", token_loss(logits, labels)).set("logits", logits);
    pass_on(out, h);
    return out;
  }
};

struct BertForPreTraining final : HeadModel {
  BertLmHead predictions;
  Linear seq_relationship;
  BertForPreTraining(const Scope& w, const Json& json)
      : HeadModel(w, json, "bert", backbone(true)), predictions(w / "cls" / "predictions", BertConfig(json), *base->input_embeddings()),
        seq_relationship(w / "cls" / "seq_relationship", json.get("hidden_size", 768), 2) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor words = predictions(h.tensor("last_hidden_state"));     // [B, T, V]
    const Tensor sentences = seq_relationship(h.tensor("pooler_output"));  // [B, 2]
    Outputs out;
    if (in.has("labels") && in.has("next_sentence_label"))
      out.set("loss", token_loss(words, in.tensor("labels")) + token_loss(sentences, in.tensor("next_sentence_label")));
    out.set("prediction_logits", words).set("seq_relationship_logits", sentences);
    pass_on(out, h);
    return out;
  }
  const Linear* output_embeddings() const override { return &predictions.decoder; }
};

}  // namespace

void register_bert(ModelRegistry& r) {
  const HeadNames classifier{"bert", "classifier"};
  r.family("bert", "bert")
      .rename("LayerNorm.gamma", "LayerNorm.weight")
      .rename("LayerNorm.beta", "LayerNorm.bias")
      .add("BertModel", backbone(true), {"AutoModel", "AutoModelForTextEncoding"})
      .add("BertForPreTraining", make<BertForPreTraining>(), {"AutoModelForPreTraining"})
      .add("BertForMaskedLM", vocabulary_head<BertVocabulary>(backbone(false), "bert", false), {"AutoModelForMaskedLM", "AutoModelWithLMHead"})
      .add("BertLMHeadModel", vocabulary_head<BertVocabulary>(backbone(false), "bert", true), {"AutoModelForCausalLM"})
      .add("BertForNextSentencePrediction", make<BertForNextSentencePrediction>(), {"AutoModelForNextSentencePrediction"})
      .add("BertForSequenceClassification", pooled_classifier(backbone(true), classifier), {"AutoModelForSequenceClassification"})
      .add("BertForMultipleChoice", multiple_choice_head(backbone(true), classifier), {"AutoModelForMultipleChoice"})
      .add("BertForTokenClassification", token_classifier(backbone(false), classifier), {"AutoModelForTokenClassification"})
      .add("BertForQuestionAnswering", question_answering_head(backbone(false), {"bert", "qa_outputs"}), {"AutoModelForQuestionAnswering"});
}

}  // namespace transformers
