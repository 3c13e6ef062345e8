// Losses of set-prediction detectors: matching by the Hungarian algorithm, class, box and mask losses.
// Reference: transformers/loss/loss_for_object_detection.py. B images, Q queries, n objects of an image, N of all images.
#pragma once
#include "transformers/model.h"

namespace transformers {

/// What is to be found in one image.
struct DetectionTarget {
  Tensor class_labels;  ///< int64 [n]
  Tensor boxes;         ///< [n, 4]: center x, center y, width, height, relative to the image
  Tensor masks;         ///< [n, h, w]; only for segmentation
};
/// "labels": a list with one set of names per image. Throws ValueError or ShapeError when something is missing or does not fit.
std::vector<DetectionTarget> detection_targets(const Inputs& in, int64_t images, bool masks);

/// [..., 4] center form -> corners (x0, y0, x1, y1).
Tensor center_to_corners(const Tensor& boxes);
/// Generalized intersection over union of corner boxes; shapes broadcast: [..., 4], [..., 4] -> [...].
Tensor generalized_iou(const Tensor& a, const Tensor& b);

/// Query and object of every match of an image, ordered by query.
using Matching = std::vector<std::pair<int64_t, int64_t>>;

struct DetectionLoss {
  int64_t num_labels = 0;
  double class_cost = 1, bbox_cost = 5, giou_cost = 2;
  double bbox_coefficient = 5, giou_coefficient = 2, mask_coefficient = 1, dice_coefficient = 1, eos_coefficient = 0.1;

  /// Cheapest one-to-one matching per image. logits [B, Q, num_labels + 1], boxes [B, Q, 4].
  std::vector<Matching> match(const Tensor& logits, const Tensor& boxes, const std::vector<DetectionTarget>& targets) const;
  /// Sets "loss", "loss_dict" and, with aux layers, "auxiliary_outputs". masks [B, Q, h, w] may be undefined.
  /// aux_logits [L, B, Q, ...] and aux_boxes are the outputs of all layers (the last one is the main one); undefined: none.
  void operator()(Outputs& out, const std::vector<DetectionTarget>& targets, const Tensor& logits, const Tensor& boxes, const Tensor& masks,
                  const Tensor& aux_logits = {}, const Tensor& aux_boxes = {}) const;

 private:
  void add(Named& losses, Tensor& total, const std::string& suffix, const std::vector<DetectionTarget>& targets, const Tensor& logits,
           const Tensor& boxes, const Tensor& masks) const;
};

/// Mean focal loss of each row, summed and divided by `count`: logits and targets [N, P].
Tensor sigmoid_focal_loss(const Tensor& logits, const Tensor& targets, double count, double alpha = 0.25, double gamma = 2);
/// 1 - Dice coefficient of each row, summed and divided by `count`: logits and targets [N, P].
Tensor dice_loss(const Tensor& logits, const Tensor& targets, double count);

}  // namespace transformers
