// Swin Transformer: model, backbone, classification, masked image modeling.
// Reference: transformers/models/swin/modeling_swin.py.
#include "models/swin.h"

#include <cmath>

#include "models/backbone.h"
#include "models/vision_heads.h"

namespace transformers {
namespace {

struct SwinModel final : Model {
  SwinTrunk trunk;
  LayerNorm layernorm;
  bool pooling;
  SwinModel(const Scope& w, const Json& json, bool add_pooling_layer, bool use_mask_token)
      : trunk(w, json, use_mask_token), layernorm(w / "layernorm", trunk.c.last_width(), trunk.c.layer_norm_eps), pooling(add_pooling_layer) {
    config_ = json;
  }
  Outputs forward(const Inputs& in) const override {
    const SwinTrunk::Result r = trunk(in);
    const Tensor x = layernorm(r.last.tokens);
    Outputs out;
    out.set("last_hidden_state", x);
    if (pooling) out.set("pooler_output", mean(x, {1}));
    write_swin_states(out, in, r);
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

Factory swin(bool add_pooling_layer, bool use_mask_token) {
  return [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> { return std::make_unique<SwinModel>(w, c, add_pooling_layer, use_mask_token); };
}

struct SwinForMaskedImageModeling final : HeadModel {
  SwinConfig c;
  ImageDecoder decoder;
  SwinForMaskedImageModeling(const Scope& w, const Json& json)
      : HeadModel(w, json, "swin", swin(false, true)), c(json), decoder(w / "decoder", c.last_width(), c.num_channels, c.encoder_stride) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor& x = h.tensor("last_hidden_state");
    const int64_t side = static_cast<int64_t>(std::sqrt(static_cast<double>(x.dim(1))) + 1e-9);
    const Tensor picture = decoder(tokens_to_map(x, side, side));
    Outputs out;
    if (const Tensor& mask = in.tensor("bool_masked_pos"); mask.defined())
      out.set("loss", masked_image_loss(in.tensor("pixel_values"), picture, mask, c.image_size.height, c.patch_size.height, c.num_channels));
    out.set("reconstruction", picture);
    pass_on(out, h);
    if (const Value* maps = h.find("reshaped_hidden_states")) out.set("reshaped_hidden_states", *maps);
    return out;
  }
};

struct SwinBackbone final : BackboneModel {
  SwinTrunk trunk;
  std::vector<LayerNorm> norms;  // one for each map that is given out
  SwinBackbone(const Scope& w, const Json& json) : trunk(w, json) {
    config_ = json;
    stages = BackboneStages(json, BackboneStages::standard_names(static_cast<int64_t>(trunk.c.depths.size())));
    num_features = {trunk.c.embed_dim};
    for (size_t s = 0; s < trunk.c.depths.size(); ++s) num_features.push_back(trunk.c.width(s));
    for (const int64_t i : stages.out)
      norms.emplace_back(w / "hidden_states_norms" / stages.names[static_cast<size_t>(i)], num_features[static_cast<size_t>(i)], 1e-5);
  }
  Outputs forward(const Inputs& in) const override {
    const SwinTrunk::Result r = trunk(in, true, true);
    std::vector<Tensor> maps;
    for (size_t i = 0; i < norms.size(); ++i) {
      const SwinMap& m = r.maps[static_cast<size_t>(stages.out[i])];
      maps.push_back(SwinMap{norms[i](m.tokens), m.size}.map());
    }
    Outputs out;
    out.set("feature_maps", Value(maps));
    write_swin_states(out, in, r, false);
    return out;
  }
};

ImageClassifier classifier() {
  ImageClassifier parts;
  parts.prefix = "swin";
  parts.width = [](const Json& c) { return SwinConfig(c).last_width(); };
  parts.pool = [](const Outputs& h) { return h.tensor("pooler_output"); };
  return parts;
}

}  // namespace

void register_swin(ModelRegistry& r) {
  r.family("swin", "swin")
      .add("SwinModel", swin(true, false), {"AutoModel"})
      .add("SwinForMaskedImageModeling", make<SwinForMaskedImageModeling>(), {"AutoModelForMaskedImageModeling"})
      .add("SwinForImageClassification", image_classifier(swin(true, false), classifier()), {"AutoModelForImageClassification"})
      .add("SwinBackbone", make<SwinBackbone>(), {"AutoBackbone"});
}

}  // namespace transformers
