// transformers run TASK: one pipeline over texts or files.
#include <cstdio>

#include "base/file.h"
#include "base/parallel.h"
#include "commands.h"
#include "transformers/pipeline.h"

namespace transformers::cli {

// Readable form of a result; numbers shortened, long vectors cut.
static void print_text(const Json& j, const std::string& task) {
  if (task == "text-generation" || task == "automatic-speech-recognition") {
    const Json& first = j.is_array() && j.size() ? j.at(size_t{0}) : j;
    const Json& text = first["generated_text"].is_null() ? first["text"] : first["generated_text"];
    if (text.is_string()) return (void)std::printf("%s\n", text.as_string().c_str());
  }
  if (j.is_array() && (j.size() == 0 || j.at(size_t{0}).is_object())) {
    for (const Json& row : j.as_array()) print_text(row, task);
    if (j.size() == 0) std::printf("(nothing found)\n");
    return;
  }
  if (j.is_object()) {
    std::string line;
    for (const auto& [key, value] : j.as_object()) {
      char number[32];
      if (value.type() == Json::Type::real) std::snprintf(number, sizeof number, "%.4f", value.as_double());
      line += (line.empty() ? "" : "  ") + key + ": " + (value.is_string() ? value.as_string() : value.type() == Json::Type::real ? number : value.dump());
    }
    std::printf("%s\n", line.c_str());
    return;
  }
  std::printf("%s\n", j.dump().c_str());
}

static void print_embeddings(const Pipeline& pipe, const std::vector<std::string>& texts) {
  const Tensor e = pipe.embed(texts);  // [texts, width], normalised
  const std::vector<float> v = e.to_floats();
  const size_t width = static_cast<size_t>(e.dim(1));
  for (size_t i = 0; i < texts.size(); ++i) {
    std::printf("%.60s%s\n  [", texts[i].c_str(), texts[i].size() > 60 ? "..." : "");
    for (size_t k = 0; k < 6 && k < width; ++k) std::printf("%s%.4f", k ? ", " : "", double{v[i * width + k]});
    std::printf(", ...] (%zu numbers)\n", width);
  }
  if (texts.size() < 2) return;
  std::printf("cosine similarity:\n");
  for (size_t i = 0; i < texts.size(); ++i) {
    for (size_t j = 0; j < texts.size(); ++j) {
      double dot = 0;
      for (size_t k = 0; k < width; ++k) dot += double{v[i * width + k]} * double{v[j * width + k]};
      std::printf("%7.3f", dot);
    }
    std::printf("  %.50s\n", texts[i].c_str());
  }
}

int run_task(const RunOptions& o) {
  if (o.threads > 0) set_num_threads(o.threads);
  const std::vector<std::string> inputs = read_inputs(o.inputs);
  if (inputs.empty()) throw ValueError({"run ", o.task, ": nothing to run on; give a text, or - for standard input"});
  PipelineOptions options;
  options.model.dtype = o.dtype;
  const Pipeline pipe = pipeline(o.task, o.model, options);
  const Json parameters = Json::parse(settings_to_json(o.parameters));
  if (pipe.task() == "feature-extraction" && parameters.size() == 0) {
    if (o.format == "text") return print_embeddings(pipe, inputs), 0;
    const Tensor e = pipe.embed(inputs);
    const std::vector<float> v = e.to_floats();
    const size_t width = static_cast<size_t>(e.dim(1));
    for (size_t i = 0; i < inputs.size(); ++i) {
      std::string line = "[";
      char number[32];
      for (size_t k = 0; k < width; ++k) std::snprintf(number, sizeof number, "%s%.7g", k ? ", " : "", double{v[i * width + k]}), line += number;
      std::printf("%s]\n", line.c_str());
    }
    return 0;
  }
  for (const std::string& input : inputs) {
    const Json result = pipe(input, parameters);
    if (o.format == "json") std::printf("%s\n", result.dump().c_str());
    else print_text(result, pipe.task());
  }
  return 0;
}

}  // namespace transformers::cli
