// Task feature-extraction: hidden states of a text, and sentence embeddings as sentence-transformers folders describe them.
// B texts, T tokens, C hidden.
#include <cmath>

#include "base/file.h"
#include "ops/elementwise.h"
#include "ops/norm.h"
#include "ops/reduce.h"
#include "pipelines/task.h"

namespace transformers {
namespace {

// modules.json of a sentence-transformers folder: Transformer, Pooling, optional Dense layers are refused, Normalize.
struct Pooling {
  std::string mode = "mean";
  bool normalize = true;
  int64_t max_length = 0;

  explicit Pooling(const std::string& folder) {
    const std::string modules = join_path(folder, "modules.json");
    if (!file_exists(modules)) return;
    normalize = false;
    const Json list = Json::load(modules);
    for (const Json& module : list.as_array()) {
      const std::string type = module.get("type", ""), path = module.get("path", "");
      if (type.find("Pooling") != std::string::npos) {
        const Json c = Json::load(join_path(join_path(folder, path), "config.json"));
        if (c.get("pooling_mode_cls_token", false)) mode = "cls";
        else if (c.get("pooling_mode_max_tokens", false)) mode = "max";
        else if (c.get("pooling_mode_mean_sqrt_len_tokens", false)) mode = "mean_sqrt_len";
        else if (c.get("pooling_mode_lasttoken", false)) mode = "lasttoken";
        else if (c.get("pooling_mode_weightedmean_tokens", false)) throw UnsupportedError({folder, ": weighted mean pooling is not supported"});
      } else if (type.find("Normalize") != std::string::npos) {
        normalize = true;
      } else if (type.find("Transformer") == std::string::npos) {
        throw UnsupportedError({modules, ": module ", type, " is not supported"});
      }
    }
    const std::string limits = join_path(folder, "sentence_bert_config.json");
    if (file_exists(limits)) max_length = Json::load(limits).get("max_seq_length", 0);
  }

  Tensor operator()(const Tensor& hidden, const Tensor& mask) const {  // [B, T, C], [B, T] -> [B, C]
    Tensor pooled;
    const Tensor m = mask.to(hidden.dtype()).unsqueeze(-1);  // [B, T, 1]
    if (mode == "cls") pooled = hidden.select(1, 0);
    else if (mode == "max") pooled = amax(where(eq(m, 0), Tensor::scalar(-1e9, hidden.dtype()), hidden), {1});
    else if (mode == "lasttoken") pooled = hidden.select(1, hidden.dim(1) - 1);
    else {
      const Tensor total = sum(hidden * m, {1}), count = clamp(sum(m, {1}), 1e-9, 1e30);
      pooled = total / (mode == "mean" ? count : sqrt(count));
    }
    return normalize ? transformers::normalize(pooled) : pooled;
  }
};

struct FeatureExtraction final : Pipeline::Impl {
  std::shared_ptr<Model> model;
  PreTrainedTokenizer tokenizer;
  Pooling pooling;
  explicit FeatureExtraction(const TaskContext& c) : model(c.model("AutoModel")), tokenizer(c.tokenizer()), pooling(c.path) {}

  Json run(const Json& input, const Json& parameters) const override {
    check_parameters(parameters, {"return_tensors", "truncation", "pooling"}, "feature-extraction");
    const std::string& text = text_of(input, "feature-extraction");
    if (parameters.get("pooling", false)) {
      Json row = Json::array();
      for (float v : embed({text}, 0).to_floats()) row.push_back(double{v});
      return row;
    }
    const Tensor h = model->forward(to_inputs(tokenize_for(tokenizer, *model, text))).tensor("last_hidden_state");  // [1, T, C]
    const std::vector<float> flat = h.to_floats();
    Json rows = Json::array();
    for (int64_t t = 0; t < h.dim(1); ++t) {
      Json row = Json::array();
      for (int64_t i = 0; i < h.dim(2); ++i) row.push_back(double{flat[static_cast<size_t>(t * h.dim(2) + i)]});
      rows.push_back(row);
    }
    return Json(Json::Array{rows});
  }

  Tensor embed(const std::vector<std::string>& texts, int64_t max_length) const override {
    NoGrad no_grad;
    TokenizeOptions o;
    o.padding = PaddingStrategy::longest;
    o.truncation = TruncationStrategy::longest_first;
    o.max_length = max_length > 0 ? max_length : pooling.max_length > 0 ? pooling.max_length : model->config().get("max_position_embeddings", 512);
    const Inputs in = to_inputs(tokenizer(texts, o));
    const Tensor h = model->forward(in).tensor("last_hidden_state");
    return pooling(h, in.tensor("attention_mask"));
  }
};

}  // namespace

std::shared_ptr<const Pipeline::Impl> make_feature_extraction(const TaskContext& c) { return std::make_shared<FeatureExtraction>(c); }

}  // namespace transformers
