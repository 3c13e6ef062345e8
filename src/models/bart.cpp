// BART: encoder-decoder and its heads. Reference: transformers/models/bart/modeling_bart.py. Letters as in bart.h.
#include "models/bart.h"

#include <cmath>

#include "nn/weight.h"

namespace transformers {

Seq2SeqSide BartConfig::encoder_side() const {
  return {d_model, encoder_attention_heads, encoder_ffn_dim, encoder_layers, activation_function, dropout, attention_dropout, activation_dropout, 1e-5, pre_norm, true, true, false};
}
Seq2SeqSide BartConfig::decoder_side() const {
  return {d_model, decoder_attention_heads, decoder_ffn_dim, decoder_layers, activation_function, dropout, attention_dropout, activation_dropout, 1e-5, pre_norm, true, true, true};
}

Tensor BartConfig::shifted(const Tensor& ids) const {
  if (!wraps_labels) return shift_tokens_right(ids, pad_token_id, decoder_start_token_id);
  const Tensor known = masked_fill(ids, eq(ids, -100), static_cast<double>(pad_token_id));
  const Tensor last = clamp(sum(ne(known, static_cast<double>(pad_token_id)), {1}, true) - 1, 0, static_cast<double>(ids.dim(1) - 1));
  return cat({gather(known, 1, last), known.slice(1, 0, ids.dim(1) - 1)}, 1);
}

// The fixed table of Marian and Pegasus: sines in the first half, cosines in the second.
static Tensor interleaved_sinusoids(int64_t positions, int64_t width) {
  Tensor t = Tensor::empty({positions, width});
  const int64_t sines = width / 2 + width % 2;
  for (int64_t p = 0; p < positions; ++p)
    for (int64_t i = 0; i < width; ++i) {
      const double angle = static_cast<double>(p) / std::pow(10000.0, 2.0 * static_cast<double>(i / 2) / static_cast<double>(width));
      const int64_t at = i % 2 == 0 ? i / 2 : sines + i / 2;
      t.mutable_data<float>()[p * width + at] = static_cast<float>(i % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  return t;
}

BartStack::BartStack(const Scope& w, const BartConfig& config, bool decoder, const Embedding& table) : c(config), is_decoder(decoder), embed_tokens(table) {
  if (c.positions == BartConfig::Positions::learned) {
    embed_positions = Embedding(w / "embed_positions", c.max_position_embeddings + c.position_offset, c.d_model);
  } else if (c.positions == BartConfig::Positions::sinusoidal) {
    // Checked by the table itself before the sines are made: a size beyond memory ends in a ConfigError.
    fixed_positions = (w / "embed_positions").buffer("weight", {c.max_position_embeddings, c.d_model}, Init::zero());
    if (!(w / "embed_positions").has("weight")) fixed_positions.copy_(interleaved_sinusoids(c.max_position_embeddings, c.d_model));
  }
  if (c.embedding_norm) layernorm_embedding = LayerNorm(w / "layernorm_embedding", c.d_model, 1e-5);
  const Seq2SeqSide side = decoder ? c.decoder_side() : c.encoder_side();
  layers = make_layers<Seq2SeqLayer>(w / "layers", side.layers, side);
  if (c.final_norm) layer_norm = LayerNorm(w / "layer_norm", c.d_model, 1e-5);
}

Tensor BartStack::position_embeddings(const Inputs& in, int64_t past, int64_t T) const {
  if (c.positions == BartConfig::Positions::computed) {  // numbered without the padding, which gets a row of zeros
    const Tensor& ids = in.tensor("input_ids");
    const double first = static_cast<double>(past + c.pad_token_id + 1), pad = static_cast<double>(c.pad_token_id);
    Tensor positions = arange(first, first + static_cast<double>(T), 1, DType::i64).unsqueeze(0);
    if (ids.defined()) {
      const Tensor seen = ne(ids, pad).to(DType::i64);
      positions = (cumsum(seen, 1) + past) * seen + c.pad_token_id;
    }
    return sinusoids_of(positions, c.d_model, c.pad_token_id);
  }
  if (past + T > c.max_position_embeddings) throw ValueError({"the input has ", past + T, " tokens, the model takes ", c.max_position_embeddings});
  if (fixed_positions.defined()) return fixed_positions.narrow(0, past, T).unsqueeze(0);
  const double first = static_cast<double>(past + c.position_offset);
  return embed_positions(arange(first, first + static_cast<double>(T), 1, DType::i64).unsqueeze(0));
}

Outputs BartStack::operator()(const Inputs& in) const {
  Tensor x = embeds_or(in, embed_tokens);                                                       // [B, T, C]
  const bool scale_given = is_decoder && c.scale_given_embeds;
  if (c.scale_embedding && (scale_given || !in.tensor("inputs_embeds").defined())) x = x * std::sqrt(static_cast<double>(c.d_model));
  const Tensor positions = position_embeddings(in, is_decoder ? past_length(in) : 0, x.dim(1)).to(x.dtype());
  if (!c.embedding_norm) x = x + positions;
  else if (c.norm_before_positions && is_decoder) x = layernorm_embedding(x) + positions;
  else x = layernorm_embedding(x + positions);
  x = dropout(x, in.dropout(c.dropout));
  Recorder recorder(in);
  const Tensor& mask = in.tensor("attention_mask");
  const Seq2SeqStep step{in, is_decoder ? causal_mask(mask) : padding_mask(mask), padding_mask(in.tensor("encoder_attention_mask")), in.tensor("encoder_hidden_states"), recorder};
  const double layerdrop = in.dropout(is_decoder ? c.decoder_layerdrop : c.encoder_layerdrop);
  for (const Seq2SeqLayer& layer : layers) {
    recorder.hidden(x);
    if (layerdrop > 0 && next_uniform() < layerdrop) continue;
    x = layer(x, step);
  }
  if (c.final_norm) x = layer_norm(x);
  recorder.hidden(x);
  Outputs out;
  out.set("last_hidden_state", x);
  recorder.write(out);
  return out;
}

static Embedding shared_table(const Scope& w, const BartConfig& c) {
  return Embedding(c.decoder_vocab_size > 0 ? w / "encoder.embed_tokens" : w / "shared", c.vocab_size, c.d_model, c.pad_token_id);
}
BartModel::BartModel(const Scope& w, const BartConfig& config)
    : c(config), shared(shared_table(w, c)),
      decoder_table(c.decoder_vocab_size > 0 ? Embedding(w / "decoder.embed_tokens", c.decoder_vocab_size, c.d_model, c.pad_token_id) : shared),
      encoder(w / "encoder", c, false, shared), decoder(w / "decoder", c, true, decoder_table) {
  config_ = c.json;
  if (c.decoder_vocab_size > 0) return;
  w.tie("encoder.embed_tokens.weight", shared.name());
  w.tie("decoder.embed_tokens.weight", shared.name());
}

Outputs BartModel::encode(const Inputs& in) const {
  Inputs e = in;
  e.cache = nullptr;
  return encoder(e);
}

Outputs BartModel::forward(const Inputs& in) const {
  const Outputs encoded = encoder_outputs_or(in, [&] { return encode(in); });
  Inputs d = decoder_inputs(in);
  if (!d.has("input_ids") && !d.has("inputs_embeds")) {
    if (!in.has("input_ids")) throw ValueError("If no `decoder_input_ids` or `decoder_inputs_embeds` are passed, `input_ids` cannot be `None`.");
    d.set("input_ids", c.shifted(in.tensor("input_ids")));
  }
  d.set("encoder_hidden_states", encoded.tensor("last_hidden_state")).set("encoder_attention_mask", in.tensor("attention_mask"));
  return seq2seq_outputs(encoded, decoder(d));
}

namespace {

struct ConditionalGeneration final : Model {
  BartModel model;
  Linear lm_head;
  Tensor final_logits_bias;
  ConditionalGeneration(const Scope& w, const BartConfig& c) : model(w / "model", c) {
    const int64_t V = model.decoder_table.count();
    if (c.logits_bias) final_logits_bias = w.buffer("final_logits_bias", {1, V}, Init::zero());
    if (c.tie_word_embeddings) {
      lm_head = Linear(model.decoder_table.weight(), Tensor());
      w.tie("lm_head.weight", model.decoder_table.name());
    } else {
      lm_head = Linear(w / "lm_head", c.d_model, V, false);
    }
  }
  Outputs forward(const Inputs& given) const override {
    Inputs in = given;
    const Tensor& labels = given.tensor("labels");
    if (labels.defined() && !in.has("decoder_input_ids") && !in.has("decoder_inputs_embeds"))
      in.set("decoder_input_ids", model.c.shifted(labels));
    const Outputs h = model.forward(in);
    Tensor x = h.tensor("last_hidden_state");
    if (in.last_logits_only) x = x.slice(1, x.dim(1) - 1, x.dim(1));
    Tensor logits = lm_head(x);  // [B, T, V]
    if (final_logits_bias.defined()) logits = logits + final_logits_bias;
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

struct SequenceClassification final : Model {
  BartModel model;
  Linear dense, out_proj;
  SequenceClassification(const Scope& w, const BartConfig& c)
      : model(w / "model", c), dense(w / "classification_head.dense", c.d_model, c.d_model), out_proj(w / "classification_head.out_proj", c.d_model, num_labels(c.json)) {
    config_ = c.json;
  }
  Outputs forward(const Inputs& in) const override {
    const Outputs h = model.forward(in);
    const Tensor& x = h.tensor("last_hidden_state");
    const Tensor& ids = in.tensor("input_ids");
    if (!ids.defined()) throw ValueError("Passing input embeddings is currently not supported for sequence classification");
    const std::vector<int64_t> flat = ids.to_ints();
    const int64_t T = ids.dim(1);
    std::vector<Tensor> rows;
    int64_t expected = -1;
    for (int64_t b = 0; b < ids.dim(0); ++b) {
      int64_t last = -1, count = 0;
      for (int64_t t = 0; t < T; ++t)
        if (flat[static_cast<size_t>(b * T + t)] == model.c.eos_token_id) last = t, ++count;
      if (count == 0 || (expected >= 0 && count != expected)) throw ValueError("All examples must have the same number of <eos> tokens.");
      expected = count;
      rows.push_back(x.select(0, b).select(0, last));
    }
    const double p = in.dropout(model.c.classifier_dropout);
    const Tensor logits = out_proj(dropout(tanh(dense(dropout(stack(rows), p))), p));  // [B, labels]
    Outputs out;
    out.set("loss", sequence_classification_loss(logits, in.tensor("labels"), config_)).set("logits", logits);
    pass_on(out, h);
    return out;
  }
  const Embedding* input_embeddings() const override { return &model.shared; }
};

struct QuestionAnswering final : Model {
  BartModel model;
  Linear qa_outputs;
  QuestionAnswering(const Scope& w, const BartConfig& c) : model(w / "model", c), qa_outputs(w / "qa_outputs", c.d_model, 2) {}
  Outputs forward(const Inputs& in) const override {
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

// The decoder alone, as its own class and below the causal LM head.
struct DecoderOnly final : Model {
  Embedding embed_tokens;
  BartStack stack;
  DecoderOnly(const Scope& w, const BartConfig& c) : embed_tokens(w / "embed_tokens", c.vocab_size, c.d_model, c.pad_token_id), stack(w, c, true, embed_tokens) { config_ = c.json; }
  Outputs forward(const Inputs& in) const override { return stack(in); }
  const Embedding* input_embeddings() const override { return &embed_tokens; }
};

struct CausalLm final : Model {
  DecoderOnly decoder;
  Linear lm_head;
  CausalLm(const Scope& w, const BartConfig& c) : decoder(w / "model" / "decoder", c) {
    if (c.tie_word_embeddings) {
      lm_head = Linear(decoder.embed_tokens.weight(), Tensor());
      w.tie("lm_head.weight", decoder.embed_tokens.name());
    } else {
      lm_head = Linear(w / "lm_head", c.d_model, c.vocab_size, false);
    }
  }
  Outputs forward(const Inputs& in) const override {
    const Outputs h = decoder.forward(in);
    Tensor x = h.tensor("last_hidden_state");
    if (in.last_logits_only) x = x.slice(1, x.dim(1) - 1, x.dim(1));
    const Tensor logits = lm_head(x);
    Outputs out;
    out.set("loss", token_loss(logits, in.tensor("labels"))).set("logits", logits);  // the reference does not shift here
    pass_on(out, h);
    return out;
  }
  bool can_generate() const override { return true; }
  const Embedding* input_embeddings() const override { return &decoder.embed_tokens; }
  const Linear* output_embeddings() const override { return &lm_head; }
};

}  // namespace

void add_bart_family(ModelFamily& f, const BartFamily& b) {
  const auto of = [&]<class T>(std::type_identity<T>) -> Factory {
    return [config = b.config](const Scope& w, const Json& json) -> std::unique_ptr<Model> { return std::make_unique<T>(w, config(json)); };
  };
  f.add(b.name + "Model", of(std::type_identity<BartModel>{}), {"AutoModel"});
  f.add(b.name + b.generation, of(std::type_identity<ConditionalGeneration>{}), b.generation_autos);
  if (b.causal_lm) f.add(b.name + "ForCausalLM", of(std::type_identity<CausalLm>{}), {"AutoModelForCausalLM"});
  if (b.causal_lm) f.add(b.name + "Decoder", of(std::type_identity<DecoderOnly>{}));
  if (b.sequence_classification) f.add(b.name + "ForSequenceClassification", of(std::type_identity<SequenceClassification>{}), {"AutoModelForSequenceClassification"});
  if (b.question_answering) f.add(b.name + "ForQuestionAnswering", of(std::type_identity<QuestionAnswering>{}), {"AutoModelForQuestionAnswering"});
}

void register_bart(ModelRegistry& r) {
  add_bart_family(r.family("bart", "model"), {.name = "Bart", .config = [](const Json& j) { return BartConfig(j); },
                                              .generation_autos = {"AutoModelForSeq2SeqLM", "AutoModelForMaskedLM", "AutoModelForPreTraining", "AutoModelWithLMHead"},
                                              .sequence_classification = true, .question_answering = true});
}

}  // namespace transformers
