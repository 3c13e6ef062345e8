// Task image-classification. Reference: pipelines/image_classification.py.
#include <algorithm>

#include "ops/elementwise.h"
#include "ops/index.h"
#include "pipelines/task.h"
#include "transformers/processor.h"

namespace transformers {
namespace {

struct ImageClassification final : Pipeline::Impl {
  std::shared_ptr<Model> model;
  ImageProcessor processor;
  explicit ImageClassification(const TaskContext& c) : model(c.model("AutoModelForImageClassification")), processor(AutoImageProcessor::from_pretrained(c.path)) {}

  Json run(const Json& input, const Json& parameters) const override {
    check_parameters(parameters, {"top_k", "function_to_apply"}, "image-classification");
    const Tensor logits = model->forward(processor({load_image(text_of(input, "image-classification"))})).tensor("logits").to(DType::f32).select(0, 0);
    const std::string type = model->config().get("problem_type", "");
    std::string f = parameters.get("function_to_apply", "");
    if (f.empty()) f = type == "multi_label_classification" || logits.dim(0) == 1 ? "sigmoid" : "softmax";
    if (f != "softmax" && f != "sigmoid" && f != "none") throw ValueError({"image-classification: function_to_apply \"", f, "\"; known: softmax, sigmoid, none"});
    const Tensor scores = f == "softmax" ? softmax(logits) : f == "sigmoid" ? sigmoid(logits) : logits;
    const ValuesIndices best = topk(scores, std::min(logits.dim(0), parameters.get("top_k", 5)));
    const std::vector<float> values = best.values.to_floats();
    const std::vector<int64_t> ids = best.indices.to_ints();
    Json list = Json::array();
    for (size_t i = 0; i < ids.size(); ++i) list.push_back(Json::object({{"label", label_of(model->config(), ids[i])}, {"score", double{values[i]}}}));
    return list;
  }
};

}  // namespace

std::shared_ptr<const Pipeline::Impl> make_image_classification(const TaskContext& c) { return std::make_shared<ImageClassification>(c); }

}  // namespace transformers
