// Composites of any encoder with any decoder that has cross-attention: texts to text, and pictures to text.
// Reference: transformers/models/encoder_decoder/modeling_encoder_decoder.py, vision_encoder_decoder/....
// B batch, S encoder positions, T decoder tokens, C widths, V vocabulary.
#include <cmath>

#include "models/heads.h"
#include "models/loader.h"
#include "nn/seq2seq.h"

namespace transformers {
namespace {

// A part of the composite, with its own initialisation and the class that its Auto class gives.
std::unique_ptr<Model> part(const Scope& w, const char* name, const Json& config, std::string_view auto_name) {
  const Json& c = config[name];
  if (!c.is_object()) throw ConfigError({"config: \"", name, "\" must be an object with the ", name, "'s config"});
  ScopeState& state = w.state();
  const double outer = state.init_std;
  state.init_std = c.get("initializer_range", c.get("init_std", 0.02));
  std::unique_ptr<Model> model = ModelLoader::choose(auto_name, c).make(w / name, c);
  state.init_std = outer;
  return model;
}

// Width of an encoder's states, where its config may leave defaults out.
int64_t encoder_width(const Json& c, const Model& encoder) {
  if (encoder.input_embeddings() || c["hidden_size"].is_int() || c["d_model"].is_int()) return hidden_width(c, encoder);
  if (!c["embed_dim"].is_int() && c["depths"].is_null()) return 768;  // what ViT and its relatives default to
  const int64_t stages = c["depths"].is_array() ? static_cast<int64_t>(c["depths"].size()) : 4;
  return c.get("embed_dim", int64_t{96}) << std::min<int64_t>(std::max<int64_t>(stages - 1, 0), 16);  // Swin doubles per stage
}

struct EncoderDecoder final : Model {
  std::unique_ptr<Model> encoder, decoder;
  Linear enc_to_dec_proj;  // empty when the widths agree
  bool vision;
  int64_t pad, start;

  EncoderDecoder(const Scope& w, const Json& config, bool vision)
      : encoder(part(w, "encoder", config, "AutoModel")), decoder(part(w, "decoder", config, "AutoModelForCausalLM")), vision(vision),
        pad(config.get("pad_token_id", -1)), start(config.get("decoder_start_token_id", -1)) {
    config_ = config;
    if (config.get("tie_encoder_decoder", false)) throw UnsupportedError("tie_encoder_decoder: encoder and decoder with shared weights are not supported");
    if (encoder->output_embeddings()) throw ConfigError("config: the encoder has a language model head; take a model without");
    const Json &e = config["encoder"], &d = config["decoder"];
    const int64_t from = encoder_width(e, *encoder), to = hidden_width(d, *decoder);
    if (d["cross_attention_hidden_size"].is_int()) {
      if (d["cross_attention_hidden_size"].as_int() != from)
        throw ConfigError({"config: the decoder's cross_attention_hidden_size ", d["cross_attention_hidden_size"].as_int(), " is not the encoder's hidden_size ", from});
    } else if (from != to) {
      enc_to_dec_proj = Linear(w / "enc_to_dec_proj", from, to, true, {Init::kaiming_uniform, -1, -1, {}}, Init::bounded(1 / std::sqrt(static_cast<double>(from))));
    }
  }

  Outputs encode(const Inputs& in) const override {  // -> last_hidden_state [B, S, C]
    Inputs e;
    e.output_hidden_states = in.output_hidden_states, e.output_attentions = in.output_attentions, e.training = in.training;
    for (const char* name : {"input_ids", "attention_mask", "inputs_embeds", "token_type_ids", "pixel_values", "interpolate_pos_encoding"})
      if (const Value* v = in.find(name); v && (!vision || std::string_view(name) != "attention_mask")) e.set(name, *v);
    return encoder->forward(e);
  }

  Outputs forward(const Inputs& in) const override {
    const Outputs states = encoder_outputs_or(in, [&] { return encode(in); });
    Tensor context = states.tensor("last_hidden_state");
    if (!context.defined()) throw ValueError("the encoder gave no last_hidden_state");
    if (enc_to_dec_proj) context = enc_to_dec_proj(context);

    Inputs d = decoder_inputs(in);
    const Tensor& labels = in.tensor("labels");
    if (labels.defined() && !d.has("input_ids") && !d.has("inputs_embeds")) {
      if (pad < 0 || start < 0) throw ConfigError("config: labels need pad_token_id and decoder_start_token_id");
      const Tensor ids = shift_tokens_right(labels, pad, start);
      d.set("input_ids", ids);
      if (!vision && !d.has("attention_mask")) d.set("attention_mask", ne(ids, static_cast<double>(pad)).to(DType::i64));
    }
    d.set("encoder_hidden_states", context);
    if (!vision) d.set("encoder_attention_mask", in.tensor("attention_mask"));
    d.last_logits_only = in.last_logits_only;
    const Outputs words = decoder->forward(d);
    const Tensor& logits = words.tensor("logits");  // [B, T, V]
    Outputs out;
    // The reference shifts captions' labels once more in its loss; scores must agree with it.
    out.set("loss", vision ? causal_lm_loss(logits, labels) : token_loss(logits, labels)).set("logits", logits);
    const Outputs both = seq2seq_outputs(states, words);
    for (const auto& [name, value] : both.items())
      if (name != "last_hidden_state") out.set(name, value);
    return out;
  }

  bool can_generate() const override { return true; }
  bool is_encoder_decoder() const override { return true; }
  std::shared_ptr<Cache> make_cache() const override { return decoder->make_cache(); }
  const char* main_input_name() const override { return vision ? "pixel_values" : "input_ids"; }
  const Embedding* input_embeddings() const override { return encoder->input_embeddings(); }
  const Linear* output_embeddings() const override { return decoder->output_embeddings(); }
  void resize_token_embeddings(int64_t) override {
    throw UnsupportedError("Resizing the embedding layers of an encoder-decoder composite directly is not supported; resize its encoder or decoder before");
  }
};

Factory composite(bool vision) {
  return [=](const Scope& w, const Json& config) -> std::unique_ptr<Model> { return std::make_unique<EncoderDecoder>(w, config, vision); };
}

Json joined(const char* model_type, const Json& encoder, const Json& decoder, const Json& fields) {
  for (const Json* part : {&encoder, &decoder})
    if (!(*part)["model_type"].is_string()) throw ConfigError("from_encoder_decoder_configs: both configs need a model_type");
  Json writer = decoder;
  writer.set("is_decoder", true);
  writer.set("add_cross_attention", true);
  Json config = fields;
  config.set("model_type", model_type);
  config.set("is_encoder_decoder", true);
  config.set("encoder", encoder);
  config.set("decoder", writer);
  return config;
}

}  // namespace

Json EncoderDecoderConfig::from_encoder_decoder_configs(const Json& encoder, const Json& decoder, const Json& fields) {
  return joined("encoder-decoder", encoder, decoder, fields);
}
Json VisionEncoderDecoderConfig::from_encoder_decoder_configs(const Json& encoder, const Json& decoder, const Json& fields) {
  return joined("vision-encoder-decoder", encoder, decoder, fields);
}

void register_encoder_decoder(ModelRegistry& r) {
  r.family("encoder-decoder", "encoder_decoder").add("EncoderDecoderModel", composite(false), {"AutoModelForSeq2SeqLM", "AutoModelWithLMHead"});
  r.family("vision-encoder-decoder", "vision_encoder_decoder")
      .add("VisionEncoderDecoderModel", composite(true), {"AutoModelForImageTextToText", "AutoModelForVision2Seq"});
}

}  // namespace transformers
