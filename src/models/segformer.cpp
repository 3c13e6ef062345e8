// SegFormer: hierarchical encoder with shortened keys, all-MLP decode head.
// Reference: transformers/models/segformer/modeling_segformer.py. B batch, N tokens of a map h x w, C channels, H heads, D head size.
#include "models/vision_heads.h"

namespace transformers {
namespace {

struct SegformerConfig : Config {
  using Config::Config;
  using Sizes = std::vector<int64_t>;
  int64_t num_channels = size("num_channels", 3);
  int64_t num_encoder_blocks = size("num_encoder_blocks", 4);
  Sizes depths = get("depths", Sizes{2, 2, 2, 2});
  Sizes sr_ratios = get("sr_ratios", Sizes{8, 4, 2, 1});
  Sizes hidden_sizes = get("hidden_sizes", Sizes{32, 64, 160, 256});
  Sizes patch_sizes = get("patch_sizes", Sizes{7, 3, 3, 3});
  Sizes strides = get("strides", Sizes{4, 2, 2, 2});
  Sizes num_attention_heads = get("num_attention_heads", Sizes{1, 2, 5, 8});
  std::vector<double> mlp_ratios = get("mlp_ratios", std::vector<double>{4, 4, 4, 4});
  std::string hidden_act = get("hidden_act", "gelu");
  double hidden_dropout_prob = get("hidden_dropout_prob", 0.0);
  double attention_probs_dropout_prob = get("attention_probs_dropout_prob", 0.0);
  double classifier_dropout_prob = get("classifier_dropout_prob", 0.1);
  double drop_path_rate = get("drop_path_rate", 0.1);
  int64_t decoder_hidden_size = size("decoder_hidden_size", 256);
  bool reshape_last_stage = get("reshape_last_stage", true);
  void check() const {
    const size_t n = static_cast<size_t>(num_encoder_blocks);
    for (const size_t have : {depths.size(), sr_ratios.size(), hidden_sizes.size(), patch_sizes.size(), strides.size(), num_attention_heads.size(), mlp_ratios.size()})
      if (have < n) throw ConfigError({"config: a list of SegFormer's stages has ", have, " entries, expected num_encoder_blocks = ", n});
    for (const int64_t d : depths)
      if (d < 1 || d > 4096) throw ConfigError({"config: depths has ", d, ", which is not a number of layers"});
  }
};

constexpr double kEps = 1e-5;

struct SegformerLayer {
  int64_t head_dim;
  double attention_dropout, hidden_dropout, path_dropout;
  LayerNorm layer_norm_1, layer_norm_2, short_norm;
  Linear query, key, value, output, dense1, dense2;
  Conv sr, dwconv;
  Activation act;

  SegformerLayer(const Scope& w, const SegformerConfig& c, size_t stage, double drop)
      : attention_dropout(c.attention_probs_dropout_prob), hidden_dropout(c.hidden_dropout_prob), path_dropout(drop), act(c.hidden_act) {
    const int64_t C = c.hidden_sizes[stage], ratio = c.sr_ratios[stage], wide = static_cast<int64_t>(static_cast<double>(C) * c.mlp_ratios[stage]);
    head_dim = divide_exactly("hidden_sizes", C, "num_attention_heads", c.num_attention_heads[stage]);
    const Scope attention = w / "attention.self";
    layer_norm_1 = LayerNorm(w / "layer_norm_1", C, kEps), layer_norm_2 = LayerNorm(w / "layer_norm_2", C, kEps);
    query = Linear(attention / "query", C, C), key = Linear(attention / "key", C, C), value = Linear(attention / "value", C, C);
    if (ratio > 1) {
      ConvOptions o;
      o.stride = {ratio, ratio};
      sr = Conv(attention / "sr", C, C, {ratio, ratio}, o);
      short_norm = LayerNorm(attention / "layer_norm", C, kEps);
    }
    output = Linear(w / "attention.output.dense", C, C);
    dense1 = Linear(w / "mlp.dense1", C, wide), dense2 = Linear(w / "mlp.dense2", wide, C);
    ConvOptions o;
    o.padding = {1, 1}, o.groups = wide;
    dwconv = Conv(w / "mlp.dwconv.dwconv", wide, wide, {3, 3}, o);
  }

  Tensor operator()(const Tensor& x, int64_t rows, int64_t columns, const Inputs& in, Recorder& recorder) const {  // [B, N, C] -> [B, N, C]
    const Tensor normed = layer_norm_1(x);
    const Tensor seen = sr.weight.defined() ? short_norm(map_to_tokens(sr(tokens_to_map(normed, rows, columns)))) : normed;
    AttentionOptions o;
    o.dropout = in.dropout(attention_dropout), o.probabilities = recorder.attention_slot();
    const Tensor q = split_heads(query(normed), head_dim), k = split_heads(key(seen), head_dim);
    const Tensor a = output(merge_heads(attention(q, k, split_heads(value(seen), head_dim), o)));
    const double p = in.dropout(hidden_dropout), path = in.dropout(path_dropout);
    const Tensor h = drop_path(dropout(a, p), path) + x;
    const Tensor wide = map_to_tokens(dwconv(tokens_to_map(dense1(layer_norm_2(h)), rows, columns)));
    return drop_path(dropout(dense2(dropout(act(wide), p)), p), path) + h;
  }
};

struct SegformerStage {
  Conv proj;
  LayerNorm embedding_norm, layer_norm;
  std::vector<SegformerLayer> layers;
};

struct SegformerModel final : Model {
  SegformerConfig c;
  std::vector<SegformerStage> stages;

  SegformerModel(const Scope& w, const Json& json) : c(json) {
    config_ = json;
    c.check();
    int64_t total = 0, index = 0;
    for (const int64_t d : c.depths) total += d;
    for (size_t s = 0; s < static_cast<size_t>(c.num_encoder_blocks); ++s) {
      const int64_t i = static_cast<int64_t>(s), kernel = c.patch_sizes[s];
      SegformerStage stage;
      ConvOptions o;
      o.stride = {c.strides[s], c.strides[s]}, o.padding = {kernel / 2, kernel / 2};
      stage.proj = Conv(w / "encoder.patch_embeddings" / i / "proj", s == 0 ? c.num_channels : c.hidden_sizes[s - 1], c.hidden_sizes[s], {kernel, kernel}, o);
      stage.embedding_norm = LayerNorm(w / "encoder.patch_embeddings" / i / "layer_norm", c.hidden_sizes[s], kEps);
      for (int64_t l = 0; l < c.depths[s]; ++l, ++index)
        stage.layers.emplace_back(w / "encoder.block" / i / l, c, s, total > 1 ? c.drop_path_rate * static_cast<double>(index) / static_cast<double>(total - 1) : 0);
      stage.layer_norm = LayerNorm(w / "encoder.layer_norm" / i, c.hidden_sizes[s], kEps);
      stages.push_back(std::move(stage));
    }
  }

  Outputs forward(const Inputs& in) const override {
    Recorder recorder(in);
    Tensor x = pixels_of(in, c.num_channels, stages[0].proj.weight.dtype());
    for (const SegformerStage& stage : stages) {
      const Tensor map = stage.proj(x);
      const int64_t rows = map.dim(2), columns = map.dim(3);
      x = stage.embedding_norm(map_to_tokens(map));
      for (const SegformerLayer& layer : stage.layers) x = layer(x, rows, columns, in, recorder);
      x = stage.layer_norm(x);
      if (&stage != &stages.back() || c.reshape_last_stage) x = tokens_to_map(x, rows, columns);
      recorder.hidden(x);
    }
    Outputs out;
    out.set("last_hidden_state", x);
    recorder.write(out);
    return out;
  }
  const char* main_input_name() const override { return "pixel_values"; }
};

struct SegformerForSemanticSegmentation final : HeadModel {
  SegformerConfig c;
  std::vector<Linear> linear_c;
  Conv linear_fuse, classifier;
  BatchNorm batch_norm;

  SegformerForSemanticSegmentation(const Scope& w, const Json& json) : HeadModel(w, json, "segformer", make<SegformerModel>()), c(json) {
    const Scope head = w / "decode_head";
    for (int64_t i = 0; i < c.num_encoder_blocks; ++i)
      linear_c.emplace_back(head / "linear_c" / i / "proj", c.hidden_sizes[static_cast<size_t>(i)], c.decoder_hidden_size);
    linear_fuse = Conv(head / "linear_fuse", c.decoder_hidden_size * c.num_encoder_blocks, c.decoder_hidden_size, {1, 1}, {}, false);
    batch_norm = BatchNorm(head / "batch_norm", c.decoder_hidden_size);
    classifier = Conv(head / "classifier", c.decoder_hidden_size, num_labels(json), {1, 1});
  }

  Outputs forward(const Inputs& in) const override {
    Inputs all = in;
    all.output_hidden_states = true;
    const Outputs h = base->forward(all);
    const std::vector<Tensor> states = h.tensors("hidden_states");
    std::vector<Tensor> maps;
    for (size_t i = states.size(); i-- > 0;) {  // coarse to fine
      Tensor map = states[i];
      if (map.rank() == 3) {
        int64_t side = 1;
        while ((side + 1) * (side + 1) <= map.dim(1)) ++side;
        map = tokens_to_map(map, side, side);
      }
      const Tensor same = tokens_to_map(linear_c[i](map_to_tokens(map)), map.dim(2), map.dim(3));
      maps.push_back(interpolate(same, {states[0].dim(2), states[0].dim(3)}, Interpolation::bilinear));
    }
    const Tensor fused = relu(batch_norm(linear_fuse(cat(maps, 1)), in.training));
    const Tensor logits = classifier(dropout(fused, in.dropout(c.classifier_dropout_prob)));  // [B, labels, H / 4, W / 4]
    Outputs out;
    out.set("loss", semantic_segmentation_loss(logits, in.tensor("labels"), config_)).set("logits", logits);
    if (in.output_hidden_states) out.set("hidden_states", Value(states));
    if (const Value* a = h.find("attentions")) out.set("attentions", *a);
    return out;
  }
};

ImageClassifier classifier() {
  ImageClassifier parts;
  parts.prefix = "segformer";
  parts.width = [](const Json& c) { return SegformerConfig(c).hidden_sizes.back(); };
  parts.pool = [](const Outputs& h) {
    const Tensor& x = h.tensor("last_hidden_state");
    return x.rank() == 4 ? mean(x, {2, 3}) : mean(x, {1});
  };
  return parts;
}

}  // namespace

void register_segformer(ModelRegistry& r) {
  r.family("segformer", "segformer")
      .add("SegformerModel", make<SegformerModel>(), {"AutoModel"})
      .add("SegformerForImageClassification", image_classifier(make<SegformerModel>(), classifier()), {"AutoModelForImageClassification"})
      .add("SegformerForSemanticSegmentation", make<SegformerForSemanticSegmentation>(), {"AutoModelForSemanticSegmentation"});
}

}  // namespace transformers
