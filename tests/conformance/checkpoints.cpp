// Conformance area `checkpoints`: real files of every container against their known weights, and broken or hostile files.
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "io/bytes.h"
#include "io/state_dict.h"
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

// Every weight of the model case must be there under its name (old layer norm names too) with the very values.
std::string check_weights(const std::string& folder, const Json& c, const Json& model) {
  const StateDict got = load_checkpoint(folder);
  const std::string dtype = c.get("dtype", "float32");
  for (const Json& t : model["tensors"].as_array()) {
    std::string name = t.at(size_t{0}).as_string();
    const Shape shape = shape_of(t.at(size_t{1}));
    const std::vector<float> want = det(name, shape, t.at(size_t{2}).as_double(), t.at(size_t{3}).as_double(), model.get("seed", ""));
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

void touch(const StateDict& s) {
  for (const auto& [name, t] : s.tensors) {
    const Tensor x = t.block_type ? t.blocks : t.tensor;
    (void)x.contiguous().to(DType::f64);
  }
}

void load_as(const std::string& kind, const std::string& path) {
  if (kind == "safetensors") touch(load_safetensors(path));
  else if (kind == "torch_checkpoint") touch(load_torch(path));
  else if (kind == "gguf") touch(load_gguf(path));
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
