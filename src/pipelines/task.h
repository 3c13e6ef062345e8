// What pipelines are made from: the loaded parts of a model folder, and the table of tasks.
#pragma once
#include "transformers/generation.h"
#include "transformers/pipeline.h"
#include "transformers/tokenizer.h"

namespace transformers {

/// A resolved model folder or GGUF file.
struct TaskContext {
  std::string path;
  PipelineOptions options;
  /// The model for an Auto class; PretrainedOptions of the call.
  std::shared_ptr<Model> model(std::string_view auto_class) const;
  PreTrainedTokenizer tokenizer() const;
};

using TaskFactory = std::shared_ptr<const Pipeline::Impl> (*)(const TaskContext&);
#define TRANSFORMERS_TASK(name, function, default_model) std::shared_ptr<const Pipeline::Impl> function(const TaskContext&);
#include "pipelines/tasks.def"
#undef TRANSFORMERS_TASK

/// The folder or file that a user means: a path, "embedded:NAME", or a Hub id (downloaded into the cache).
std::string model_path(const std::string& name, const PretrainedOptions& options = {});
/// The tokenizer of a model folder or of a GGUF file.
PreTrainedTokenizer load_tokenizer(const std::string& path);
/// Tokenizes one text, truncated to what the model takes.
BatchEncoding tokenize_for(const PreTrainedTokenizer& tokenizer, const Model& model, const std::string& text);
/// "id2label"[id], or "LABEL_id".
std::string label_of(const Json& config, int64_t id);
/// The text of an input: a string, or an object's member. Throws ValueError naming the task.
const std::string& text_of(const Json& input, const char* task);
/// Throws ValueError for parameters that the task does not know.
void check_parameters(const Json& parameters, const std::vector<std::string>& known, const char* task);

}  // namespace transformers
