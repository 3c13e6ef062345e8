// CLIP's encoder and its two towers. Reference: transformers/models/clip/modeling_clip.py.
#include <cmath>

#include "models/clip.h"
#include "nn/weight.h"
#include "ops/loss.h"

namespace transformers {

Json clip_part(const Json& config, const char* key) {
  const std::string old = std::string(key) + "_dict";
  if (config[old].is_object()) return config[old];
  if (config[key].is_object()) return config[key];
  return config.contains("hidden_size") ? config : Json::object();
}

static double power(double base, double exponent) { return std::pow(base, exponent); }

static double width_power(const ClipEncoderConfig& c) { return power(static_cast<double>(c.hidden_size), -0.5); }
static Init initial(const ClipEncoderConfig& c, double std) { return c.xavier_init ? Init{Init::xavier_uniform, 0, -1, {}} : Init::std(std * c.initializer_factor); }
static Init in_init(const ClipEncoderConfig& c) {
  return initial(c, width_power(c) * power(2.0 * static_cast<double>(std::max<int64_t>(c.num_hidden_layers, 1)), -0.5));
}
static Init mlp_bias_init(const ClipEncoderConfig& c) { return c.xavier_init ? Init::std(1e-6) : Init::zero(); }

ClipAttention::ClipAttention(const Scope& w, const ClipEncoderConfig& c)
    : head_dim(divide_exactly("hidden_size", c.hidden_size, "num_attention_heads", c.num_attention_heads)), dropout(c.attention_dropout),
      k_proj(w / "k_proj", c.hidden_size, c.hidden_size, true, in_init(c)), v_proj(w / "v_proj", c.hidden_size, c.hidden_size, true, in_init(c)),
      q_proj(w / "q_proj", c.hidden_size, c.hidden_size, true, in_init(c)),
      out_proj(w / "out_proj", c.hidden_size, c.hidden_size, true, initial(c, width_power(c))) {}

Tensor ClipAttention::operator()(const Tensor& x, const ClipStep& s) const {
  AttentionOptions o = s.mask;
  o.dropout = s.in.dropout(dropout);
  o.probabilities = s.recorder.attention_slot();
  const Tensor q = split_heads(q_proj(x), head_dim), k = split_heads(k_proj(x), head_dim);  // [B, H, T, D]
  return out_proj(merge_heads(attention(q, k, split_heads(v_proj(x), head_dim), o)));
}

ClipMlp::ClipMlp(const Scope& w, const ClipEncoderConfig& c)
    : fc1(w / "fc1", c.hidden_size, c.intermediate_size, true, initial(c, power(2.0 * static_cast<double>(c.hidden_size), -0.5)), mlp_bias_init(c)),
      fc2(w / "fc2", c.intermediate_size, c.hidden_size, true, in_init(c), mlp_bias_init(c)), act(c.hidden_act) {}

ClipEncoderLayer::ClipEncoderLayer(const Scope& w, const ClipEncoderConfig& c, int64_t)
    : self_attn(w / "self_attn", c), layer_norm1(w / "layer_norm1", c.hidden_size, c.layer_norm_eps),
      layer_norm2(w / "layer_norm2", c.hidden_size, c.layer_norm_eps), mlp(w / "mlp", c) {}

Tensor ClipEncoderLayer::operator()(const Tensor& x, const ClipStep& s) const {
  const Tensor h = x + self_attn(layer_norm1(x), s);
  return h + mlp(layer_norm2(h));
}

Tensor clip_encoder(const std::vector<ClipEncoderLayer>& layers, Tensor x, const ClipStep& s) {
  s.recorder.hidden(x);
  for (const ClipEncoderLayer& layer : layers) s.recorder.hidden(x = layer(x, s));
  return x;
}

ClipTextTransformer::ClipTextTransformer(const Scope& w, const Json& json)
    : c(json), token_embedding(w / "embeddings.token_embedding", c.vocab_size, c.hidden_size, -1, Init::std(c.initializer_factor * 0.02)),
      position_embedding(w / "embeddings.position_embedding", c.max_position_embeddings, c.hidden_size, -1, Init::std(c.initializer_factor * 0.02)),
      layers(make_layers<ClipEncoderLayer>(w / "encoder.layers", c.num_hidden_layers, c.encoder())),
      final_layer_norm(w / "final_layer_norm", c.hidden_size, c.layer_norm_eps) {}

Outputs ClipTextTransformer::operator()(const Inputs& in) const {
  const Tensor& given = in.tensor("input_ids");
  if (!given.defined()) throw ValueError("You have to specify input_ids");
  const Tensor ids = given.reshape({-1, given.dim(-1)});  // [B, T]
  const int64_t T = ids.dim(1);
  if (T > c.max_position_embeddings)
    throw ValueError({"Sequence length must be less than max_position_embeddings (got `sequence length`: ", T, " and max_position_embeddings: ",
                      c.max_position_embeddings, ")"});
  Recorder recorder(in);
  const Tensor x = token_embedding(ids) + position_embedding(positions_of(in, T));
  const Tensor last = final_layer_norm(clip_encoder(layers, x, {in, causal_mask(in.tensor("attention_mask")), recorder}));
  // Configs from before the end token was named (2) take the highest id, which is the end token of CLIP's vocabulary.
  const Tensor end = c.eos_token_id == 2 ? argmax(ids, -1) : argmax(eq(ids, static_cast<double>(c.eos_token_id)).to(DType::i32), -1);
  Outputs out;
  out.set("last_hidden_state", last).set("pooler_output", index_put_get(last, {arange(ids.dim(0)), end}));
  recorder.write(out);
  return out;
}

ClipVisionTransformer::ClipVisionTransformer(const Scope& w, const Json& json)
    : c(json),
      class_embedding(w.param("embeddings.class_embedding", {c.hidden_size}, Init::std(power(static_cast<double>(c.hidden_size), -0.5) * c.initializer_factor))),
      patch_embedding(w / "embeddings.patch_embedding", c.num_channels, c.hidden_size, c.patch_size, false),
      pre_layrnorm(w / "pre_layrnorm", c.hidden_size, c.layer_norm_eps), post_layernorm(w / "post_layernorm", c.hidden_size, c.layer_norm_eps),
      layers(make_layers<ClipEncoderLayer>(w / "encoder.layers", c.num_hidden_layers, c.encoder())) {
  const ImageSize grid = patch_grid(c.image_size, c.patch_size);
  position_embedding = Embedding(w / "embeddings.position_embedding", grid.height * grid.width + 1, c.hidden_size, -1,
                                 Init::std(c.initializer_range * c.initializer_factor));
}

Outputs ClipVisionTransformer::operator()(const Inputs& in) const {
  const Tensor pixels = pixels_of(in, c.num_channels, class_embedding.dtype());
  const bool resize = in.flag("interpolate_pos_encoding", false);
  if (!resize) check_image_size(pixels, c.image_size);
  const Tensor patches = patch_embedding(pixels);  // [B, P, C]
  Tensor x = cat({class_embedding.expand({patches.dim(0), 1, -1}), patches}, 1);
  Tensor positions = position_embedding.weight()->values().unsqueeze(0);
  if (resize && !(x.dim(1) == positions.dim(1) && pixels.dim(2) == pixels.dim(3)))
    positions = resize_positions(positions, 1, pixels.dim(2) / c.patch_size.height, pixels.dim(3) / c.patch_size.width);
  Recorder recorder(in);
  x = clip_encoder(layers, pre_layrnorm(x + positions), {in, {}, recorder});
  Outputs out;
  out.set("last_hidden_state", x).set("pooler_output", post_layernorm(x.select(1, 0)));
  recorder.write(out);
  return out;
}

Tensor clip_loss(const Tensor& similarity) {
  const Tensor order = arange(similarity.dim(0));
  return (cross_entropy(similarity, order) + cross_entropy(similarity.t(), order)) / 2;
}
Tensor unit_length(const Tensor& x) { return x / sqrt(sum(square(x), {-1}, true)); }

}  // namespace transformers
