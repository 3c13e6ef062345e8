// DETR: end-to-end object detection and panoptic segmentation with a transformer.
// Reference: transformers/models/detr/modeling_detr.py.
#include "models/detr.h"

#include <algorithm>
#include <cmath>

#include "nn/weight.h"

namespace transformers {

static std::unique_ptr<BackboneModel> detr_backbone(const Scope& w, const Json& json) {
  std::vector<Parameter>& parameters = *w.state().parameters;
  const size_t before = parameters.size();
  std::unique_ptr<BackboneModel> backbone = make_backbone(w.with_frozen_norms(), json);
  if (json["backbone_config"].get("model_type", "") == "resnet")  // the reference trains nothing of a ResNet
    for (size_t i = before; i < parameters.size(); ++i) parameters[i].frozen = true;
  return backbone;
}

DetrCore::DetrCore(const Scope& w, const DetrConfig& config)
    : c(config), backbone(detr_backbone(w / "backbone.conv_encoder.model", c.json)),
      query_position_embeddings(w / "query_position_embeddings", c.num_queries, c.d_model),
      encoder(make_layers<DetrEncoderLayer>(w / "encoder.layers", c.encoder_layers, c)),
      decoder(make_layers<DetrDecoderLayer>(w / "decoder.layers", c.decoder_layers, c)), layernorm(w / "decoder.layernorm", c.d_model, 1e-5) {
  if (c.pre_norm) encoder_layernorm = LayerNorm(w / "encoder.layernorm", c.d_model, 1e-5);
  const std::vector<int64_t> channels = backbone->channels();
  input_projection = Conv(w / "input_projection", channels.back(), c.d_model, {1, 1});
  if (c.position_embedding_type == "learned") learned.emplace(w / "backbone.position_embedding", c.d_model / 2);
  else if (c.position_embedding_type != "sine") throw ConfigError({"config: position_embedding_type \"", c.position_embedding_type, "\" is neither sine nor learned"});
}

// pixel_mask [B, H, W] (1 = picture) at the size of a feature map: bool [B, h, w]
static Tensor map_mask(const Inputs& in, const Tensor& pixels, const Tensor& map) {
  const Tensor& mask = in.tensor("pixel_mask");
  if (!mask.defined()) return Tensor::full({map.dim(0), map.dim(2), map.dim(3)}, 1, DType::boolean);
  if (mask.rank() != 3 || mask.dim(0) != pixels.dim(0)) throw ShapeError({"pixel_mask: expected [", pixels.dim(0), ", height, width], got ", mask.shape().str()});
  return ne(interpolate(mask.to(DType::f32).unsqueeze(0), {map.dim(2), map.dim(3)}, Interpolation::nearest).squeeze(0), 0);
}

DetrCore::Result DetrCore::operator()(const Inputs& in) const {
  Inputs pictures;
  pictures.set("pixel_values", pixels_of(in, c.num_channels, input_projection.weight.dtype()));
  pictures.training = in.training;
  Result r;
  r.features = backbone->forward(pictures).tensors("feature_maps");
  const Tensor& map = r.features.back();
  r.mask = map_mask(in, pictures.tensor("pixel_values"), map);
  r.projected = input_projection(map);                                   // [B, C, h, w]
  Tensor x = map_to_tokens(r.projected);                                 // [B, S, C]
  const int64_t B = x.dim(0), h = map.dim(2), w = map.dim(3);
  const Tensor positions = learned ? (*learned)(h, w) : sine_positions(r.mask, c.d_model / 2 * 2).to(x.dtype());
  const AttentionOptions mask = padding_mask(r.mask.flatten(1));

  Recorder encoded(in), decoded(in);
  if (const Value* given = in.find("encoder_outputs"); given && given->is_named()) {
    r.memory = given->named().tensor("last_hidden_state");
  } else {
    x = dropout(x, in.dropout(c.dropout));
    for (const DetrEncoderLayer& layer : encoder) {
      encoded.hidden(x);
      if (in.training && next_uniform() < c.encoder_layerdrop) continue;
      x = layer(x, positions, mask, in, encoded);
    }
    encoded.hidden(x);
    r.memory = c.pre_norm ? encoder_layernorm(x) : x;
  }

  const Tensor query_positions = query_position_embeddings.weight()->values().unsqueeze(0);  // [1, Q, C]
  const DetrDecoderLayer::Memory memory{r.memory, r.memory + positions, mask};
  Tensor q = Tensor::zeros({B, c.num_queries, c.d_model}, x.dtype());
  std::vector<Tensor> intermediate;
  for (const DetrDecoderLayer& layer : decoder) {
    decoded.hidden(q);
    if (in.training && next_uniform() < c.decoder_layerdrop) continue;
    q = layer(q, query_positions, memory, in, decoded);
    if (c.auxiliary_loss) intermediate.push_back(q = layernorm(q));  // as in the reference the next layer gets the normed queries
  }
  r.queries = layernorm(q);
  decoded.hidden(r.queries);
  if (!intermediate.empty()) r.intermediate = stack(intermediate, 0);

  r.states.set("last_hidden_state", r.queries);
  decoded.write(r.states, "decoder_");
  r.states.set("encoder_last_hidden_state", r.memory);
  encoded.write(r.states, "encoder_");
  return r;
}

namespace {

struct DetrModel final : Model {
  DetrCore core;
  DetrModel(const Scope& w, const DetrConfig& c) : core(w, c) { config_ = c.json; }
  Outputs forward(const Inputs& in) const override {
    DetrCore::Result r = core(in);
    if (r.intermediate.defined()) r.states.set("intermediate_hidden_states", r.intermediate);
    return r.states;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

/// Class and box heads.
struct DetrDetector {
  DetrCore core;
  Linear class_labels_classifier;
  DetrMlp bbox_predictor;
  DetrDetector(const Scope& w, const DetrConfig& c)
      : core(w / "model", c), class_labels_classifier(w / "class_labels_classifier", core.c.d_model, num_labels(c.json) + 1),
        bbox_predictor(w / "bbox_predictor", core.c.d_model, core.c.d_model, 4, 3) {}
  Tensor boxes(const Tensor& queries) const { return sigmoid(bbox_predictor(queries)); }

  /// Logits, boxes, masks if given, and losses when there are labels.
  Outputs results(const Inputs& in, const DetrCore::Result& r, const Tensor& masks) const {
    const Tensor logits = class_labels_classifier(r.queries), pred_boxes = boxes(r.queries);
    Outputs out;
    if (in.has("labels")) {
      const std::vector<DetectionTarget> targets = detection_targets(in, logits.dim(0), masks.defined());
      const bool aux = r.intermediate.defined();
      core.c.loss()(out, targets, logits, pred_boxes, masks, aux ? class_labels_classifier(r.intermediate) : Tensor(), aux ? boxes(r.intermediate) : Tensor());
    }
    out.set("logits", logits).set("pred_boxes", pred_boxes);
    if (masks.defined()) out.set("pred_masks", masks);
    for (const auto& [name, value] : r.states.items()) out.set(name, value);
    return out;
  }
};

struct DetrForObjectDetection final : Model {
  DetrDetector detector;
  DetrForObjectDetection(const Scope& w, const DetrConfig& c) : detector(w, c) { config_ = c.json; }
  Outputs forward(const Inputs& in) const override { return detector.results(in, detector.core(in), {}); }
  const char* main_input_name() const override { return "pixel_values"; }
};

/// Convolutions over the projected map and the attention maps of every query, with skips from finer feature maps.
struct MaskHead {
  std::vector<Conv> lay, adapter;  // lay1 .. lay5, adapter1 .. adapter3
  std::vector<GroupNorm> gn;
  Conv out_lay;
  MaskHead(const Scope& w, int64_t dim, const std::vector<int64_t>& skips, int64_t context) {
    if (dim % 8 != 0) throw ConfigError("config: The hidden_size + number of attention heads must be divisible by 8 as the number of groups in GroupNorm is set to 8");
    const int64_t widths[] = {dim, dim, context / 2, context / 4, context / 8, context / 16};
    ConvOptions same;
    same.padding = {1, 1};
    for (int64_t i = 1; i <= 5; ++i) {
      if (widths[i] < 1) throw ConfigError({"config: d_model ", context, " is too small for the mask head"});
      lay.emplace_back(w / ("lay" + std::to_string(i)), widths[i - 1], widths[i], Shape{3, 3}, same);
      gn.emplace_back(w / ("gn" + std::to_string(i)), std::min<int64_t>(8, widths[i]), widths[i]);
    }
    out_lay = Conv(w / "out_lay", widths[5], 1, {3, 3}, same);
    for (int64_t i = 0; i < 3; ++i) adapter.emplace_back(w / ("adapter" + std::to_string(i + 1)), skips[static_cast<size_t>(i)], widths[i + 2], Shape{1, 1});
  }
  /// map [B, C, h, w], attention [B, Q, H, h, w], skips from coarse to fine -> [B, Q, h', w']
  Tensor operator()(const Tensor& map, const Tensor& attention, const std::vector<Tensor>& skips) const {
    const int64_t B = map.dim(0), Q = attention.dim(1);
    const Tensor wide = map.unsqueeze(1).expand({B, Q, map.dim(1), map.dim(2), map.dim(3)});
    Tensor x = cat({wide, attention}, 2).flatten(0, 1);  // [B * Q, C + H, h, w]
    x = block(block(x, 0), 1);
    for (size_t i = 0; i < 3; ++i) {
      const Tensor skip = adapter[i](skips[i]);
      const Tensor grown = interpolate(x, {skip.dim(2), skip.dim(3)}, Interpolation::nearest);
      x = (grown.reshape({B, Q, skip.dim(1), skip.dim(2), skip.dim(3)}) + skip.unsqueeze(1)).flatten(0, 1);
      x = block(x, i + 2);
    }
    x = out_lay(x);
    return x.reshape({B, Q, x.dim(2), x.dim(3)});
  }
  Tensor block(const Tensor& x, size_t i) const { return relu(gn[i](lay[i](x))); }
};

/// Attention maps of the queries over the encoder's positions, all heads in one softmax.
struct AttentionMap {
  int64_t heads;
  Linear q_linear, k_linear;
  AttentionMap(const Scope& w, int64_t width, int64_t head_count)
      : heads(head_count), q_linear(w / "q_linear", width, width, true, {Init::xavier_uniform, 0, -1, {}}),
        k_linear(w / "k_linear", width, width, true, {Init::xavier_uniform, 0, -1, {}}) {}
  /// queries [B, Q, C], memory [B, S, C], mask bool [B, h, w] -> [B, Q, H, h, w]
  Tensor operator()(const Tensor& queries, const Tensor& memory, const Tensor& mask) const {
    const int64_t D = queries.dim(2) / heads, B = queries.dim(0), Q = queries.dim(1);
    const Tensor q = split_heads(q_linear(queries), D) * (1 / std::sqrt(static_cast<double>(D))), k = split_heads(k_linear(memory), D);
    Tensor scores = matmul(q, k.t()).transpose(1, 2);  // [B, Q, H, S]
    scores = masked_fill(scores, logical_not(mask).reshape({B, 1, 1, -1}), -3.4028234663852886e38);
    return softmax(scores.reshape({B, Q, -1}), -1).reshape({B, Q, heads, mask.dim(1), mask.dim(2)});
  }
};

struct DetrForSegmentation final : Model {
  DetrDetector detr;
  std::optional<MaskHead> mask_head;
  AttentionMap bbox_attention;
  DetrForSegmentation(const Scope& w, const Json& json)
      : detr(w / "detr", DetrConfig(json)), bbox_attention(w / "bbox_attention", detr.core.c.d_model, detr.core.c.encoder_attention_heads) {
    config_ = json;
    std::vector<int64_t> skips = detr.core.backbone->channels();
    if (skips.size() < 3) throw ConfigError({"config: segmentation needs three or more feature maps of the backbone, got ", skips.size()});
    skips.resize(3);
    std::reverse(skips.begin(), skips.end());
    mask_head.emplace(w / "mask_head", detr.core.c.d_model + detr.core.c.encoder_attention_heads, skips, detr.core.c.d_model);
  }
  Outputs forward(const Inputs& in) const override {
    const DetrCore::Result r = detr.core(in);
    const Tensor attention = bbox_attention(r.queries, r.memory, r.mask);
    return detr.results(in, r, (*mask_head)(r.projected, attention, {r.features[2], r.features[1], r.features[0]}));
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

}  // namespace

template <class T> static Factory variant(bool pre_norm) {
  return [=](const Scope& w, const Json& json) -> std::unique_ptr<Model> {
    DetrConfig c(json);
    c.pre_norm = pre_norm;
    return std::make_unique<T>(w, c);
  };
}
void add_detr_classes(ModelFamily& family, const std::string& name, bool pre_norm) {
  family.add(name + "Model", variant<DetrModel>(pre_norm), {"AutoModel"})
      .add(name + "ForObjectDetection", variant<DetrForObjectDetection>(pre_norm), {"AutoModelForObjectDetection"});
}

void register_detr(ModelRegistry& r) {
  ModelFamily& family = r.family("detr", "model");
  add_detr_classes(family, "Detr", false);
  family.add("DetrForSegmentation", make<DetrForSegmentation>(), {"AutoModelForImageSegmentation", "AutoModelForUniversalSegmentation"});
}

}  // namespace transformers
