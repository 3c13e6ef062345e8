// CLIP: text and vision towers, contrastive model, projections, image classification.
// Reference: transformers/models/clip/modeling_clip.py.
#include "models/clip.h"

#include <cmath>

#include "models/vision_heads.h"

namespace transformers {
namespace {

Init projection_init(int64_t width, double factor) { return Init::std(std::pow(static_cast<double>(width), -0.5) * factor); }

struct ClipTextModel final : Model {
  ClipTextTransformer text_model;
  ClipTextModel(const Scope& w, const Json& json) : text_model(w / "text_model", clip_part(json, "text_config")) { config_ = json; }
  Outputs forward(const Inputs& in) const override { return text_model(in); }
  const Embedding* input_embeddings() const override { return &text_model.token_embedding; }
};

struct ClipVisionModel final : Model {
  ClipVisionTransformer vision_model;
  ClipVisionModel(const Scope& w, const Json& json) : vision_model(w / "vision_model", clip_part(json, "vision_config")) { config_ = json; }
  Outputs forward(const Inputs& in) const override { return vision_model(in); }
  const char* main_input_name() const override { return "pixel_values"; }
};

struct ClipTextModelWithProjection final : Model {
  ClipTextTransformer text_model;
  Linear text_projection;
  ClipTextModelWithProjection(const Scope& w, const Json& json)
      : text_model(w / "text_model", clip_part(json, "text_config")),
        text_projection(w / "text_projection", text_model.c.hidden_size, text_model.c.projection_dim, false,
                        projection_init(text_model.c.hidden_size, text_model.c.initializer_factor)) {
    config_ = json;
  }
  Outputs forward(const Inputs& in) const override {
    Outputs out = text_model(in);
    out.set("text_embeds", text_projection(out.tensor("pooler_output")));
    out.erase("pooler_output");
    return out;
  }
  const Embedding* input_embeddings() const override { return &text_model.token_embedding; }
};

struct ClipVisionModelWithProjection final : Model {
  ClipVisionTransformer vision_model;
  Linear visual_projection;
  ClipVisionModelWithProjection(const Scope& w, const Json& json)
      : vision_model(w / "vision_model", clip_part(json, "vision_config")),
        visual_projection(w / "visual_projection", vision_model.c.hidden_size, vision_model.c.projection_dim, false,
                          projection_init(vision_model.c.hidden_size, vision_model.c.initializer_factor)) {
    config_ = json;
  }
  Outputs forward(const Inputs& in) const override {
    Outputs out = vision_model(in);
    out.set("image_embeds", visual_projection(out.tensor("pooler_output")));
    out.erase("pooler_output");
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

struct ClipModel final : Model {
  ClipTextTransformer text_model;
  ClipVisionTransformer vision_model;
  Linear visual_projection, text_projection;
  Tensor logit_scale;

  ClipModel(const Scope& w, const Json& json)
      : text_model(w / "text_model", clip_part(json, "text_config")), vision_model(w / "vision_model", clip_part(json, "vision_config")) {
    config_ = json;
    const int64_t width = Config(json).size("projection_dim", 512);
    const double factor = json.get("initializer_factor", 1.0);
    visual_projection = Linear(w / "visual_projection", vision_model.c.hidden_size, width, false, projection_init(vision_model.c.hidden_size, factor));
    text_projection = Linear(w / "text_projection", text_model.c.hidden_size, width, false, projection_init(text_model.c.hidden_size, factor));
    logit_scale = w.param("logit_scale", {}, Init::fill(json.get("logit_scale_init_value", 2.6592)));
  }

  Outputs forward(const Inputs& in) const override {
    const Outputs vision = vision_model(in), text = text_model(in);
    const Tensor image_embeds = unit_length(visual_projection(vision.tensor("pooler_output")));  // [images, D]
    const Tensor text_embeds = unit_length(text_projection(text.tensor("pooler_output")));       // [texts, D]
    const Tensor logits_per_text = matmul(text_embeds, image_embeds.t()) * exp(logit_scale);     // [texts, images]
    Outputs out;
    if (in.flag("return_loss", false)) out.set("loss", clip_loss(logits_per_text));
    out.set("logits_per_image", logits_per_text.t()).set("logits_per_text", logits_per_text);
    out.set("text_embeds", text_embeds).set("image_embeds", image_embeds);
    out.set("text_model_output", Value(text)).set("vision_model_output", Value(vision));
    return out;
  }
  const Embedding* input_embeddings() const override { return &text_model.token_embedding; }
};

ImageClassifier classifier() {
  ImageClassifier parts;
  parts.width = [](const Json& c) { return ClipVisionConfig(clip_part(c, "vision_config")).hidden_size; };
  parts.init_std = [width = parts.width](const Json& c) { return std::pow(static_cast<double>(width(c)), -0.5) * c.get("initializer_factor", 1.0); };
  parts.pool = [](const Outputs& h) {
    const Tensor& x = h.tensor("last_hidden_state");
    return mean(x.slice(1, 1, x.dim(1)), {1});
  };
  return parts;
}

}  // namespace

void register_clip(ModelRegistry& r) {
  r.family("clip", "clip")
      .add("CLIPModel", make<ClipModel>(), {"AutoModel", "AutoModelForZeroShotImageClassification"})
      .add("CLIPForImageClassification", image_classifier(make<ClipVisionModel>(), classifier()), {"AutoModelForImageClassification"});
  r.family("clip_text_model", "clip")
      .add("CLIPTextModel", make<ClipTextModel>(), {"AutoModel", "AutoModelForTextEncoding"})
      .add("CLIPTextModelWithProjection", make<ClipTextModelWithProjection>());
  r.family("clip_vision_model", "clip")
      .add("CLIPVisionModel", make<ClipVisionModel>(), {"AutoModel"})
      .add("CLIPVisionModelWithProjection", make<ClipVisionModelWithProjection>());
}

}  // namespace transformers
