// Losses of set-prediction detectors.
#include "models/detection.h"

#include <algorithm>

#include "nn/assignment.h"
#include "ops/conv.h"
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/loss.h"
#include "ops/matmul.h"
#include "ops/reduce.h"

namespace transformers {

std::vector<DetectionTarget> detection_targets(const Inputs& in, int64_t images, bool masks) {
  std::vector<DetectionTarget> targets;
  for (const Value& item : in.find("labels")->list()) {
    const Named& names = item.named();
    DetectionTarget t{names.tensor("class_labels"), names.tensor("boxes"), names.tensor("masks")};
    if (!t.class_labels.defined() || !t.boxes.defined() || (masks && !t.masks.defined()))
      throw ValueError({"labels: every image needs class_labels", masks ? ", boxes and masks" : " and boxes"});
    const int64_t n = t.class_labels.numel();
    if (t.class_labels.rank() != 1 || t.boxes.rank() != 2 || t.boxes.dim(0) != n || t.boxes.dim(1) != 4)
      throw ShapeError({"labels: expected class_labels [n] and boxes [n, 4], got ", t.class_labels.shape().str(), " and ", t.boxes.shape().str()});
    if (masks && (t.masks.rank() != 3 || t.masks.dim(0) != n)) throw ShapeError({"labels: expected masks [", n, ", h, w], got ", t.masks.shape().str()});
    targets.push_back(std::move(t));
  }
  if (static_cast<int64_t>(targets.size()) != images) throw ValueError({"labels: expected one entry for each of ", images, " images, got ", targets.size()});
  return targets;
}

Tensor center_to_corners(const Tensor& boxes) {
  const Tensor center = boxes.slice(-1, 0, 2), half = boxes.slice(-1, 2, 4) * 0.5;
  return cat({center - half, center + half}, -1);
}

static Tensor box_area(const Tensor& b) { return (b.select(-1, 2) - b.select(-1, 0)) * (b.select(-1, 3) - b.select(-1, 1)); }
static Tensor extent(const Tensor& low, const Tensor& high) {  // area between corners, 0 where they do not overlap
  const Tensor size = relu(high - low);
  return size.select(-1, 0) * size.select(-1, 1);
}

Tensor generalized_iou(const Tensor& a, const Tensor& b) {
  const Tensor a0 = a.slice(-1, 0, 2), a1 = a.slice(-1, 2, 4), b0 = b.slice(-1, 0, 2), b1 = b.slice(-1, 2, 4);
  const Tensor shared = extent(maximum(a0, b0), minimum(a1, b1));
  const Tensor both = box_area(a) + box_area(b) - shared;
  const Tensor hull = extent(minimum(a0, b0), maximum(a1, b1));
  return shared / both - (hull - both) / hull;
}

std::vector<Matching> DetectionLoss::match(const Tensor& logits, const Tensor& boxes, const std::vector<DetectionTarget>& targets) const {
  NoGrad no_grad;
  std::vector<Matching> all;
  const Tensor probabilities = softmax(logits.to(DType::f32), -1);
  for (size_t b = 0; b < targets.size(); ++b) {
    const DetectionTarget& t = targets[b];
    const int64_t Q = logits.dim(1), n = t.class_labels.dim(0);
    if (n == 0) {
      all.emplace_back();
      continue;
    }
    const Tensor ours = boxes.select(0, static_cast<int64_t>(b)).to(DType::f32), wanted = t.boxes.to(DType::f32);
    const Tensor classes = index_select(probabilities.select(0, static_cast<int64_t>(b)), 1, t.class_labels);  // [Q, n]
    const Tensor distance = sum(abs(ours.unsqueeze(1) - wanted.unsqueeze(0)), {-1});
    const Tensor giou = generalized_iou(center_to_corners(ours).unsqueeze(1), center_to_corners(wanted).unsqueeze(0));
    const Tensor cost = (distance * bbox_cost - classes * class_cost - giou * giou_cost).contiguous();
    const float* p = cost.data<float>();
    all.push_back(linear_sum_assignment(std::vector<double>(p, p + cost.numel()), Q, n));
  }
  return all;
}

Tensor sigmoid_focal_loss(const Tensor& logits, const Tensor& targets, double count, double alpha, double gamma) {
  const Tensor p = sigmoid(logits), others = 1.0 - targets;
  const Tensor right = p * targets + (1.0 - p) * others;
  Tensor loss = bce_with_logits(logits, targets, {}, {}, Reduction::none) * pow(1.0 - right, gamma);
  if (alpha >= 0) loss = (targets * alpha + others * (1 - alpha)) * loss;
  return sum(mean(loss, {1})) / count;
}
Tensor dice_loss(const Tensor& logits, const Tensor& targets, double count) {
  const Tensor p = sigmoid(logits);
  const Tensor shared = sum(p * targets, {1}) * 2, both = sum(p, {1}) + sum(targets, {1});
  return sum(1.0 - (shared + 1.0) / (both + 1.0)) / count;
}

// Rows of all images' objects in the order of the matching, masks padded to the largest picture: [N, h, w].
static Tensor matched_masks(const std::vector<DetectionTarget>& targets, const std::vector<Matching>& matching, DType dtype) {
  int64_t height = 0, width = 0;
  for (const DetectionTarget& t : targets) height = std::max(height, t.masks.dim(1)), width = std::max(width, t.masks.dim(2));
  std::vector<Tensor> rows;
  for (size_t b = 0; b < targets.size(); ++b)
    for (const auto& [query, object] : matching[b]) {
      const Tensor m = targets[b].masks.select(0, object).to(dtype);
      rows.push_back(pad(m, {0, width - m.dim(1), 0, height - m.dim(0)}));
    }
  return rows.empty() ? Tensor::zeros({0, height, width}, dtype) : stack(rows, 0);
}

void DetectionLoss::add(Named& losses, Tensor& total, const std::string& suffix, const std::vector<DetectionTarget>& targets, const Tensor& logits,
                        const Tensor& boxes, const Tensor& masks) const {
  const std::vector<Matching> matching = match(logits, boxes, targets);
  const int64_t B = logits.dim(0), Q = logits.dim(1), classes = logits.dim(2);
  std::vector<int64_t> wanted(static_cast<size_t>(B * Q), num_labels), queries;
  std::vector<Tensor> object_boxes;
  std::vector<float> counts;
  double objects = 0;
  for (size_t b = 0; b < targets.size(); ++b) {
    const std::vector<int64_t> labels = targets[b].class_labels.to_ints();
    objects += static_cast<double>(labels.size());
    counts.push_back(static_cast<float>(labels.size()));
    for (const auto& [query, object] : matching[b]) {
      queries.push_back(static_cast<int64_t>(b) * Q + query);
      wanted[static_cast<size_t>(queries.back())] = labels[static_cast<size_t>(object)];
      object_boxes.push_back(targets[b].boxes.select(0, object));
    }
  }
  const double count = std::max(objects, 1.0);
  const auto record = [&](const char* name, const Tensor& value, double weight) {
    losses.set(name + suffix, value);
    const Tensor part = value * weight;
    total = total.defined() ? total + part : part;
  };

  CrossEntropyOptions o;
  o.weight = Tensor::full({num_labels + 1}, 1, logits.dtype());
  o.weight.narrow(0, num_labels, 1).fill_(eos_coefficient);
  record("loss_ce", cross_entropy(logits.reshape({-1, classes}), Tensor::from(wanted, {B * Q}), o), 1);

  const Tensor index = Tensor::from(queries, {static_cast<int64_t>(queries.size())});
  const Tensor ours = index_rows(boxes.reshape({-1, 4}), index);  // [N, 4]
  const Tensor theirs = object_boxes.empty() ? Tensor::zeros({0, 4}, ours.dtype()) : stack(object_boxes, 0).to(ours.dtype());
  record("loss_bbox", sum(abs(ours - theirs)) / count, bbox_coefficient);
  record("loss_giou", sum(1.0 - generalized_iou(center_to_corners(ours), center_to_corners(theirs))) / count, giou_coefficient);

  {
    NoGrad no_grad;  // for logging only
    const Tensor found = sum(ne(argmax(logits, -1), static_cast<double>(classes - 1)), {1}).to(DType::f32);
    losses.set("cardinality_error" + suffix, mean(abs(found - Tensor::from(counts, {B}))));
  }

  if (!masks.defined()) return;
  const Tensor object_masks = matched_masks(targets, matching, masks.dtype());
  const Tensor picked = index_rows(masks.flatten(0, 1), index).unsqueeze(1);  // [N, 1, h, w]
  const Tensor resized = interpolate(picked, {object_masks.dim(1), object_masks.dim(2)}, Interpolation::bilinear).flatten(1);
  record("loss_mask", sigmoid_focal_loss(resized, object_masks.flatten(1), count), mask_coefficient);
  record("loss_dice", dice_loss(resized, object_masks.flatten(1), count), dice_coefficient);
}

void DetectionLoss::operator()(Outputs& out, const std::vector<DetectionTarget>& targets, const Tensor& logits, const Tensor& boxes, const Tensor& masks,
                               const Tensor& aux_logits, const Tensor& aux_boxes) const {
  Named losses;
  Tensor total;
  add(losses, total, "", targets, logits, boxes, masks);
  std::vector<Value> layers;
  for (int64_t i = 0; aux_logits.defined() && i + 1 < aux_logits.dim(0); ++i) {
    Named layer;
    layer.set("logits", aux_logits.select(0, i)).set("pred_boxes", aux_boxes.select(0, i));
    add(losses, total, "_" + std::to_string(i), targets, layer.tensor("logits"), layer.tensor("pred_boxes"), {});  // masks of all layers cost too much
    layers.emplace_back(layer);
  }
  out.set("loss", total).set("loss_dict", Value(losses));
  if (aux_logits.defined()) out.set("auxiliary_outputs", Value(layers));
}

}  // namespace transformers
