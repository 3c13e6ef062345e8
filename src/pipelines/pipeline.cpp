// The pipeline() function, its table of tasks, and what tasks share.
#include "transformers/pipeline.h"

#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "io/hub.h"
#include "models/loader.h"
#include "pipelines/task.h"

namespace transformers {
namespace {

struct Row { const char* name; TaskFactory make; const char* default_model; };
const Row kTasks[] = {
#define TRANSFORMERS_TASK(name, function, default_model) {name, function, default_model},
#include "pipelines/tasks.def"
#undef TRANSFORMERS_TASK
};
// Other names that the reference takes.
const std::pair<const char*, const char*> kAliases[] = {{"sentiment-analysis", "text-classification"}, {"ner", "token-classification"}};

}  // namespace

// The small model that comes with the library: beside the installed binary, or in the source tree of a build.
static std::string embedded_model(const std::string& name) {
  std::vector<std::string> places;
  if (const char* dir = std::getenv("TRANSFORMERS_EMBEDDED_MODELS")) places.push_back(dir);
  char exe[4096];
  const ssize_t n = ::readlink("/proc/self/exe", exe, sizeof exe);
  if (n > 0) {
    const std::string bin = dir_name(std::string(exe, static_cast<size_t>(n)));
    places.push_back(join_path(bin, "../share/transformers/models"));
    places.push_back(join_path(bin, "../models"));
  }
  for (const std::string& place : places)
    if (const std::string file = join_path(place, name + ".Q8_0.gguf"); file_exists(file)) return file;
  throw IoError({"the embedded model ", name, " is not installed; name a model folder with --model"});
}

std::string model_path(const std::string& name, const PretrainedOptions& options) {
  if (name.rfind("embedded:", 0) == 0) return embedded_model(name.substr(9));
  if (file_exists(name)) return name;
  HubOptions hub;
  hub.revision = options.revision, hub.cache_dir = options.cache_dir, hub.local_files_only = options.local_files_only;
  return resolve_model(name, hub);
}

std::vector<std::string> pipeline_tasks() {
  std::vector<std::string> names;
  for (const Row& row : kTasks) names.push_back(row.name);
  return names;
}

Pipeline pipeline(const std::string& task, const std::string& model, const PipelineOptions& options) {
  std::string name = task;
  for (const auto& [alias, target] : kAliases)
    if (name == alias) name = target;
  for (const Row& row : kTasks) {
    if (name != row.name) continue;
    const std::string wanted = model.empty() ? row.default_model : model;
    TaskContext context{model_path(wanted, options.model), options};
    return Pipeline(name, row.make(context), options.parameters);
  }
  std::vector<std::string> known = pipeline_tasks();
  std::string list;
  for (const std::string& k : known) list += (list.empty() ? "" : ", ") + k;
  throw UnsupportedError({"Unknown task ", task, ".", did_you_mean(task, known), " Available tasks are: ", list});
}

Json Pipeline::operator()(const Json& input, const Json& parameters) const {
  Json merged = defaults_.is_object() ? defaults_ : Json::object();
  if (parameters.is_object())
    for (const auto& [key, value] : parameters.as_object()) merged.set(key, value);
  NoGrad no_grad;
  if (!input.is_array() || (input.size() > 0 && input.at(size_t{0}).is_object() && input.at(size_t{0}).contains("role"))) return impl_->run(input, merged);
  Json out = Json::array();
  for (const Json& item : input.as_array()) out.push_back(impl_->run(item, merged));
  return out;
}
Json Pipeline::operator()(const std::vector<std::string>& inputs, const Json& parameters) const {
  Json list = Json::array();
  for (const std::string& s : inputs) list.push_back(s);
  return (*this)(list, parameters);
}
Tensor Pipeline::Impl::embed(const std::vector<std::string>&, int64_t) const { throw UnsupportedError("embed: only the feature-extraction pipeline gives embeddings"); }

std::shared_ptr<Model> TaskContext::model(std::string_view auto_class) const { return ModelLoader::from_pretrained(auto_class, path, options.model); }
PreTrainedTokenizer TaskContext::tokenizer() const { return load_tokenizer(path); }

BatchEncoding tokenize_for(const PreTrainedTokenizer& tokenizer, const Model& model, const std::string& text) {
  TokenizeOptions o;
  const int64_t positions = model.config().get("max_position_embeddings", 0);
  std::optional<int64_t> most = tokenizer.model_max_length();
  if (positions > 0 && (!most || *most > positions)) most = positions;
  if (most) o.truncation = TruncationStrategy::longest_first, o.max_length = *most;
  return tokenizer(text, o);
}

std::string label_of(const Json& config, int64_t id) {
  const Json* name = config["id2label"].find(std::to_string(id));
  return name && name->is_string() ? name->as_string() : "LABEL_" + std::to_string(id);
}

const std::string& text_of(const Json& input, const char* task) {
  if (input.is_string()) return input.as_string();
  if (input.is_object())
    for (const char* key : {"text", "inputs"})
      if (const Json* v = input.find(key); v && v->is_string()) return v->as_string();
  throw ValueError({task, ": expected a text"});
}

void check_parameters(const Json& parameters, const std::vector<std::string>& known, const char* task) {
  for (const auto& [key, value] : parameters.as_object()) {
    bool found = false;
    for (const std::string& k : known) found |= k == key;
    if (!found) throw ValueError({task, ": unknown parameter \"", key, "\".", did_you_mean(key, known)});
  }
}

}  // namespace transformers
