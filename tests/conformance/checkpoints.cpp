// Conformance area `checkpoints`: real files of every container against their known weights, and broken or hostile files.
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "io/gguf_model.h"
#include "runner.h"
#include "transformers/error.h"
#include "transformers/json.h"

namespace transformers::conformance {
namespace {

// The deterministic float32 tensor of the area's README: splitmix64 over an FNV-1a hash of seed + name.
std::vector<float> det(const std::string& name, const Shape& shape, double scale, double offset, const std::string& seed) {
  uint64_t h = 0xcbf29ce484222325u;
  for (unsigned char c : seed + name) h = (h ^ c) * 0x100000001b3u;
  std::vector<float> out(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < out.size(); ++i) {
    uint64_t x = h + (i + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x ^= x >> 31;
    out[i] = static_cast<float>(offset + scale * (static_cast<double>(x >> 40) * 0x1p-23 - 1));
  }
  return out;
}

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

Shape shape_of(const Json& list) {
  Shape s;
  for (const Json& d : list.as_array()) s.push_back(d.as_int());
  return s;
}

std::string compare(const std::string& name, const Tensor& got, const std::vector<float>& want, const Shape& shape) {
  if (!(got.shape() == shape)) return cat({name, ": shape ", got.shape().str(), ", expected ", shape.str()});
  const std::vector<float> rounded = Tensor::from(want, shape).to(got.dtype()).to_floats(), values = got.to_floats();
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] != rounded[i]) return cat({name, ": value ", static_cast<uint64_t>(i), " is ", double{values[i]}, ", expected ", double{rounded[i]}});
  return "";
}

// A model case's weight as the reference made it.
std::vector<float> det_of(const Json& model, const Json& t) {
  return det(t.at(size_t{0}).as_string(), shape_of(t.at(size_t{1})), t.at(size_t{2}).as_double(), t.at(size_t{3}).as_double(), model.get("seed", ""));
}

// Every weight of the model case must be there under its name (old layer norm names too) with the very values.
std::string check_weights(const std::string& folder, const Json& c, const Json& model) {
  const StateDict got = load_checkpoint(folder);
  const std::string dtype = c.get("dtype", "float32");
  for (const Json& t : model["tensors"].as_array()) {
    std::string name = t.at(size_t{0}).as_string();
    const Shape shape = shape_of(t.at(size_t{1}));
    const std::vector<float> want = det_of(model, t);
    auto it = got.tensors.find(name);
    for (auto [from, to] : {std::pair{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}}) {
      const size_t at = name.find(from);
      if (it == got.tensors.end() && at != std::string::npos) it = got.tensors.find(name.substr(0, at) + to);
    }
    if (it == got.tensors.end()) return name + " is missing";
    if (it->second.tensor.dtype() != dtype_from_name(dtype)) return cat({name, ": is ", name_of(it->second.tensor.dtype())});
    const std::string why = compare(name, it->second.tensor, want, shape);
    if (!why.empty()) return why;
  }
  return "";
}

// Metadata, vocabulary, config, and the weights after names and rotary rows are put back.
std::string check_gguf(const std::string& path, const Json& c, const Json& model) {
  const StateDict file = load_gguf(path);
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
    if (it == weights.tensors.end()) return name + " is missing";
    if (!(it->second.shape == shape_of(t.at(size_t{1})))) return name + " has another shape";
    if (it->second.block_type) continue;  // their values count in the logits
    const std::string why = compare(name, it->second.tensor, det_of(model, t), it->second.shape);
    if (!why.empty()) return why;
  }
  return weights.tensors.size() == model["tensors"].size() ? "" : "other weights than expected";
}

void touch(const StateDict& s) {
  for (const auto& [name, t] : s.tensors) {
    const Tensor x = t.block_type ? t.blocks : t.tensor;
    (void)x.contiguous().to(DType::f64);
  }
}

void load_as(const std::string& kind, const std::string& path) {
  if (kind == "safetensors") touch(load_safetensors(path));
  else if (kind == "torch_checkpoint") touch(load_torch(path));
  else if (kind == "gguf") {
    const StateDict file = load_gguf(path);
    touch(file);
    touch(gguf_weights(file, gguf_config(file)));
  }
  else throw Error({"load_as ", kind, " is not built yet"});
}

}  // namespace

void run_checkpoints(Runner& runner, const std::string& dir) {
  const std::vector<Json> valid = read_lines(join_path(dir, "valid.jsonl"));
  std::map<std::string, Json> models;
  for (const Json& c : valid)
    if (c.contains("tensors")) models[c["id"].as_string()] = c;
  runner.begin("valid weights");
  for (const Json& c : valid)
    if (c.contains("folder"))
      runner.run(c["id"].as_string(), [&] { return check_weights(join_path(dir, c["folder"].as_string()), c, models.at(c["model"].as_string())); });

  models.clear();
  const std::vector<Json> gguf = read_lines(join_path(dir, "gguf.jsonl"));
  for (const Json& c : gguf)
    if (c.contains("tensors")) models[c["id"].as_string()] = c;
  runner.begin("gguf files");
  for (const Json& c : gguf)
    if (c.contains("file"))
      runner.run(c["id"].as_string(), [&] { return check_gguf(join_path(dir, c["file"].as_string()), c, models.at(c["model"].as_string())); });

  const Json broken = Json::load(join_path(dir, "broken/index.json"));
  for (const Json& c : broken.as_array()) {
    const std::string kind = c["load_as"].as_string(), must = c["must"].as_string();
    runner.begin("broken " + kind);
    runner.run(c["file"].as_string(), [&]() -> std::string {
      try {
        load_as(kind, join_path(dir, "broken/" + c["file"].as_string()));
      } catch (const Error& e) {
        if (std::strstr(e.what(), "not built yet")) return e.what();
        return must == "ok" ? std::string("refused: ") + e.what() : "";
      }
      return must == "error" ? "was accepted: " + c.get("why", "") : "";
    });
  }
}

}  // namespace transformers::conformance
