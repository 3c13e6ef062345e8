// Boxes, matching and the choice of a backbone's stages.
#include "models/detection.h"

#include <gtest/gtest.h>

#include "models/backbone.h"

namespace transformers {
namespace {

TEST(GeneralizedIou, KnownPairs) {
  const Tensor a = Tensor::from(std::vector<float>{0, 0, 2, 2, 0, 0, 1, 1, 0, 0, 1, 1}, {3, 4});
  const Tensor b = Tensor::from(std::vector<float>{0, 0, 2, 2, 1, 1, 2, 2, 0, 0, 2, 1}, {3, 4});
  const std::vector<float> iou = generalized_iou(a, b).to_floats();
  EXPECT_FLOAT_EQ(iou[0], 1);      // the same box
  EXPECT_FLOAT_EQ(iou[1], -0.5f);  // they touch in a corner: 0 - (4 - 2) / 4
  EXPECT_FLOAT_EQ(iou[2], 0.5f);   // one inside the other
  EXPECT_EQ(center_to_corners(Tensor::of({2, 3, 2, 4})).to_floats(), (std::vector<float>{1, 1, 3, 5}));
}

TEST(DetectionLoss, MatchesEveryObjectOnceAndCountsNothingFalse) {
  DetectionLoss loss;
  loss.num_labels = 2;
  // Query 1 shows class 0 at the first box, query 0 class 1 at the second; query 2 is empty.
  const Tensor logits = Tensor::from(std::vector<float>{-9, 9, -9, 9, -9, -9, -9, -9, 9}, {1, 3, 3});
  const Tensor boxes = Tensor::from(std::vector<float>{.7f, .7f, .2f, .2f, .3f, .3f, .2f, .2f, .5f, .5f, .9f, .9f}, {1, 3, 4});
  const std::vector<DetectionTarget> targets{{Tensor::ids({0, 1}), Tensor::from(std::vector<float>{.3f, .3f, .2f, .2f, .7f, .7f, .2f, .2f}, {2, 4}), {}}};
  EXPECT_EQ(loss.match(logits, boxes, targets)[0], (Matching{{0, 1}, {1, 0}}));
  Outputs out;
  loss(out, targets, logits, boxes, {});
  EXPECT_NEAR(out.tensor("loss").item(), 0, 1e-5);
  EXPECT_EQ(out.named("loss_dict").tensor("cardinality_error").item(), 0);
}

TEST(DetectionLoss, NoObjects) {
  DetectionLoss loss;
  loss.num_labels = 1;
  const Tensor logits = Tensor::from(std::vector<float>{0, 20}, {1, 1, 2}), boxes = Tensor::from(std::vector<float>{.5f, .5f, .2f, .2f}, {1, 1, 4});
  Outputs out;
  loss(out, {{Tensor::zeros({0}, DType::i64), Tensor::zeros({0, 4}), {}}}, logits, boxes, {});
  EXPECT_NEAR(out.tensor("loss").item(), 0, 1e-6);
}

TEST(BackboneStages, NamesIndicesAndMistakes) {
  const std::vector<std::string> names = BackboneStages::standard_names(3);
  EXPECT_EQ(BackboneStages(Json::object(), names).out, (std::vector<int64_t>{3}));
  EXPECT_EQ(BackboneStages(Json::parse(R"({"out_indices": [1, -1]})"), names).out, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(BackboneStages(Json::parse(R"({"out_features": ["stem", "stage2"]})"), names).out, (std::vector<int64_t>{0, 2}));
  for (const char* wrong : {R"({"out_features": ["stage9"]})", R"({"out_indices": [4]})", R"({"out_indices": [2, 1]})", R"({"out_indices": [1, 1]})",
                            R"({"out_features": ["stage1"], "out_indices": [2]})"})
    EXPECT_THROW(BackboneStages(Json::parse(wrong), names), ConfigError) << wrong;
}

}  // namespace
}  // namespace transformers
