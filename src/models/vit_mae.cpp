// ViT-MAE: masked autoencoder over ViT layers. Reference: transformers/models/vit_mae/modeling_vit_mae.py.
// B batch, P patches, K kept patches, C hidden.
#include <cmath>

#include "models/vit.h"

namespace transformers {
namespace {

// Sines and cosines of column and row, the class token's row zero: [1, 1 + side * side, width].
Tensor sincos_positions(int64_t side, int64_t width) {
  if (width % 4) throw ConfigError({"config: hidden size ", width, " must be a multiple of 4 for sine positions"});
  const int64_t quarter = width / 4;
  Tensor table = Tensor::zeros({1, 1 + side * side, width});
  float* p = table.mutable_data<float>() + width;
  for (int64_t at = 0; at < side * side; ++at, p += width)
    for (int64_t i = 0; i < quarter; ++i) {
      const double omega = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(quarter));
      const double x = static_cast<double>(at % side) * omega, y = static_cast<double>(at / side) * omega;
      p[i] = static_cast<float>(std::sin(x)), p[quarter + i] = static_cast<float>(std::cos(x));
      p[2 * quarter + i] = static_cast<float>(std::sin(y)), p[3 * quarter + i] = static_cast<float>(std::cos(y));
    }
  return table;
}

// A table of fixed positions: stored, never trained.
Tensor fixed_positions(const Scope& w, const char* name, int64_t patches, int64_t width) {
  const int64_t side = static_cast<int64_t>(std::sqrt(static_cast<double>(patches)) + 1e-9);
  const bool square = side * side == patches;
  const Tensor table = w.param(name, {1, patches + 1, width}, square ? Init::of(sincos_positions(side, width)) : Init::zero());
  w.state().parameters->back().frozen = true;
  return table;
}

int64_t patch_count(const VitConfig& c) {
  const ImageSize grid = patch_grid(c.image_size, c.patch_size);
  return grid.height * grid.width;
}

struct VitMaeModel final : Model {
  VitConfig c;
  Tensor cls_token, position_embeddings;
  PatchProjection patches;
  std::vector<VitLayer> layers;
  LayerNorm layernorm;
  double mask_ratio;

  VitMaeModel(const Scope& w, const Json& json)
      : c(json), cls_token(w.param("embeddings.cls_token", {1, 1, c.hidden_size})),
        position_embeddings(fixed_positions(w, "embeddings.position_embeddings", patch_count(c), c.hidden_size)),
        patches(w / "embeddings.patch_embeddings.projection", c.num_channels, c.hidden_size, c.patch_size, true, {Init::xavier_uniform, 0, -1, {}}),
        layers(make_layers<VitLayer>(w / "encoder.layer", c.num_hidden_layers, c)), layernorm(w / "layernorm", c.hidden_size, c.layer_norm_eps),
        mask_ratio(json.get("mask_ratio", 0.75)) {
    config_ = json;
    if (!(mask_ratio >= 0 && mask_ratio <= 1)) throw ConfigError({"config: mask_ratio ", mask_ratio, " is not between 0 and 1"});
  }

  Outputs forward(const Inputs& in) const override {
    const Tensor pixels = pixels_of(in, c.num_channels, cls_token.dtype());
    const bool resize = in.flag("interpolate_pos_encoding", false);
    if (!resize) check_image_size(pixels, c.image_size);
    Tensor x = patches(pixels), positions = position_embeddings;
    const int64_t B = x.dim(0), P = x.dim(1), kept = static_cast<int64_t>(static_cast<double>(P) * (1 - mask_ratio));
    if (resize && !(P + 1 == positions.dim(1) && pixels.dim(2) == pixels.dim(3)))
      positions = resize_positions(positions, 1, pixels.dim(2) / c.patch_size.height, pixels.dim(3) / c.patch_size.width);
    x = x + positions.slice(1, 1, P + 1);

    const Tensor noise = in.tensor("noise").defined() ? in.tensor("noise") : rand({B, P});
    if (!(noise.shape() == Shape{B, P})) throw ShapeError({"noise: expected ", Shape{B, P}.str(), ", got ", noise.shape().str()});
    const Tensor shuffled = argsort(noise, 1), ids_restore = argsort(shuffled, 1);  // small noise is kept
    x = gather(x, 1, shuffled.slice(1, 0, kept).unsqueeze(-1).expand({B, kept, x.dim(2)}));
    x = cat({(cls_token + positions.slice(1, 0, 1)).expand({B, -1, -1}), x}, 1);

    Recorder recorder(in);
    x = layernorm(vit_encoder(layers, x, in, recorder));
    Outputs out;
    out.set("last_hidden_state", x);
    out.set("mask", ge(ids_restore, static_cast<double>(kept)).to(x.dtype())).set("ids_restore", ids_restore);
    recorder.write(out);
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

Json decoder_config(const Json& json) {
  Json c = json;
  c.set("hidden_size", json.get("decoder_hidden_size", 512));
  c.set("num_hidden_layers", json.get("decoder_num_hidden_layers", 8));
  c.set("num_attention_heads", json.get("decoder_num_attention_heads", 16));
  c.set("intermediate_size", json.get("decoder_intermediate_size", 2048));
  return c;
}

struct VitMaeForPreTraining final : HeadModel {
  VitConfig c, d;  // of encoder and decoder
  Linear decoder_embed, decoder_pred;
  Tensor mask_token, decoder_pos_embed;
  std::vector<VitLayer> decoder_layers;
  LayerNorm decoder_norm;

  VitMaeForPreTraining(const Scope& w, const Json& json)
      : HeadModel(w, json, "vit", make<VitMaeModel>()), c(json), d(decoder_config(json)),
        decoder_embed(w / "decoder.decoder_embed", c.hidden_size, d.hidden_size),
        decoder_pred(w / "decoder.decoder_pred", d.hidden_size, c.patch_size.height * c.patch_size.width * c.num_channels),
        mask_token(w.param("decoder.mask_token", {1, 1, d.hidden_size})),
        decoder_pos_embed(fixed_positions(w, "decoder.decoder_pos_embed", patch_count(c), d.hidden_size)),
        decoder_layers(make_layers<VitLayer>(w / "decoder.decoder_layers", d.num_hidden_layers, d)),
        decoder_norm(w / "decoder.decoder_norm", d.hidden_size, c.layer_norm_eps) {}

  // Kept tokens and mask tokens in the picture's order, through the decoder: [B, P, patch pixels * channels]
  Tensor decode(const Tensor& latent, const Tensor& ids_restore, bool resize, const Inputs& in) const {
    const Tensor x = decoder_embed(latent);
    const int64_t B = x.dim(0), P = ids_restore.dim(1), W = x.dim(2);
    Tensor all = cat({x.slice(1, 1, x.dim(1)), mask_token.expand({B, P + 1 - x.dim(1), W})}, 1);
    all = cat({x.slice(1, 0, 1), gather(all, 1, ids_restore.unsqueeze(-1).expand({B, P, W}))}, 1);
    Tensor positions = decoder_pos_embed;
    if (resize) {  // the reference resizes along the row of all positions
      const int64_t n = positions.dim(1);
      positions = resize_positions(positions, 1, {1, n - 1}, 1, P);
    }
    Inputs plain;  // no head mask and no recording
    plain.training = in.training;
    Recorder nothing(plain);
    return decoder_pred(decoder_norm(vit_encoder(decoder_layers, all + positions, plain, nothing))).slice(1, 1, P + 1);
  }

  Tensor patchify(const Tensor& pixels) const {
    const int64_t h = c.patch_size.height, w = c.patch_size.width, B = pixels.dim(0), C = pixels.dim(1);
    const int64_t rows = pixels.dim(2) / h, columns = pixels.dim(3) / w;
    if (rows * h != pixels.dim(2) || columns * w != pixels.dim(3)) throw ValueError("Make sure the pixel values have a size that is divisible by the patch size");
    return pixels.reshape({B, C, rows, h, columns, w}).permute({0, 2, 4, 3, 5, 1}).reshape({B, rows * columns, h * w * C});
  }

  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor& mask = h.tensor("mask");
    const Tensor logits = decode(h.tensor("last_hidden_state"), h.tensor("ids_restore"), in.flag("interpolate_pos_encoding", false), in);
    Tensor target = patchify(in.tensor("pixel_values").to(logits.dtype()));
    if (config_.get("norm_pix_loss", false)) target = (target - mean(target, {-1}, true)) / sqrt(var(target, {-1}, 1, true) + 1e-6);
    Outputs out;
    out.set("loss", sum(mean(square(logits - target), {-1}) * mask) / sum(mask)).set("logits", logits);
    out.set("mask", mask).set("ids_restore", h.tensor("ids_restore"));
    pass_on(out, h);
    return out;
  }
};

}  // namespace

void register_vit_mae(ModelRegistry& r) {
  r.family("vit_mae", "vit")
      .add("ViTMAEModel", make<VitMaeModel>(), {"AutoModel"})
      .add("ViTMAEForPreTraining", make<VitMaeForPreTraining>(), {"AutoModelForPreTraining"});
}

}  // namespace transformers
