// Heads of vision models.
#include "models/vision_heads.h"

#include <cmath>

#include "ops/loss.h"

namespace transformers {

Tensor first_token(const Outputs& h) { return h.tensor("last_hidden_state").select(1, 0); }

namespace {

struct ImageClassifierModel final : HeadModel {
  Linear classifier;
  ImageClassifier parts;
  double p;
  ImageClassifierModel(const Scope& w, const Json& c, const Factory& backbone, const ImageClassifier& given)
      : HeadModel(w, c, given.prefix, backbone), parts(given), p(given.dropout ? given.dropout(c) : 0) {
    const int64_t width = parts.width(c), labels = num_labels(c);
    if (labels < 1) return;  // the pooled features themselves
    if (parts.torch_init) {
      const Init bound = Init::bounded(1 / std::sqrt(static_cast<double>(width)));
      classifier = Linear(w / parts.output, width, labels, true, bound, bound);
    } else {
      classifier = Linear(w / parts.output, width, labels, true, Init::std(parts.init_std ? parts.init_std(c) : -1));
    }
  }
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor pooled = dropout(parts.pool(h), in.dropout(p));
    const Tensor logits = classifier ? classifier(pooled) : pooled;
    Outputs out;
    out.set("loss", sequence_classification_loss(logits, in.tensor("labels"), config_)).set("logits", logits);
    pass_on(out, h);
    if (const Value* maps = h.find("reshaped_hidden_states")) out.set("reshaped_hidden_states", *maps);
    return out;
  }
};

}  // namespace

Factory image_classifier(Factory backbone, ImageClassifier parts) {
  return [=](const Scope& w, const Json& c) -> std::unique_ptr<Model> {
    return std::make_unique<ImageClassifierModel>(w, c, backbone, parts);
  };
}

Tensor masked_image_loss(const Tensor& pixels, const Tensor& reconstruction, const Tensor& mask, int64_t image_size, int64_t patch, int64_t channels) {
  const int64_t side = image_size / patch;
  const Tensor grid = mask.to(DType::f32).reshape({-1, side, side});
  const Tensor covered = repeat_interleave(repeat_interleave(grid, patch, 1), patch, 2).unsqueeze(1);  // [B, 1, H, W]
  const Tensor difference = abs(pixels - reconstruction);
  return sum(difference * covered.to(difference.dtype())) / (sum(covered) + 1e-5) / static_cast<double>(channels);
}

Tensor semantic_segmentation_loss(const Tensor& logits, const Tensor& labels, const Json& config) {
  if (!labels.defined()) return {};
  if (labels.rank() != 3) throw ShapeError({"labels: expected [batch, height, width], got ", labels.shape().str()});
  const int64_t ignored = config.get("semantic_loss_ignore_index", 255), count = num_labels(config);
  const Tensor resized = interpolate(logits, {labels.dim(1), labels.dim(2)}, Interpolation::bilinear);
  if (count > 1) {
    CrossEntropyOptions o;
    o.ignore_index = ignored;
    return cross_entropy(resized, labels, o);
  }
  const Tensor valid = logical_and(ge(labels, 0), ne(labels, static_cast<double>(ignored))).to(resized.dtype());
  return mean(bce_with_logits(resized.squeeze(1), labels.to(resized.dtype()), {}, {}, Reduction::none) * valid);
}

ImageDecoder::ImageDecoder(const Scope& w, int64_t width, int64_t channels, int64_t encoder_stride) : stride(encoder_stride) {
  if (stride < 1 || stride > 4096) throw ConfigError({"config: encoder_stride ", stride, " is not a size"});
  conv = Conv(w / "0", width, stride * stride * channels, {1, 1});
}

}  // namespace transformers
