// Heads of vision models, written once: image classification and masked image modeling.
#pragma once
#include "models/heads.h"
#include "nn/vision.h"

namespace transformers {

/// What a classifier over an image backbone is made of.
struct ImageClassifier {
  std::string prefix;                             ///< Where the backbone's weights lie ("vit").
  std::function<int64_t(const Json&)> width;      ///< Columns of the classifier.
  std::function<Tensor(const Outputs&)> pool;     ///< Backbone outputs -> [B, width].
  std::string output = "classifier";
  bool torch_init = false;                        ///< PyTorch's own initialisation of linear layers instead of the normal one.
  std::function<double(const Json&)> init_std{};  ///< Standard deviation of new weights; initializer_range when empty.
  std::function<double(const Json&)> dropout{};   ///< Before the classifier; none when empty.
};
/// "logits" [B, labels], "loss" when labels are given.
Factory image_classifier(Factory backbone, ImageClassifier parts);

/// Mean absolute difference of pixels and their reconstruction [B, C, H, W] over masked patches (SimMIM).
/// mask [B, P] over the grid of patches of `patch` pixels.
Tensor masked_image_loss(const Tensor& pixels, const Tensor& reconstruction, const Tensor& mask, int64_t image_size, int64_t patch, int64_t channels);

/// Cross entropy of a map [B, labels, h, w], resized to the labels [B, H, W]; semantic_loss_ignore_index (255) is left out.
/// With one label: binary cross entropy. An undefined tensor without labels.
Tensor semantic_segmentation_loss(const Tensor& logits, const Tensor& labels, const Json& config);

/// A 1x1 convolution and a pixel shuffle by `stride`: maps [B, D, h, w] -> pictures [B, C, h * stride, w * stride].
struct ImageDecoder {
  Conv conv;
  int64_t stride = 1;
  ImageDecoder() = default;
  ImageDecoder(const Scope& w, int64_t width, int64_t channels, int64_t encoder_stride);
  Tensor operator()(const Tensor& map) const { return pixel_shuffle(conv(map), stride); }
};

/// The first token of last_hidden_state [B, T, D] -> [B, D].
Tensor first_token(const Outputs& h);

}  // namespace transformers
