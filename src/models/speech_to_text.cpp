// Speech2Text: convolutions over filter banks, then mBART's layers. Reference: transformers/models/speech_to_text/modeling_speech_to_text.py.
// B batch, F frames, M features a frame, S shortened frames, T tokens, C width, V vocabulary.
#include <cmath>

#include "models/bart.h"

namespace transformers {
namespace {

BartConfig speech_config(const Json& json) {
  BartConfig c(with_defaults(json, {{"vocab_size", 10000}, {"encoder_ffn_dim", 2048}, {"encoder_attention_heads", 4}, {"decoder_layers", 6}, {"decoder_ffn_dim", 2048},
                                    {"decoder_attention_heads", 4}, {"activation_function", "relu"}, {"d_model", 256}, {"scale_embedding", true}}));
  c.json = json;
  c.pre_norm = c.final_norm = true;
  c.embedding_norm = c.logits_bias = false;
  c.positions = BartConfig::Positions::computed;
  if (c.d_model < 4) throw ConfigError({"config: d_model = ", c.d_model, " is too small for sinusoidal positions"});
  return c;
}

struct SpeechEncoder {
  BartConfig c;
  std::vector<Conv> convs;
  std::vector<Seq2SeqLayer> layers;
  LayerNorm layer_norm;
  SpeechEncoder(const Scope& w, const BartConfig& config)
      : c(config), layers(make_layers<Seq2SeqLayer>(w / "layers", c.encoder_layers, c.encoder_side())), layer_norm(w / "layer_norm", c.d_model, 1e-5) {
    const auto kernels = c.get("conv_kernel_sizes", std::vector<int64_t>{5, 5});
    if (kernels.empty() || kernels.size() > 64 || static_cast<int64_t>(kernels.size()) != c.get("num_conv_layers", static_cast<int64_t>(2)))
      throw ConfigError({"config: conv_kernel_sizes has ", kernels.size(), " entries for num_conv_layers = ", c.get("num_conv_layers", static_cast<int64_t>(2))});
    int64_t in = c.size("input_feat_per_channel", 80) * c.size("input_channels", 1);
    const int64_t middle = c.size("conv_channels", 1024);
    for (size_t i = 0; i < kernels.size(); ++i) {
      const int64_t out = i + 1 < kernels.size() ? middle : 2 * c.d_model;
      if (kernels[i] < 1 || kernels[i] > (1 << 16)) throw ConfigError({"config: a convolution kernel of ", kernels[i], " is impossible"});
      convs.emplace_back(w / "conv.conv_layers" / static_cast<int64_t>(i), in, out, Shape{kernels[i]}, ConvOptions{.stride = {2}, .padding = {kernels[i] / 2}});
      in = middle / 2;
    }
  }
  /// Which of the S shortened frames are no padding, for a mask over F frames.
  Tensor shortened(const Tensor& given, int64_t S) const {
    const Tensor mask = given.rank() == 3 ? given.select(2, given.dim(2) - 1) : given;
    if (mask.rank() != 2) throw ShapeError({"attention_mask: expected [batch, frames], got ", given.shape().str()});
    const std::vector<int64_t> counts = sum(mask.to(DType::i64), {1}).to_ints();
    Tensor out = Tensor::zeros({mask.dim(0), S}, DType::boolean);
    for (size_t b = 0; b < counts.size(); ++b) {
      int64_t n = counts[b];
      for (size_t i = 0; i < convs.size(); ++i) n = n < 1 ? 0 : (n - 1) / 2 + 1;
      if (n > S) throw ValueError({"attention_mask: row ", b, " has more frames than the input"});
      if (n < 1) n = S;  // the reference's index -1 is the last frame
      for (int64_t s = 0; s < n; ++s) out.mutable_data<bool>()[static_cast<int64_t>(b) * S + s] = true;
    }
    return out;
  }
  Outputs operator()(const Inputs& in) const {
    const Tensor& features = in.tensor("input_features");
    if (!features.defined()) throw ValueError("`input_features` are missing");
    if (features.rank() != 3 || features.dim(2) != convs[0].weight.dim(1))
      throw ShapeError({"input_features: expected [batch, frames, ", convs[0].weight.dim(1), "], got ", features.shape().str()});
    Tensor x = features.to(convs[0].weight.dtype()).transpose(1, 2);  // [B, M, F]
    for (const Conv& conv : convs) {
      const std::vector<Tensor> halves = conv(x).chunk(2, 1);
      x = halves[0] * sigmoid(halves[1]);
    }
    x = x.transpose(1, 2);  // [B, S, C]
    if (c.scale_embedding) x = x * std::sqrt(static_cast<double>(c.d_model));
    const Tensor& given = in.tensor("attention_mask");
    const Tensor mask = given.defined() ? shortened(given, x.dim(1)) : Tensor();
    const Tensor padding = mask.defined() ? logical_not(mask).to(DType::i64) : Tensor::zeros({x.dim(0), x.dim(1)}, DType::i64);
    const Tensor counted = ne(padding, static_cast<double>(c.pad_token_id)).to(DType::i64);  // the reference compares with the pad token
    x = dropout(x + sinusoids_of(cumsum(counted, 1) * counted + c.pad_token_id, c.d_model, c.pad_token_id).to(x.dtype()), in.dropout(c.dropout));
    Inputs plain = in;
    plain.cache = nullptr;
    Recorder recorder(in);
    const Seq2SeqStep step{plain, padding_mask(mask), {}, {}, recorder};
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
};

struct Speech2TextModel final : Model {
  BartConfig c;
  Embedding embed_tokens;
  SpeechEncoder encoder;
  BartStack decoder;
  Speech2TextModel(const Scope& w, const Json& json)
      : c(speech_config(json)), embed_tokens(w / "decoder.embed_tokens", c.vocab_size, c.d_model, c.pad_token_id), encoder(w / "encoder", c), decoder(w / "decoder", c, true, embed_tokens) {
    config_ = json;
  }
  Outputs encode(const Inputs& in) const override { return encoder(in); }
  Outputs forward(const Inputs& in) const override {
    const Outputs encoded = encoder_outputs_or(in, [&] { return encode(in); });
    Inputs d = decoder_inputs(in);
    const Tensor& states = encoded.tensor("last_hidden_state");
    d.set("encoder_hidden_states", states);
    if (const Tensor& mask = in.tensor("attention_mask"); mask.defined()) d.set("encoder_attention_mask", encoder.shortened(mask, states.dim(1)));
    return seq2seq_outputs(encoded, decoder(d));
  }
  bool is_encoder_decoder() const override { return true; }
  const char* main_input_name() const override { return "input_features"; }
  const Embedding* input_embeddings() const override { return &embed_tokens; }
};

struct Speech2TextForConditionalGeneration final : Model {
  Speech2TextModel model;
  Linear lm_head;
  Speech2TextForConditionalGeneration(const Scope& w, const Json& json) : model(w / "model", json) {
    if (model.c.tie_word_embeddings) {
      lm_head = Linear(model.embed_tokens.weight(), Tensor());
      w.tie("lm_head.weight", model.embed_tokens.name());
    } else {
      lm_head = Linear(w / "lm_head", model.c.d_model, model.c.vocab_size, false);
    }
  }
  Outputs forward(const Inputs& given) const override {
    Inputs in = given;
    const Tensor& labels = given.tensor("labels");
    if (labels.defined() && !in.has("decoder_input_ids") && !in.has("decoder_inputs_embeds")) in.set("decoder_input_ids", model.c.shifted(labels));
    const Outputs h = model.forward(in);
    Tensor x = h.tensor("last_hidden_state");
    if (in.last_logits_only) x = x.slice(1, x.dim(1) - 1, x.dim(1));
    const Tensor logits = lm_head(x);  // [B, T, V]
    Outputs out;
    out.set("loss", token_loss(logits, labels)).set("logits", logits);
    pass_on(out, h);
    return out;
  }
  Outputs encode(const Inputs& in) const override { return model.encode(in); }
  bool is_encoder_decoder() const override { return true; }
  bool can_generate() const override { return true; }
  const char* main_input_name() const override { return "input_features"; }
  const Embedding* input_embeddings() const override { return &model.embed_tokens; }
  const Linear* output_embeddings() const override { return &lm_head; }
};

}  // namespace

void register_speech_to_text(ModelRegistry& r) {
  r.family("speech_to_text", "model")
      .add("Speech2TextModel", make<Speech2TextModel>(), {"AutoModel"})
      .add("Speech2TextForConditionalGeneration", make<Speech2TextForConditionalGeneration>(), {"AutoModelForSpeechSeq2Seq", "AutoModelWithLMHead"})
      .ignore_unexpected("embed_positions.weights");
}

}  // namespace transformers
