// Vision Transformer. Reference: transformers/models/vit/modeling_vit.py.
#include "models/vit.h"

#include <cmath>

namespace transformers {

VitLayer::VitLayer(const Scope& w, const VitConfig& c, int64_t index)
    : layer(index), head_dim(divide_exactly("hidden_size", c.hidden_size, "num_attention_heads", c.num_attention_heads)),
      hidden_dropout(c.hidden_dropout_prob), attention_dropout(c.attention_probs_dropout_prob),
      query(w / "attention.attention.query", c.hidden_size, c.hidden_size, c.qkv_bias),
      key(w / "attention.attention.key", c.hidden_size, c.hidden_size, c.qkv_bias),
      value(w / "attention.attention.value", c.hidden_size, c.hidden_size, c.qkv_bias),
      attention_output(w / "attention.output.dense", c.hidden_size, c.hidden_size),
      intermediate(w / "intermediate.dense", c.hidden_size, c.intermediate_size),
      output(w / "output.dense", c.intermediate_size, c.hidden_size),
      layernorm_before(w / "layernorm_before", c.hidden_size, c.layer_norm_eps),
      layernorm_after(w / "layernorm_after", c.hidden_size, c.layer_norm_eps), act(c.hidden_act) {}

Tensor VitLayer::operator()(const Tensor& x, const VitStep& s) const {
  const Tensor normed = layernorm_before(x);
  AttentionOptions o;
  o.dropout = s.in.dropout(attention_dropout);
  o.head_mask = head_mask_of(s.in, layer, s.layers);
  o.probabilities = s.recorder.attention_slot();
  const Tensor q = split_heads(query(normed), head_dim), k = split_heads(key(normed), head_dim);  // [B, H, T, D]
  const Tensor a = attention_output(merge_heads(attention(q, k, split_heads(value(normed), head_dim), o)));
  const double p = s.in.dropout(hidden_dropout);
  const Tensor h = dropout(a, p) + x;
  return dropout(output(act(intermediate(layernorm_after(h)))), p) + h;
}

Tensor vit_encoder(const std::vector<VitLayer>& layers, Tensor x, const Inputs& in, Recorder& recorder) {
  const VitStep step{in, recorder, static_cast<int64_t>(layers.size())};
  recorder.hidden(x);
  for (const VitLayer& layer : layers) recorder.hidden(x = layer(x, step));
  return x;
}

VitEmbeddings::VitEmbeddings(const Scope& w, const VitConfig& c, const VitParts& parts)
    : patches(w / "patch_embeddings.projection", c.num_channels, c.hidden_size, c.patch_size), image(c.image_size), patch(c.patch_size),
      channels(c.num_channels), p(c.hidden_dropout_prob) {
  for (const std::string& name : parts.tokens) tokens.push_back(w.param(name, {1, 1, c.hidden_size}));
  const ImageSize grid = patch_grid(image, patch);
  const int64_t positions = grid.height * grid.width + static_cast<int64_t>(tokens.size());
  position_embeddings = w.param("position_embeddings", {1, positions, c.hidden_size});
  if (parts.mask_token) mask_token = w.param("mask_token", {1, 1, c.hidden_size}, Init::zero());
}

Tensor VitEmbeddings::operator()(const Inputs& in) const {
  const Tensor pixels = pixels_of(in, channels, position_embeddings.dtype());
  const bool resize = in.flag("interpolate_pos_encoding", false);
  if (!resize) check_image_size(pixels, image);
  Tensor x = patches(pixels);
  if (const Tensor& mask = in.tensor("bool_masked_pos"); mask.defined()) {
    if (!mask_token.defined()) throw ValueError("bool_masked_pos: this model has no mask token");
    x = mask_tokens(x, mask, mask_token);
  }
  std::vector<Tensor> parts;
  for (const Tensor& token : tokens) parts.push_back(token.expand({x.dim(0), -1, -1}));
  parts.push_back(x);
  x = cat(parts, 1);
  const bool same = x.dim(1) == position_embeddings.dim(1) && pixels.dim(2) == pixels.dim(3);
  const int64_t extra = static_cast<int64_t>(tokens.size());
  const Tensor positions = !resize || same ? position_embeddings
                                           : resize_positions(position_embeddings, extra, pixels.dim(2) / patch.height, pixels.dim(3) / patch.width);
  return dropout(x + positions, in.dropout(p));
}

VitModel::VitModel(const Scope& w, const Json& json, const VitParts& parts)
    : c(json), embeddings(w / "embeddings", c, parts), layers(make_layers<VitLayer>(w / "encoder.layer", c.num_hidden_layers, c)),
      layernorm(w / "layernorm", c.hidden_size, c.layer_norm_eps) {
  config_ = json;
  if (parts.pooler) pooler.emplace(w / "pooler", c);
}

Outputs VitModel::forward(const Inputs& in) const {
  Recorder recorder(in);
  const Tensor x = layernorm(vit_encoder(layers, embeddings(in), in, recorder));
  Outputs out;
  out.set("last_hidden_state", x);
  if (pooler) out.set("pooler_output", (*pooler)(x));
  recorder.write(out);
  return out;
}

Factory vit_model(const VitParts& parts) {
  return [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> { return std::make_unique<VitModel>(w, c, parts); };
}

namespace {

struct VitForMaskedImageModeling final : HeadModel {
  VitConfig c;
  ImageDecoder decoder;
  int64_t first, last;
  VitForMaskedImageModeling(const Scope& w, const Json& json, const std::string& prefix, const VitParts& parts, int64_t from, int64_t until)
      : HeadModel(w, json, prefix, vit_model(parts)), c(json), decoder(w / "decoder", c.hidden_size, c.num_channels, c.encoder_stride), first(from), last(until) {}

  Outputs forward(const Inputs& in) const override {
    const Tensor& mask = in.tensor("bool_masked_pos");
    if (mask.defined() && c.patch_size.height != c.encoder_stride)
      throw ValueError({"When `bool_masked_pos` is provided, `patch_size` must be equal to `encoder_stride` to ensure that the reconstructed image "
                        "has the same dimensions as the input. Got `patch_size` = ", c.patch_size.height, " and `encoder_stride` = ", c.encoder_stride, "."});
    const Outputs h = base->forward(in);
    const Tensor& x = h.tensor("last_hidden_state");
    const Tensor patches = x.slice(1, first, x.dim(1) - last);
    const int64_t side = static_cast<int64_t>(std::sqrt(static_cast<double>(patches.dim(1))) + 1e-9);
    const Tensor picture = decoder(tokens_to_map(patches, side, side));
    Outputs out;
    if (mask.defined())
      out.set("loss", masked_image_loss(in.tensor("pixel_values"), picture, mask, c.image_size.height, c.patch_size.height, c.num_channels));
    out.set("reconstruction", picture);
    pass_on(out, h);
    return out;
  }
};

}  // namespace

Factory vit_masked_image_model(const std::string& prefix, const VitParts& parts, int64_t first, int64_t last) {
  return [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> { return std::make_unique<VitForMaskedImageModeling>(w, c, prefix, parts, first, last); };
}
Factory vit_classifier(const std::string& prefix, const VitParts& parts) {
  ImageClassifier c;
  c.prefix = prefix, c.pool = first_token;
  c.width = [](const Json& json) { return json.get("hidden_size", 768); };
  return image_classifier(vit_model(parts), c);
}

void register_vit(ModelRegistry& r) {
  VitParts plain, pooled, masked;
  pooled.pooler = true, masked.mask_token = true;
  r.family("vit", "vit")
      .add("ViTModel", vit_model(pooled), {"AutoModel"})
      .add("ViTForMaskedImageModeling", vit_masked_image_model("vit", masked, 1, 0), {"AutoModelForMaskedImageModeling"})
      .add("ViTForImageClassification", vit_classifier("vit", plain), {"AutoModelForImageClassification"});
}

}  // namespace transformers
