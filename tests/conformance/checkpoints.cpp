// Area checkpoints: real files of every container against their known weights and logits, and broken or hostile files,
// each of which must end in a typed error within 5 s and 1 GB.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "deterministic.h"
#include "io/gguf_model.h"
#include "models/loader.h"
#include "ops/blocks.h"
#include "runner.h"
#include "transformers/error.h"
#include "transformers/tokenizer.h"

namespace transformers::conformance {
namespace {

std::vector<Json> read_lines(const std::string& path) {
  std::vector<Json> out;
  const std::string text = read_file(path);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) out.push_back(Json::parse(std::string_view(text).substr(begin, end - begin), path));
    begin = end + 1;
  }
  return out;
}

// The values of a weight as its checkpoint should hold them: rounded to its type, otherwise exact.
std::string check_tensor(const std::string& name, const StoredTensor& got, const Json& model, const Json& t) {
  const Shape shape = shape_of(t.at(size_t{1}));
  if (!(got.shape == shape)) return cat({name, ": shape ", got.shape.str(), ", expected ", shape.str()});
  if (got.block_type) return "";  // their values count in the logits
  const Tensor want = deterministic(model.get("seed", "") + t.at(size_t{0}).as_string(), shape, t.at(size_t{2}).as_double(), t.at(size_t{3}).as_double());
  const std::vector<float> values = got.tensor.to_floats(), rounded = want.to(got.tensor.dtype()).to_floats();
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] != rounded[i]) return cat({name, ": value ", i, " is ", double{values[i]}, ", expected ", double{rounded[i]}});
  return "";
}

// Every weight of the model case must be there under its name (old layer norm names too) with the very values.
std::string check_weights(const std::string& folder, const Json& c, const Json& model) {
  const StateDict got = load_checkpoint(folder);
  for (const Json& t : model["tensors"].as_array()) {
    const std::string name = t.at(size_t{0}).as_string();
    auto it = got.tensors.find(name);
    for (auto [from, to] : {std::pair{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}}) {
      const size_t at = name.find(from);
      if (it == got.tensors.end() && at != std::string::npos) it = got.tensors.find(name.substr(0, at) + to);
    }
    if (it == got.tensors.end()) return name + " is missing";
    if (it->second.tensor.dtype() != dtype_from_name(c.get("dtype", "float32"))) return cat({name, ": is ", name_of(it->second.tensor.dtype())});
    const std::string why = check_tensor(name, it->second, model, t);
    if (!why.empty()) return why;
  }
  return "";
}

std::string check_metadata(const StateDict& file, const Json& c) {
  if (c["metadata"].is_object())
    for (const auto& [key, value] : c["metadata"].as_object())
      if (!(file.gguf[key] == value)) return cat({key, " is ", file.gguf[key].dump(), ", expected ", value.dump()});
  if (c["types"].is_object())
    for (const auto& [name, type] : c["types"].as_object()) {
      const StoredTensor& t = file.tensors.at(name);
      const auto wanted = block_type_from_name(type.as_string());
      if (t.block_type ? t.block_type != wanted : dense_type(*wanted) != t.tensor.dtype()) return name + " is not " + type.as_string();
    }
  const GgufVocabulary v = gguf_vocabulary(file);
  if (c["tokens"].is_array() && v.tokens != c.get("tokens", std::vector<std::string>{})) return "the tokens differ";
  if (c["scores"].is_array() && std::vector<double>(v.scores.begin(), v.scores.end()) != c.get("scores", std::vector<double>{})) return "the scores differ";
  if (c["token_types"].is_array() && std::vector<int64_t>(v.token_type.begin(), v.token_type.end()) != c.get("token_types", std::vector<int64_t>{})) return "the token types differ";
  return "";
}

// Metadata, vocabulary, config, and the weights after names and rotary rows are put back.
std::string check_gguf(const std::string& path, const Json& c, const Json& model) {
  const StateDict file = load_gguf(path);
  std::string why = check_metadata(file, c);
  if (!why.empty()) return why;
  const Json config = gguf_config(file);
  for (const auto& [key, value] : config.as_object()) {
    const Json* wanted = model["config"].find(key);
    if (!wanted || value == *wanted) continue;
    if (value.is_number() && std::abs(value.as_double() - wanted->as_double()) <= 1e-6 * std::abs(wanted->as_double())) continue;  // kept as float32
    if (key.find("token_id") == std::string::npos) return cat({"config ", key, " is ", value.dump(), ", expected ", wanted->dump()});
  }
  const StateDict weights = gguf_weights(file, config);
  for (const Json& t : model["tensors"].as_array()) {
    const std::string name = t.at(size_t{0}).as_string();
    const auto it = weights.tensors.find(name);
    why = it == weights.tensors.end() ? name + " is missing" : check_tensor(name, it->second, model, t);
    if (!why.empty()) return why;
  }
  return weights.tensors.size() == model["tensors"].size() ? "" : "other weights than expected";
}

// The loaded model's result for the case's ids, against the reference's.
std::string check_output(const std::string& path, const Json& c, const Json& model, const StateDict& data) {
  const Json& given = c.contains("input_ids") ? c["input_ids"] : model["input_ids"];
  std::vector<int64_t> ids;
  for (const Json& row : given.as_array())
    for (const Json& id : row.as_array()) ids.push_back(id.as_int());
  const Tensor input = Tensor::from(ids, {static_cast<int64_t>(given.size()), static_cast<int64_t>(given.at(size_t{0}).size())});
  const bool hidden = c.contains("last_hidden_state");
  const NoGrad no_grad;
  const std::unique_ptr<Model> loaded = ModelLoader::class_from_pretrained(model["architecture"].as_string(), path, {});
  const Tensor got = loaded->forward(Inputs{{"input_ids", input}}).tensor(hidden ? "last_hidden_state" : "logits");
  const Tensor& want = data.tensors.at(c[hidden ? "last_hidden_state" : "logits"].as_string()).tensor;
  double largest = 0;
  for (float v : want.to_floats()) largest = std::max(largest, std::fabs(double{v}));
  const double diff = c.get("max_diff_f64", model.get("max_diff_f64", 1e-6));
  return compare(got, want, 1, 4 * diff + 1e-5 * largest);
}

void touch(const StateDict& s) {
  for (const auto& [name, t] : s.tensors) {
    const Tensor x = t.block_type ? t.blocks : t.tensor;
    (void)x.contiguous().to(DType::f64);
  }
}

void load_as(const std::string& kind, const std::string& path) {
  const NoGrad no_grad;
  if (kind == "safetensors") touch(load_safetensors(path));
  else if (kind == "torch_checkpoint") touch(load_torch(path));
  else if (kind == "gguf") {
    const StateDict file = load_gguf(path);
    touch(file);
    touch(gguf_weights(file, gguf_config(file)));
  } else if (kind == "config") {
    ModelLoader::from_config("AutoModel", Json::load(path));
  } else if (kind == "tokenizer") {
    AutoTokenizer::from_tokenizer_text(read_file(path))("ab zz b a");
  } else if (kind == "folder") {
    const Json config = ModelLoader::load_config(path);
    ModelLoader::class_from_pretrained(config["architectures"].is_array() ? config["architectures"].at(size_t{0}).as_string() : "", path, {});
  } else {
    throw std::runtime_error("unknown load_as " + kind);
  }
}

long peak_kilobytes() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return u.ru_maxrss;
}

std::string check_broken(const Json& c, const std::string& path) {
  const std::string must = c["must"].as_string();
  const long before = peak_kilobytes();
  const auto start = std::chrono::steady_clock::now();
  std::string refused;
  try {
    load_as(c["load_as"].as_string(), path);
  } catch (const Error& e) {
    refused = e.what();
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (seconds > 5) return cat({"took ", seconds, " s"});
  if (peak_kilobytes() - before > 1000 * 1000) return cat({"took ", static_cast<int64_t>(peak_kilobytes() - before), " kB"});
  if (c.get("unsafe", false) && file_exists("must_not_exist.txt")) return "code of the file was run";
  if (must == "ok" && !refused.empty()) return "refused: " + refused;
  return must == "error" && refused.empty() ? "was accepted: " + c.get("why", "") : "";
}

}  // namespace

void run_checkpoints(Runner& runner, const std::string& dir) {
  const auto cases = [&](const char* file, const char* what, auto&& check) {
    const std::vector<Json> lines = read_lines(join_path(dir, std::string(file) + ".jsonl"));
    const StateDict data = load_safetensors(join_path(dir, std::string(file) + ".safetensors"));
    std::map<std::string, Json> models;
    for (const Json& c : lines)
      if (c.contains("tensors")) models[c["id"].as_string()] = c;
    for (const bool output : {false, true}) {
      runner.begin(std::string(what) + (output ? " outputs" : " weights"));
      for (const Json& c : lines) {
        if (!c.contains("model")) continue;
        const std::string path = join_path(dir, (c.contains("folder") ? c["folder"] : c["file"]).as_string());
        runner.run(c["id"].as_string(), [&] { return output ? check_output(path, c, models.at(c["model"].as_string()), data) : check(path, c, models.at(c["model"].as_string())); });
      }
    }
  };
  set_exact_block_products(true);  // the reference computes with dequantized float32 values
  cases("valid", "valid", check_weights);
  cases("gguf", "gguf", check_gguf);

  set_exact_block_products(false);

  const Json broken = Json::load(join_path(dir, "broken/index.json"));
  for (const Json& c : broken.as_array()) {
    runner.begin("broken " + c["load_as"].as_string());
    runner.run(c["file"].as_string(), [&] { return check_broken(c, join_path(dir, "broken/" + c["file"].as_string())); });
  }
}

}  // namespace transformers::conformance
