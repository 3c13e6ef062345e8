// pipeline(task, model): whole tasks from text (or files) to answers. Reference: transformers/pipelines.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transformers/auto.h"
#include "transformers/json.h"

namespace transformers {

struct PipelineOptions {
  PretrainedOptions model;          ///< dtype, revision, cache_dir ...
  Json parameters = {};             ///< Default parameters of every call (an object), e.g. {"top_k": 3}.
};

/// One task bound to one model. Calls are const and may run in parallel.
class Pipeline {
 public:
  class Impl {
   public:
    virtual ~Impl() = default;
    virtual Json run(const Json& input, const Json& parameters) const = 0;
    /// [texts, width] sentence embeddings; feature-extraction only.
    virtual Tensor embed(const std::vector<std::string>& texts, int64_t max_length) const;
  };
  explicit Pipeline(std::string task, std::shared_ptr<const Impl> impl, Json defaults) : task_(std::move(task)), impl_(std::move(impl)), defaults_(std::move(defaults)) {}
  /// One input: text, a file path, or the object that the task takes; the result as the reference's, in JSON.
  /// Throws ValueError for an unknown parameter or input of the wrong kind.
  Json operator()(const Json& input, const Json& parameters = Json()) const;
  Json operator()(const char* input, const Json& parameters = Json()) const { return (*this)(Json(input), parameters); }
  Json operator()(const std::string& input, const Json& parameters = Json()) const { return (*this)(Json(input), parameters); }
  /// A list of results for a list of inputs.
  Json operator()(const std::vector<std::string>& inputs, const Json& parameters = Json()) const;
  /// Sentence embeddings [texts, width] as the folder's sentence-transformers files say (mean pooling without them).
  /// Longer texts are cut to max_length tokens (0: what the folder says, else what the model takes).
  Tensor embed(const std::vector<std::string>& texts, int64_t max_length = 0) const { return impl_->embed(texts, max_length); }
  const std::string& task() const { return task_; }

 private:
  std::string task_;
  std::shared_ptr<const Impl> impl_;
  Json defaults_;
};

/// A pipeline by the reference's task name. `model`: a folder, a GGUF file or a Hub id; empty: the task's default.
/// Throws UnsupportedError listing near task names, and what loading throws.
Pipeline pipeline(const std::string& task, const std::string& model = "", const PipelineOptions& options = {});
/// Task names that can be run.
std::vector<std::string> pipeline_tasks();

}  // namespace transformers
