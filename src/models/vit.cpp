// Vision Transformer. Reference: transformers/models/vit/modeling_vit.py.
#include "models/vit.h"

#include <cmath>

#include "models/vision_heads.h"

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

namespace {

struct VitEmbeddings {
  Tensor cls_token, mask_token, position_embeddings;
  PatchProjection patches;
  ImageSize image, patch;
  int64_t channels;
  double p;

  VitEmbeddings(const Scope& w, const VitConfig& c, bool use_mask_token)
      : cls_token(w.param("cls_token", {1, 1, c.hidden_size})),
        patches(w / "patch_embeddings.projection", c.num_channels, c.hidden_size, c.patch_size), image(c.image_size),
        patch(c.patch_size), channels(c.num_channels), p(c.hidden_dropout_prob) {
    const ImageSize grid = patch_grid(image, patch);
    position_embeddings = w.param("position_embeddings", {1, grid.height * grid.width + 1, c.hidden_size});
    if (use_mask_token) mask_token = w.param("mask_token", {1, 1, c.hidden_size}, Init::zero());
  }

  Tensor operator()(const Inputs& in) const {  // pixels [B, 3, H, W] -> [B, 1 + P, C]
    const Tensor pixels = pixels_of(in, channels, cls_token.dtype());
    const bool resize = in.flag("interpolate_pos_encoding", false);
    if (!resize) check_image_size(pixels, image);
    Tensor x = patches(pixels);
    if (const Tensor& mask = in.tensor("bool_masked_pos"); mask.defined()) {
      if (!mask_token.defined()) throw ValueError("bool_masked_pos: this model has no mask token");
      x = mask_tokens(x, mask, mask_token);
    }
    x = cat({cls_token.expand({x.dim(0), -1, -1}), x}, 1);
    const bool same = x.dim(1) == position_embeddings.dim(1) && pixels.dim(2) == pixels.dim(3);
    const Tensor positions = !resize || same ? position_embeddings
                                             : resize_positions(position_embeddings, 1, pixels.dim(2) / patch.height, pixels.dim(3) / patch.width);
    return dropout(x + positions, in.dropout(p));
  }
};

struct VitModel final : Model {
  VitConfig c;
  VitEmbeddings embeddings;
  std::vector<VitLayer> layers;
  LayerNorm layernorm;
  std::optional<VitPooler> pooler;

  VitModel(const Scope& w, const Json& json, bool add_pooling_layer = true, bool use_mask_token = false)
      : c(json), embeddings(w / "embeddings", c, use_mask_token),
        layers(make_layers<VitLayer>(w / "encoder.layer", c.num_hidden_layers, c)),
        layernorm(w / "layernorm", c.hidden_size, c.layer_norm_eps) {
    config_ = json;
    if (add_pooling_layer) pooler.emplace(w / "pooler", c);
  }

  Outputs forward(const Inputs& in) const override {
    Recorder recorder(in);
    const Tensor x = layernorm(vit_encoder(layers, embeddings(in), in, recorder));
    Outputs out;
    out.set("last_hidden_state", x);
    if (pooler) out.set("pooler_output", (*pooler)(x));
    recorder.write(out);
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

Factory vit(bool add_pooling_layer, bool use_mask_token) {
  return [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> { return std::make_unique<VitModel>(w, c, add_pooling_layer, use_mask_token); };
}

struct VitForMaskedImageModeling final : HeadModel {
  VitConfig c;
  ImageDecoder decoder;
  VitForMaskedImageModeling(const Scope& w, const Json& json)
      : HeadModel(w, json, "vit", vit(false, true)), c(json), decoder(w / "decoder", c.hidden_size, c.num_channels, c.encoder_stride) {}

  Outputs forward(const Inputs& in) const override {
    const Tensor& mask = in.tensor("bool_masked_pos");
    if (mask.defined() && c.patch_size.height != c.encoder_stride)
      throw ValueError({"When `bool_masked_pos` is provided, `patch_size` must be equal to `encoder_stride` to ensure that the reconstructed image "
                        "has the same dimensions as the input. Got `patch_size` = ", c.patch_size.height, " and `encoder_stride` = ", c.encoder_stride, "."});
    const Outputs h = base->forward(in);
    const Tensor& x = h.tensor("last_hidden_state");
    const int64_t patches = x.dim(1) - 1, side = static_cast<int64_t>(std::sqrt(static_cast<double>(patches)) + 1e-9);
    const Tensor picture = decoder(tokens_to_map(x.slice(1, 1, patches + 1), side, side));
    Outputs out;
    if (mask.defined())
      out.set("loss", masked_image_loss(in.tensor("pixel_values"), picture, mask, c.image_size.height, c.patch_size.height, c.num_channels));
    out.set("reconstruction", picture);
    pass_on(out, h);
    return out;
  }
};

}  // namespace

void register_vit(ModelRegistry& r) {
  r.family("vit", "vit")
      .add("ViTModel", vit(true, false), {"AutoModel"})
      .add("ViTForMaskedImageModeling", make<VitForMaskedImageModeling>(), {"AutoModelForMaskedImageModeling"})
      .add("ViTForImageClassification",
           image_classifier(vit(false, false), {"vit", [](const Json& c) { return c.get("hidden_size", 768); }, first_token}),
           {"AutoModelForImageClassification"});
}

}  // namespace transformers
