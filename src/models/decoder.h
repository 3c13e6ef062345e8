// The frame of decoders with rotary positions: embedding, layers, final norm. Each family brings its config and its layer.
// B batch, T new tokens, C hidden.
#pragma once
#include "models/registry.h"

namespace transformers {

/// What all layers of one call share.
struct DecoderStep {
  const Inputs& in;
  RopeTable rope;
  AttentionOptions mask;  ///< Causal, with padding; layers with a sliding window set it on their copy.
  Cache* cache;
  Recorder& recorder;
};

/// Pre-norm residual block: x + attention(norm(x)), then + mlp(norm(.)).
template <class Attention, class Mlp, class Norm = RmsNorm> struct PreNormLayer {
  Norm input_layernorm, post_attention_layernorm;
  Attention self_attn;
  Mlp mlp;
  template <class C>
  PreNormLayer(const Scope& w, const C& c, int64_t layer)
      : input_layernorm(w / "input_layernorm", c.hidden_size, c.norm_eps()),
        post_attention_layernorm(w / "post_attention_layernorm", c.hidden_size, c.norm_eps()), self_attn(w / "self_attn", c, layer), mlp(w / "mlp", c) {}
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const Tensor h = x + self_attn(input_layernorm(x), s);
    return h + mlp(post_attention_layernorm(h));
  }
};

/// Names of the stack's parts in the checkpoint.
struct DecoderNames {
  const char *embedding = "embed_tokens", *layers = "layers", *norm = "norm";
  bool padding_row = true;  ///< Whether pad_token_id names a row of the table that gets no gradient.
};

/// The stack. C is a LlamaConfig or has its fields that are used here.
template <class C, class Layer, class Norm = RmsNorm> struct DecoderModel : Model {
  C c;
  Embedding embed_tokens;
  std::vector<Layer> layers;
  Norm norm;
  Rope rotary;

  DecoderModel(const Scope& w, const Json& json, const DecoderNames& names = {})
      : c(json), embed_tokens(w / names.embedding, c.vocab_size, c.hidden_size, names.padding_row ? json.get("pad_token_id", -1) : -1),
        layers(make_layers<Layer>(w / names.layers, c.num_hidden_layers, c)), norm(w / names.norm, c.hidden_size, c.norm_eps()), rotary(c.json, c.head_dim) {
    config_ = json;
    for (int64_t i = 0; i < c.num_hidden_layers; ++i)  // buffers of old checkpoints
      for (const char* buffer : {"self_attn.rotary_emb.inv_freq", "attention.rotary_emb.inv_freq", "attention.bias", "attention.masked_bias", "attn.bias", "attn.masked_bias"})
        (w / names.layers / i).ignore(buffer);
  }
  Outputs forward(const Inputs& in) const override {  // ids [B, T] -> last_hidden_state [B, T, C]
    Tensor x = embeds_or(in, embed_tokens);
    if (c.embedding_scale != 1) x = x * c.embedding_scale;
    x = dropout(x, in.dropout(c.embedding_dropout));
    RopeTable rope = rotary.at(positions_of(in, x.dim(1)));
    if (c.interleaved_rope) rope = interleaved(rope);
    Recorder recorder(in);
    const DecoderStep step{in, rope, causal_mask(in.tensor("attention_mask")), in.cache.get(), recorder};
    for (const Layer& layer : layers) {
      recorder.hidden(x);
      x = layer(x, step);
    }
    x = norm(x);
    recorder.hidden(x);  // as in the reference, the last of hidden_states is the normed one
    Outputs out;
    out.set("last_hidden_state", x);
    recorder.write(out);
    return out;
  }
  const Embedding* input_embeddings() const override { return &embed_tokens; }
};

}  // namespace transformers
