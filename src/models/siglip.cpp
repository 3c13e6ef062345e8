// SigLIP: text and vision towers trained with a sigmoid loss. Reference: transformers/models/siglip/modeling_siglip.py.
// B batch, T tokens, P patches, C hidden, H heads.
#include <cmath>

#include "models/clip.h"
#include "models/vision_heads.h"
#include "nn/weight.h"

namespace transformers {
namespace {

const Init kXavier{Init::xavier_uniform, 0, -1, {}};
Init lecun(int64_t fan_in) { return Init::std(1 / std::sqrt(static_cast<double>(fan_in))); }

struct SiglipEncoderFields : Config {
  using Config::Config;
  int64_t hidden_size = size("hidden_size", 768);
  int64_t intermediate_size = size("intermediate_size", 3072);
  int64_t num_hidden_layers = get("num_hidden_layers", 12);
  int64_t num_attention_heads = size("num_attention_heads", 12);
  std::string hidden_act = get("hidden_act", "gelu_pytorch_tanh");
  double layer_norm_eps = get("layer_norm_eps", 1e-6);
  double attention_dropout = get("attention_dropout", 0.0);
  ClipEncoderConfig encoder() const {
    return {hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, hidden_act, layer_norm_eps, attention_dropout, 1, true};
  }
};
struct SiglipTextConfig : SiglipEncoderFields {
  using SiglipEncoderFields::SiglipEncoderFields;
  int64_t vocab_size = size("vocab_size", 32000);
  int64_t max_position_embeddings = size("max_position_embeddings", 64);
  int64_t projection_size = size("projection_size", hidden_size);
};
struct SiglipVisionConfig : SiglipEncoderFields {
  using SiglipEncoderFields::SiglipEncoderFields;
  int64_t num_channels = size("num_channels", 3);
  ImageSize image_size = image_size_of(json, "image_size", 224);
  ImageSize patch_size = image_size_of(json, "patch_size", 16);
  bool vision_use_head = get("vision_use_head", true);
};

struct SiglipTextTransformer {
  SiglipTextConfig c;
  Embedding token_embedding, position_embedding;
  std::vector<ClipEncoderLayer> layers;
  LayerNorm final_layer_norm;
  Linear head;
  SiglipTextTransformer(const Scope& w, const Json& json)
      : c(json), token_embedding(w / "embeddings.token_embedding", c.vocab_size, c.hidden_size, -1, lecun(c.hidden_size)),
        position_embedding(w / "embeddings.position_embedding", c.max_position_embeddings, c.hidden_size, -1, lecun(c.hidden_size)),
        layers(make_layers<ClipEncoderLayer>(w / "encoder.layers", c.num_hidden_layers, c.encoder())),
        final_layer_norm(w / "final_layer_norm", c.hidden_size, c.layer_norm_eps),
        head(w / "head", c.hidden_size, c.projection_size, true, lecun(c.hidden_size)) {}
  Outputs operator()(const Inputs& in) const {
    const Tensor& given = in.tensor("input_ids");
    if (!given.defined()) throw ValueError("You have to specify input_ids");
    const Tensor ids = given.reshape({-1, given.dim(-1)});
    if (ids.dim(1) > c.max_position_embeddings)
      throw ValueError({"Sequence length must be less than max_position_embeddings (got `sequence length`: ", ids.dim(1),
                        " and max_position_embeddings: ", c.max_position_embeddings, ")"});
    Recorder recorder(in);
    Tensor x = token_embedding(ids) + position_embedding(positions_of(in, ids.dim(1)));
    x = final_layer_norm(clip_encoder(layers, x, {in, padding_mask(in.tensor("attention_mask")), recorder}));
    Outputs out;
    out.set("last_hidden_state", x).set("pooler_output", head(x.select(1, x.dim(1) - 1)));  // the last token, padding or not
    recorder.write(out);
    return out;
  }
};

/// One learned query that attends to all patches, then an MLP: [B, P, C] -> [B, C].
struct PoolingHead {
  Tensor probe, in_proj_weight, in_proj_bias;
  Linear out_proj;
  LayerNorm layernorm;
  ClipMlp mlp;
  int64_t head_dim;
  PoolingHead(const Scope& w, const SiglipVisionConfig& c)
      : probe(w.param("probe", {1, 1, c.hidden_size}, kXavier)),
        in_proj_weight(w.param("attention.in_proj_weight", {3 * c.hidden_size, c.hidden_size}, kXavier)),
        in_proj_bias(w.param("attention.in_proj_bias", {3 * c.hidden_size}, Init::zero())),
        out_proj(w / "attention.out_proj", c.hidden_size, c.hidden_size, true, lecun(c.hidden_size)),
        layernorm(w / "layernorm", c.hidden_size, c.layer_norm_eps), mlp(w / "mlp", c.encoder()),
        head_dim(divide_exactly("hidden_size", c.hidden_size, "num_attention_heads", c.num_attention_heads)) {}
  Tensor operator()(const Tensor& x) const {
    const int64_t C = x.dim(2);
    const auto projected = [&](const Tensor& t, int64_t part) {
      return split_heads(linear(t, in_proj_weight.narrow(0, part * C, C), in_proj_bias.narrow(0, part * C, C)), head_dim);
    };
    const Tensor q = projected(probe, 0).expand({x.dim(0), -1, -1, -1});
    const Tensor h = out_proj(merge_heads(attention(q, projected(x, 1), projected(x, 2))));
    return (h + mlp(layernorm(h))).select(1, 0);
  }
};

struct SiglipVisionTransformer {
  SiglipVisionConfig c;
  PatchProjection patch_embedding;
  Embedding position_embedding;
  std::vector<ClipEncoderLayer> layers;
  LayerNorm post_layernorm;
  std::optional<PoolingHead> head;
  SiglipVisionTransformer(const Scope& w, const Json& json)
      : c(json), patch_embedding(w / "embeddings.patch_embedding", c.num_channels, c.hidden_size, c.patch_size, true,
                                 lecun(c.num_channels * c.patch_size.height * c.patch_size.width)),
        layers(make_layers<ClipEncoderLayer>(w / "encoder.layers", c.num_hidden_layers, c.encoder())),
        post_layernorm(w / "post_layernorm", c.hidden_size, c.layer_norm_eps) {
    const ImageSize grid = patch_grid(c.image_size, c.patch_size);
    position_embedding = Embedding(w / "embeddings.position_embedding", grid.height * grid.width, c.hidden_size, -1, lecun(c.hidden_size));
    if (c.vision_use_head) head.emplace(w / "head", c);
  }
  Outputs operator()(const Inputs& in) const {
    const Tensor pixels = pixels_of(in, c.num_channels, post_layernorm.weight.dtype());
    const bool resize = in.flag("interpolate_pos_encoding", false);
    if (!resize) check_image_size(pixels, c.image_size);
    Tensor x = patch_embedding(pixels), positions = position_embedding.weight()->values().unsqueeze(0);
    if (resize && !(x.dim(1) == positions.dim(1) && pixels.dim(2) == pixels.dim(3)))
      positions = resize_positions(positions, 0, pixels.dim(2) / c.patch_size.height, pixels.dim(3) / c.patch_size.width);
    Recorder recorder(in);
    x = post_layernorm(clip_encoder(layers, x + positions, {in, {}, recorder}));
    Outputs out;
    out.set("last_hidden_state", x);
    if (head) out.set("pooler_output", (*head)(x));
    recorder.write(out);
    return out;
  }
};

struct SiglipTextModel final : Model {
  SiglipTextTransformer text_model;
  SiglipTextModel(const Scope& w, const Json& json) : text_model(w / "text_model", clip_part(json, "text_config")) { config_ = json; }
  Outputs forward(const Inputs& in) const override { return text_model(in); }
  const Embedding* input_embeddings() const override { return &text_model.token_embedding; }
};

struct SiglipVisionModel final : Model {
  SiglipVisionTransformer vision_model;
  SiglipVisionModel(const Scope& w, const Json& json) : vision_model(w / "vision_model", clip_part(json, "vision_config")) { config_ = json; }
  Outputs forward(const Inputs& in) const override { return vision_model(in); }
  const char* main_input_name() const override { return "pixel_values"; }
};

struct SiglipModel final : Model {
  SiglipTextTransformer text_model;
  SiglipVisionTransformer vision_model;
  Tensor logit_scale, logit_bias;
  SiglipModel(const Scope& w, const Json& json)
      : text_model(w / "text_model", clip_part(json, "text_config")), vision_model(w / "vision_model", clip_part(json, "vision_config")),
        logit_scale(w.param("logit_scale", {1}, Init::zero())), logit_bias(w.param("logit_bias", {1}, Init::zero())) {
    config_ = json;
  }
  Outputs forward(const Inputs& in) const override {
    const Outputs vision = vision_model(in), text = text_model(in);
    if (!vision.has("pooler_output")) throw UnsupportedError("SiglipModel: vision_use_head false gives no image embedding");
    const Tensor image_embeds = unit_length(vision.tensor("pooler_output")), text_embeds = unit_length(text.tensor("pooler_output"));
    const Tensor logits_per_text = matmul(text_embeds, image_embeds.t()) * exp(logit_scale) + logit_bias;  // [texts, images]
    Outputs out;
    if (in.flag("return_loss", false)) {
      const Tensor signs = eye(logits_per_text.dim(0), logits_per_text.dtype()) * 2 - 1.0;
      out.set("loss", -mean(sum(logsigmoid(signs * logits_per_text), {-1})));
    }
    out.set("logits_per_image", logits_per_text.t()).set("logits_per_text", logits_per_text);
    out.set("text_embeds", text_embeds).set("image_embeds", image_embeds);
    out.set("text_model_output", Value(text)).set("vision_model_output", Value(vision));
    return out;
  }
  const Embedding* input_embeddings() const override { return &text_model.token_embedding; }
};

// The classifier's backbone has no use for the pooling head's result, but its weights are in the checkpoint.
ImageClassifier classifier() {
  ImageClassifier parts;
  parts.width = [](const Json& c) { return SiglipVisionConfig(clip_part(c, "vision_config")).hidden_size; };
  parts.init_std = [width = parts.width](const Json& c) { return c.get("initializer_factor", 1.0) / std::sqrt(static_cast<double>(width(c))); };
  parts.pool = [](const Outputs& h) { return mean(h.tensor("last_hidden_state"), {1}); };
  return parts;
}

}  // namespace

void register_siglip(ModelRegistry& r) {
  r.family("siglip", "siglip")
      .add("SiglipModel", make<SiglipModel>(), {"AutoModel", "AutoModelForZeroShotImageClassification"})
      .add("SiglipForImageClassification", image_classifier(make<SiglipVisionModel>(), classifier()), {"AutoModelForImageClassification"});
  r.family("siglip_text_model", "siglip").add("SiglipTextModel", make<SiglipTextModel>());
  r.family("siglip_vision_model", "siglip").add("SiglipVisionModel", make<SiglipVisionModel>(), {"AutoModel"});
}

}  // namespace transformers
