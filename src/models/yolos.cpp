// YOLOS: object detection with a plain ViT and detection tokens. Reference: transformers/models/yolos/modeling_yolos.py.
// B batch, P patches, N detection tokens, C hidden.
#include "models/detr.h"
#include "models/vit.h"

namespace transformers {
namespace {

struct YolosConfig : VitConfig {
  using VitConfig::VitConfig;
  int64_t num_detection_tokens = size("num_detection_tokens", 100);
  bool use_mid_position_embeddings = get("use_mid_position_embeddings", true);
};

Json with_image_size(const Json& config) {
  Json c = config;
  if (c["image_size"].is_null()) c.set("image_size", Json(Json::Array{Json(512), Json(864)}));
  return c;
}

struct YolosModel final : Model {
  YolosConfig c;
  Tensor cls_token, detection_tokens, position_embeddings, mid_position_embeddings;
  PatchProjection patches;
  std::vector<VitLayer> layers;
  LayerNorm layernorm;
  Linear pooler;

  YolosModel(const Scope& w, const Json& json, bool add_pooling_layer)
      : c(with_image_size(json)), cls_token(w.param("embeddings.cls_token", {1, 1, c.hidden_size}, Init::zero())),
        detection_tokens(w.param("embeddings.detection_tokens", {1, c.num_detection_tokens, c.hidden_size}, Init::zero())),
        patches(w / "embeddings.patch_embeddings.projection", c.num_channels, c.hidden_size, c.patch_size),
        layers(make_layers<VitLayer>(w / "encoder.layer", c.num_hidden_layers, c)), layernorm(w / "layernorm", c.hidden_size, c.layer_norm_eps) {
    config_ = json;
    const ImageSize grid = patch_grid(c.image_size, c.patch_size);
    const int64_t extra = c.num_detection_tokens + 1;
    position_embeddings = w.param("embeddings.position_embeddings", {1, grid.height * grid.width + extra, c.hidden_size}, Init::zero());
    const int64_t area = c.image_size.height * c.image_size.width / (c.patch_size.height * c.patch_size.width);
    if (c.use_mid_position_embeddings && c.num_hidden_layers > 1)
      mid_position_embeddings = w.param("encoder.mid_position_embeddings", {c.num_hidden_layers - 1, 1, area + extra, c.hidden_size}, Init::zero());
    if (add_pooling_layer) pooler = Linear(w / "pooler.dense", c.hidden_size, c.hidden_size);
  }

  // The table [1, 1 + P + N, C] with its patches resized to the picture.
  Tensor positions(const Tensor& table, int64_t rows, int64_t columns) const {
    const int64_t patch_end = table.dim(1) - c.num_detection_tokens;
    const ImageSize grid = patch_grid(c.image_size, c.patch_size);
    return cat({resize_positions(table.slice(1, 0, patch_end), 1, grid, rows, columns), table.slice(1, patch_end, table.dim(1))}, 1);
  }

  Outputs forward(const Inputs& in) const override {
    const Tensor pixels = pixels_of(in, c.num_channels, cls_token.dtype());
    const int64_t rows = pixels.dim(2) / c.patch_size.height, columns = pixels.dim(3) / c.patch_size.width, B = pixels.dim(0);
    Tensor x = cat({cls_token.expand({B, -1, -1}), patches(pixels), detection_tokens.expand({B, -1, -1})}, 1);
    x = dropout(x + positions(position_embeddings, rows, columns), in.dropout(c.hidden_dropout_prob));
    Recorder recorder(in);
    const VitStep step{in, recorder, c.num_hidden_layers};
    recorder.hidden(x);
    for (const VitLayer& layer : layers) {
      recorder.hidden(x = layer(x, step));  // as in the reference, before the middle positions
      if (mid_position_embeddings.defined() && layer.layer + 1 < c.num_hidden_layers)
        x = x + positions(mid_position_embeddings.select(0, layer.layer), rows, columns);
    }
    x = layernorm(x);
    Outputs out;
    out.set("last_hidden_state", x);
    if (pooler) out.set("pooler_output", tanh(pooler(x.select(1, 0))));
    recorder.write(out);
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

Factory yolos(bool add_pooling_layer) {
  return [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> { return std::make_unique<YolosModel>(w, c, add_pooling_layer); };
}

struct YolosForObjectDetection final : HeadModel {
  YolosConfig c;
  DetrMlp class_labels_classifier, bbox_predictor;
  YolosForObjectDetection(const Scope& w, const Json& json)
      : HeadModel(w, json, "vit", yolos(false)), c(json),
        class_labels_classifier(w / "class_labels_classifier", c.hidden_size, c.hidden_size, num_labels(json) + 1, 3),
        bbox_predictor(w / "bbox_predictor", c.hidden_size, c.hidden_size, 4, 3) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor& x = h.tensor("last_hidden_state");
    const Tensor found = x.slice(1, x.dim(1) - c.num_detection_tokens, x.dim(1));
    const Tensor logits = class_labels_classifier(found), boxes = sigmoid(bbox_predictor(found));
    Outputs out;
    if (in.has("labels")) {
      if (c.get("auxiliary_loss", false)) throw UnsupportedError("YolosForObjectDetection: auxiliary_loss is not supported, as in the reference");
      DetrConfig(c.json).loss()(out, detection_targets(in, logits.dim(0), false), logits, boxes, {});
    }
    out.set("logits", logits).set("pred_boxes", boxes).set("last_hidden_state", x);
    pass_on(out, h);
    return out;
  }
};

}  // namespace

void register_yolos(ModelRegistry& r) {
  r.family("yolos", "vit")
      .add("YolosModel", yolos(true), {"AutoModel"})
      .add("YolosForObjectDetection", make<YolosForObjectDetection>(), {"AutoModelForObjectDetection"});
}

}  // namespace transformers
