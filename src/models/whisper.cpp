// Whisper: speech encoder-decoder and its heads. Reference: transformers/models/whisper/modeling_whisper.py.
// B batch, M mel bins, F frames, P = F / 2 encoder positions, T tokens, C width, V vocabulary.
#include <cmath>

#include "models/heads.h"
#include "nn/seq2seq.h"
#include "nn/spec_augment.h"
#include "nn/weight.h"

namespace transformers {
namespace {

struct WhisperConfig : Config {
  using Config::Config;
  int64_t vocab_size = size("vocab_size", 51865);
  int64_t num_mel_bins = size("num_mel_bins", 80);
  int64_t encoder_layers = get("encoder_layers", 4);
  int64_t encoder_attention_heads = size("encoder_attention_heads", 6);
  int64_t decoder_layers = get("decoder_layers", 4);
  int64_t decoder_attention_heads = size("decoder_attention_heads", 6);
  int64_t decoder_ffn_dim = size("decoder_ffn_dim", 1536);
  int64_t encoder_ffn_dim = size("encoder_ffn_dim", 1536);
  int64_t d_model = size("d_model", 384);
  int64_t max_source_positions = size("max_source_positions", 1500);
  int64_t max_target_positions = size("max_target_positions", 448);
  std::string activation_function = get("activation_function", "gelu");
  double dropout = get("dropout", 0.0);
  double attention_dropout = get("attention_dropout", 0.0);
  double activation_dropout = get("activation_dropout", 0.0);
  double encoder_layerdrop = get("encoder_layerdrop", 0.0);
  double decoder_layerdrop = get("decoder_layerdrop", 0.0);
  bool apply_spec_augment = get("apply_spec_augment", false);
  double mask_time_prob = get("mask_time_prob", 0.05);
  int64_t mask_time_length = get("mask_time_length", 10);
  int64_t mask_time_min_masks = get("mask_time_min_masks", 2);
  double mask_feature_prob = get("mask_feature_prob", 0.0);
  int64_t mask_feature_length = get("mask_feature_length", 10);
  int64_t mask_feature_min_masks = get("mask_feature_min_masks", 0);
  int64_t pad_token_id = get("pad_token_id", 50256);
  int64_t decoder_start_token_id = get("decoder_start_token_id", 50257);
  bool use_weighted_layer_sum = get("use_weighted_layer_sum", false);
  int64_t classifier_proj_size = size("classifier_proj_size", 256);
  Seq2SeqSide side(bool decoder) const {
    return {d_model, decoder ? decoder_attention_heads : encoder_attention_heads, decoder ? decoder_ffn_dim : encoder_ffn_dim,
            decoder ? decoder_layers : encoder_layers, activation_function, dropout, attention_dropout, activation_dropout, 1e-5, true, false, true, decoder};
  }
};

// Sines and cosines of the original model; the encoder's table is not trained.
Tensor source_positions(int64_t length, int64_t width) {
  Tensor t = Tensor::empty({length, width});
  const int64_t half = width / 2;
  const double step = std::log(10000.0) / static_cast<double>(half > 1 ? half - 1 : 1);
  for (int64_t p = 0; p < length; ++p)
    for (int64_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(p) * std::exp(-step * static_cast<double>(i));
      t.mutable_data<float>()[p * width + i] = static_cast<float>(std::sin(angle));
      t.mutable_data<float>()[p * width + half + i] = static_cast<float>(std::cos(angle));
    }
  return t;
}

struct WhisperEncoder final : Model {
  WhisperConfig c;
  Conv conv1, conv2;
  Tensor embed_positions;
  std::vector<Seq2SeqLayer> layers;
  LayerNorm layer_norm;

  WhisperEncoder(const Scope& w, const Json& json)
      : c(json), conv1(w / "conv1", c.num_mel_bins, c.d_model, {3}, {.padding = {1}}), conv2(w / "conv2", c.d_model, c.d_model, {3}, {.stride = {2}, .padding = {1}}),
        embed_positions((w / "embed_positions").buffer("weight", {c.max_source_positions, c.d_model}, Init::of(source_positions(c.max_source_positions, c.d_model)))),
        layers(make_layers<Seq2SeqLayer>(w / "layers", c.encoder_layers, c.side(false))), layer_norm(w / "layer_norm", c.d_model, 1e-5) {
    config_ = json;
  }
  Outputs forward(const Inputs& in) const override {  // input_features [B, M, F] -> [B, P, C]
    const Tensor& features = in.tensor("input_features");
    if (!features.defined()) throw ValueError("whisper: `input_features` are missing");
    const int64_t expected = c.max_source_positions * 2;
    if (features.rank() != 3 || features.dim(1) != c.num_mel_bins || features.dim(2) != expected)
      throw ValueError({"Whisper expects the mel input features to be of length ", expected, " with ", c.num_mel_bins, " bins, but found ", features.shape().str(),
                        ". Make sure to pad the input mel features to ", expected, "."});
    Tensor x = gelu(conv2(gelu(conv1(features.to(conv1.weight.dtype()))))).transpose(1, 2);
    x = dropout(x + embed_positions, in.dropout(c.dropout));
    Inputs plain = in;
    plain.cache = nullptr;
    Recorder recorder(in);
    const Seq2SeqStep step{plain, {}, {}, {}, recorder};
    for (const Seq2SeqLayer& layer : layers) {
      recorder.hidden(x);
      if (in.training && c.encoder_layerdrop > 0 && next_uniform() < c.encoder_layerdrop) continue;
      x = layer(x, step);
    }
    x = layer_norm(x);
    recorder.hidden(x);
    Outputs out;
    out.set("last_hidden_state", x);
    recorder.write(out);
    return out;
  }
  const char* main_input_name() const override { return "input_features"; }
};

struct WhisperDecoder final : Model {
  WhisperConfig c;
  Embedding embed_tokens, embed_positions;
  std::vector<Seq2SeqLayer> layers;
  LayerNorm layer_norm;

  WhisperDecoder(const Scope& w, const Json& json)
      : c(json), embed_tokens(w / "embed_tokens", c.vocab_size, c.d_model, c.pad_token_id), embed_positions(w / "embed_positions", c.max_target_positions, c.d_model),
        layers(make_layers<Seq2SeqLayer>(w / "layers", c.decoder_layers, c.side(true))), layer_norm(w / "layer_norm", c.d_model, 1e-5) {
    config_ = json;
  }
  Outputs forward(const Inputs& in) const override {  // ids [B, T] -> [B, T, C]
    Tensor x = embeds_or(in, embed_tokens);
    const int64_t T = x.dim(1), past = past_length(in);
    if (past + T > c.max_target_positions) throw ValueError({"the text has ", past + T, " tokens, the model takes ", c.max_target_positions});
    const Tensor& given = in.tensor("position_ids");
    x = x + embed_positions(given.defined() ? given : arange(static_cast<double>(past), static_cast<double>(past + T), 1, DType::i64).unsqueeze(0));
    x = dropout(x, in.dropout(c.dropout));
    Recorder recorder(in);
    const Seq2SeqStep step{in, causal_mask(in.tensor("attention_mask")), {}, in.tensor("encoder_hidden_states"), recorder};
    for (const Seq2SeqLayer& layer : layers) {
      recorder.hidden(x);
      if (in.training && c.decoder_layerdrop > 0 && next_uniform() < c.decoder_layerdrop) continue;
      x = layer(x, step);
    }
    x = layer_norm(x);
    recorder.hidden(x);
    Outputs out;
    out.set("last_hidden_state", x);
    recorder.write(out);
    return out;
  }
  const Embedding* input_embeddings() const override { return &embed_tokens; }
};

struct WhisperModel final : Model {
  WhisperEncoder encoder;
  WhisperDecoder decoder;
  WhisperModel(const Scope& w, const Json& json) : encoder(w / "encoder", json), decoder(w / "decoder", json) { config_ = json; }
  Outputs encode(const Inputs& in) const override { return in.training ? encoder.forward(augmented(in)) : encoder.forward(in); }
  // SpecAugment over frames and mel bins, in training only.
  Inputs augmented(Inputs in) const {
    const WhisperConfig& c = encoder.c;
    Tensor x = in.tensor("input_features");  // [B, M, F]
    if (!c.apply_spec_augment || !x.defined() || x.rank() != 3) return in;
    const Tensor& mask = in.tensor("attention_mask");
    if (c.mask_time_prob > 0) {
      const std::vector<int64_t> lengths = mask.defined() ? sum(mask.to(DType::i64), {-1}).to_ints() : std::vector<int64_t>{};
      x = masked_fill(x, spec_augment_mask(x.dim(0), x.dim(2), c.mask_time_prob, c.mask_time_length, lengths, c.mask_time_min_masks).unsqueeze(1), 0);
    }
    if (c.mask_feature_prob > 0)
      x = masked_fill(x, spec_augment_mask(x.dim(0), x.dim(1), c.mask_feature_prob, c.mask_feature_length, {}, c.mask_feature_min_masks).unsqueeze(2), 0);
    in.set("input_features", x);
    return in;
  }
  Outputs forward(const Inputs& in) const override {
    const Outputs encoded = encoder_outputs_or(in, [&] { return encode(in); });
    Inputs d = decoder_inputs(in);
    d.set("encoder_hidden_states", encoded.tensor("last_hidden_state"));
    return seq2seq_outputs(encoded, decoder.forward(d));
  }
  bool is_encoder_decoder() const override { return true; }
  const char* main_input_name() const override { return "input_features"; }
  const Embedding* input_embeddings() const override { return &decoder.embed_tokens; }
};

struct WhisperForConditionalGeneration final : Model {
  WhisperModel model;
  Linear proj_out;
  WhisperForConditionalGeneration(const Scope& w, const Json& json) : model(w / "model", json), proj_out(model.decoder.embed_tokens.weight(), Tensor()) {
    w.tie("proj_out.weight", model.decoder.embed_tokens.name());
  }
  Outputs forward(const Inputs& given) const override {
    Inputs in = given;
    const Tensor& labels = given.tensor("labels");
    const WhisperConfig& c = model.decoder.c;
    if (labels.defined() && labels.dim(1) > c.max_target_positions)
      throw ValueError({"Labels' sequence length ", labels.dim(1), " cannot exceed the maximum allowed length of ", c.max_target_positions, " tokens."});
    if (labels.defined() && !in.has("decoder_input_ids") && !in.has("decoder_inputs_embeds"))
      in.set("decoder_input_ids", shift_tokens_right(labels, c.pad_token_id, c.decoder_start_token_id));
    const Outputs h = model.forward(in);
    Tensor x = h.tensor("last_hidden_state");
    if (in.last_logits_only) x = x.slice(1, x.dim(1) - 1, x.dim(1));
    const Tensor logits = proj_out(x);  // [B, T, V]
    Outputs out;
    out.set("loss", token_loss(logits, labels)).set("logits", logits);
    pass_on(out, h);
    return out;
  }
  Outputs encode(const Inputs& in) const override { return model.encode(in); }
  bool is_encoder_decoder() const override { return true; }
  bool can_generate() const override { return true; }
  bool generates_without_prompt() const override { return true; }
  const char* main_input_name() const override { return "input_features"; }
  const Embedding* input_embeddings() const override { return &model.decoder.embed_tokens; }
  const Linear* output_embeddings() const override { return &proj_out; }
};

struct WhisperForCausalLM final : Model {
  WhisperDecoder decoder;
  Linear proj_out;
  WhisperForCausalLM(const Scope& w, const Json& json) : decoder(w / "model" / "decoder", json), proj_out(decoder.embed_tokens.weight(), Tensor()) {
    w.tie("proj_out.weight", decoder.embed_tokens.name());
  }
  Outputs forward(const Inputs& in) const override {
    Inputs d = in;
    if (const Value* e = in.find("encoder_outputs")) d.set("encoder_hidden_states", e->is_tensor() ? e->tensor() : e->named().tensor("last_hidden_state"));
    const Outputs h = decoder.forward(d);
    const Tensor logits = proj_out(h.tensor("last_hidden_state"));
    Outputs out;
    out.set("loss", token_loss(logits, in.tensor("labels"))).set("logits", logits);  // the reference does not shift here
    pass_on(out, h);
    return out;
  }
  Inputs prepare_inputs_for_generation(const Tensor& ids, const Inputs& base, int64_t past) const override {
    Inputs in = Model::prepare_inputs_for_generation(ids, base, past);
    in.erase("position_ids");  // the reference counts positions from the cache, padding included
    if (const Value* e = base.find("encoder_outputs")) in.set("encoder_outputs", *e);
    return in;
  }
  bool can_generate() const override { return true; }
  const Embedding* input_embeddings() const override { return &decoder.embed_tokens; }
  const Linear* output_embeddings() const override { return &proj_out; }
};

struct WhisperForAudioClassification final : Model {
  WhisperEncoder encoder;
  Tensor layer_weights;
  Linear projector, classifier;
  WhisperForAudioClassification(const Scope& w, const Json& json)
      : encoder(w / "encoder", json), projector(w / "projector", encoder.c.d_model, encoder.c.classifier_proj_size), classifier(w / "classifier", encoder.c.classifier_proj_size, num_labels(json)) {
    const int64_t states = encoder.c.encoder_layers + 1;
    if (encoder.c.use_weighted_layer_sum) layer_weights = w.param("layer_weights", {states}, Init::fill(1.0 / static_cast<double>(states)));
  }
  Outputs forward(const Inputs& given) const override {
    Inputs in = given;
    in.output_hidden_states |= layer_weights.defined();
    const Outputs h = encoder_outputs_or(in, [&] { return encoder.forward(in); });
    Tensor x = h.tensor("last_hidden_state");
    if (layer_weights.defined()) {
      const Tensor weights = softmax(layer_weights, -1);
      x = sum(stack(h.tensors("hidden_states"), 1) * weights.view({1, -1, 1, 1}), {1});
    }
    const Tensor logits = classifier(mean(projector(x), {1}));
    Outputs out;
    out.set("loss", token_loss(logits, in.tensor("labels"))).set("logits", logits);
    if (given.output_hidden_states) pass_on(out, h);
    return out;
  }
  const char* main_input_name() const override { return "input_features"; }
};

}  // namespace

void register_whisper(ModelRegistry& r) {
  r.family("whisper", "model")
      .add("WhisperModel", make<WhisperModel>(), {"AutoModel"})
      .add("WhisperForConditionalGeneration", make<WhisperForConditionalGeneration>(), {"AutoModelForSpeechSeq2Seq", "AutoModelWithLMHead"})
      .add("WhisperForCausalLM", make<WhisperForCausalLM>(), {"AutoModelForCausalLM"})
      .add("WhisperForAudioClassification", make<WhisperForAudioClassification>(), {"AutoModelForAudioClassification"})
      .add("WhisperDecoder", make<WhisperDecoder>())
      .ignore_unexpected("proj_out.weight");
}

}  // namespace transformers
