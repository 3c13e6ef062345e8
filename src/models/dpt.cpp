// DPT: dense prediction (depth, segmentation) on a ViT or another backbone. Reference: transformers/models/dpt/modeling_dpt.py.
// The hybrid variant (a BiT stem inside the ViT) is refused with UnsupportedError.
#include "models/dpt.h"

#include <algorithm>
#include <cmath>

#include "models/backbone.h"
#include "models/vit.h"

namespace transformers {
namespace {

Json with_image_size(const Json& config) {
  if (config.get("is_hybrid", false)) throw UnsupportedError("DPT: is_hybrid (a BiT backbone inside the ViT) is not supported");
  Json c = config;
  if (c["image_size"].is_null()) c.set("image_size", 384);
  return c;
}

DptNeckConfig neck_config(const Json& c, int64_t width) {
  DptNeckConfig n;
  n.neck_hidden_sizes = c.get("neck_hidden_sizes", std::vector<int64_t>{96, 192, 384, 768});
  n.reassemble_factors = c.get("reassemble_factors", std::vector<double>{4, 2, 1, 0.5});
  n.fusion_hidden_size = Config(c).size("fusion_hidden_size", 256);
  n.token_width = width;
  n.readout_type = c.get("readout_type", "project"), n.hidden_act = c.get("hidden_act", "gelu");
  n.batch_norm = c.get("use_batch_norm_in_fusion_residual", false);
  n.bias = c.get("use_bias_in_fusion_residual", !n.batch_norm);
  return n;
}

struct DptModel final : Model {
  VitConfig c;
  Tensor cls_token, position_embeddings;
  PatchProjection patches;
  std::vector<VitLayer> layers;
  LayerNorm layernorm;
  std::optional<VitPooler> pooler;

  DptModel(const Scope& w, const Json& json, bool add_pooling_layer)
      : c(with_image_size(json)), cls_token(w.param("embeddings.cls_token", {1, 1, c.hidden_size}, Init::zero())),
        patches(w / "embeddings.patch_embeddings.projection", c.num_channels, c.hidden_size, c.patch_size),
        layers(make_layers<VitLayer>(w / "encoder.layer", c.num_hidden_layers, c)), layernorm(w / "layernorm", c.hidden_size, c.layer_norm_eps) {
    config_ = json;
    const ImageSize grid = patch_grid(c.image_size, c.patch_size);
    position_embeddings = w.param("embeddings.position_embeddings", {1, grid.height * grid.width + 1, c.hidden_size}, Init::zero());
    if (add_pooling_layer) pooler.emplace(w / "pooler", c);
  }

  // The table [1, 1 + P, C] with its square grid resized bilinearly.
  Tensor positions(int64_t rows, int64_t columns) const {
    const Tensor grid = position_embeddings.slice(1, 1, position_embeddings.dim(1));
    const int64_t side = static_cast<int64_t>(std::sqrt(static_cast<double>(grid.dim(1))) + 1e-9);
    if (rows == side && columns == side) return position_embeddings;
    const Tensor resized = interpolate(tokens_to_map(grid, side, side), {rows, columns}, Interpolation::bilinear);
    return cat({position_embeddings.slice(1, 0, 1), map_to_tokens(resized)}, 1);
  }

  Outputs forward(const Inputs& in) const override {
    const Tensor pixels = pixels_of(in, c.num_channels, cls_token.dtype());
    const Tensor x = cat({cls_token.expand({pixels.dim(0), -1, -1}), patches(pixels)}, 1);
    Recorder recorder(in);
    const Tensor embedded = dropout(x + positions(pixels.dim(2) / c.patch_size.height, pixels.dim(3) / c.patch_size.width), in.dropout(c.hidden_dropout_prob));
    const Tensor last = layernorm(vit_encoder(layers, embedded, in, recorder));
    Outputs out;
    out.set("last_hidden_state", last);
    if (pooler) out.set("pooler_output", (*pooler)(last));
    recorder.write(out);
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

Factory dpt(bool add_pooling_layer) {
  return [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> { return std::make_unique<DptModel>(w, c, add_pooling_layer); };
}

/// Where the tokens of the neck come from: a nested backbone, or DPT's own ViT and backbone_out_indices.
struct DptSource {
  std::unique_ptr<BackboneModel> backbone;
  std::unique_ptr<Model> vit;
  std::vector<int64_t> out_indices;
  ImageSize patch;
  int64_t width;

  DptSource(const Scope& w, const Json& json, bool may_nest) {
    const Json config = with_image_size(json);
    const Json& nested = config["backbone_config"];
    if (may_nest && (nested.is_object() || !config["backbone"].is_null())) {
      backbone = make_backbone(w / "backbone", config);
      patch = image_size_of(nested, "patch_size", 16);
      width = Config(nested).size("hidden_size", 768);
    } else {
      vit = std::make_unique<DptModel>(w / "dpt", json, false);
      out_indices = config.get("backbone_out_indices", std::vector<int64_t>{2, 5, 8, 11});
      patch = image_size_of(config, "patch_size", 16);
      width = Config(config).size("hidden_size", 768);
    }
  }
  /// Tokens for the neck; hidden_states and attentions go to `out`.
  std::vector<Tensor> tokens(const Inputs& in, Outputs& out) const {
    Inputs all = in;
    all.output_hidden_states = true;
    all.erase("labels");
    const Outputs h = backbone ? backbone->forward(all) : vit->forward(all);
    const std::vector<Tensor> states = h.tensors("hidden_states");
    if (in.output_hidden_states) out.set("hidden_states", Value(states));
    if (const Value* a = h.find("attentions")) out.set("attentions", *a);
    if (backbone) return h.tensors("feature_maps");
    std::vector<Tensor> chosen;
    for (size_t i = 1; i < states.size(); ++i)  // the first is the embeddings
      if (std::find(out_indices.begin(), out_indices.end(), static_cast<int64_t>(i) - 1) != out_indices.end()) chosen.push_back(states[i]);
    return chosen;
  }
};

// Rows and columns of patches: by the picture for nested backbones, else the reference takes them to be a square.
ImageSize token_grid(const DptSource& source, const Tensor& pixels, const std::vector<Tensor>& tokens) {
  if (source.backbone) return {pixels.dim(2) / source.patch.height, pixels.dim(3) / source.patch.width};
  const int64_t patches = tokens.empty() ? 1 : tokens[0].dim(1) - 1, side = static_cast<int64_t>(std::sqrt(static_cast<double>(patches)) + 1e-9);
  return {side, side};
}

struct DptForDepthEstimation final : Model {
  DptSource source;
  DptNeck neck;
  std::optional<Conv> projection;
  Conv conv0, conv2, conv4;
  int64_t head_in_index;

  DptForDepthEstimation(const Scope& w, const Json& json)
      : source(w, json, true), neck(w / "neck", neck_config(json, source.width)), head_in_index(json.get("head_in_index", -1)) {
    config_ = json;
    const int64_t n = neck.c.fusion_hidden_size;
    if (n < 2) throw ConfigError({"config: fusion_hidden_size ", n, " is too small"});
    if (json.get("add_projection", false)) projection = same_conv(w / "head.projection", 256, 256, 3);
    conv0 = same_conv(w / "head.head.0", n, n / 2, 3), conv2 = same_conv(w / "head.head.2", n / 2, 32, 3), conv4 = same_conv(w / "head.head.4", 32, 1, 1);
  }
  Outputs forward(const Inputs& in) const override {
    if (in.has("labels")) throw UnsupportedError("DPTForDepthEstimation: Training is not implemented yet");
    Outputs out;
    const std::vector<Tensor> tokens = source.tokens(in, out);
    const ImageSize grid = token_grid(source, in.tensor("pixel_values"), tokens);
    Tensor x = pick_map(neck(tokens, grid.height, grid.width, in.training), head_in_index);
    if (projection) x = relu((*projection)(x));
    x = conv0(x);
    x = interpolate(x, {2 * x.dim(2), 2 * x.dim(3)}, Interpolation::bilinear, true);
    out.set("predicted_depth", relu(conv4(relu(conv2(x)))).squeeze(1));  // [B, H, W]
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

/// Convolution, batch norm, relu, dropout, classifier.
struct SegmentationHead {
  Conv conv, classifier;
  BatchNorm norm;
  double p;
  SegmentationHead(const Scope& w, int64_t width, int64_t labels, double dropout)
      : conv(same_conv(w / 0, width, width, 3, false)), classifier(w / 4, width, labels, {1, 1}), norm(w / 1, width), p(dropout) {}
  Tensor operator()(const Tensor& x, const Inputs& in) const { return classifier(dropout(relu(norm(conv(x), in.training)), in.dropout(p))); }
};

struct DptForSemanticSegmentation final : Model {
  DptSource source;
  DptNeck neck;
  SegmentationHead head;
  std::optional<SegmentationHead> auxiliary_head;
  double auxiliary_loss_weight;

  DptForSemanticSegmentation(const Scope& w, const Json& json)
      : source(w, json, false), neck(w / "neck", neck_config(json, source.width)),
        head(w / "head.head", neck.c.fusion_hidden_size, num_labels(json), json.get("semantic_classifier_dropout", 0.1)),
        auxiliary_loss_weight(json.get("auxiliary_loss_weight", 0.4)) {
    config_ = json;
    if (json.get("use_auxiliary_head", true)) auxiliary_head.emplace(w / "auxiliary_head.head", neck.c.fusion_hidden_size, num_labels(json), 0.1);
  }
  Outputs forward(const Inputs& in) const override {
    const Tensor& labels = in.tensor("labels");
    if (labels.defined() && num_labels(config_) == 1) throw ValueError("The number of labels should be greater than one");
    Outputs states;
    const std::vector<Tensor> tokens = source.tokens(in, states);
    const ImageSize grid = token_grid(source, in.tensor("pixel_values"), tokens);
    const std::vector<Tensor> maps = neck(tokens, grid.height, grid.width, in.training);
    Tensor logits = head(pick_map(maps, config_.get("head_in_index", -1)), in);
    logits = interpolate(logits, {2 * logits.dim(2), 2 * logits.dim(3)}, Interpolation::bilinear, true);
    Outputs out;
    if (labels.defined()) {
      Tensor loss = semantic_segmentation_loss(logits, labels, config_);
      if (auxiliary_head) loss = loss + semantic_segmentation_loss((*auxiliary_head)(maps.back(), in), labels, config_) * auxiliary_loss_weight;
      out.set("loss", loss);
    }
    out.set("logits", logits);
    for (const auto& [name, value] : states.items()) out.set(name, value);
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

}  // namespace

void register_dpt(ModelRegistry& r) {
  r.family("dpt", "dpt")
      .add("DPTModel", dpt(true), {"AutoModel"})
      .add("DPTForDepthEstimation", make<DptForDepthEstimation>(), {"AutoModelForDepthEstimation"})
      .add("DPTForSemanticSegmentation", make<DptForSemanticSegmentation>(), {"AutoModelForSemanticSegmentation"});
}

}  // namespace transformers
