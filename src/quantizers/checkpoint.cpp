// Finds quantized layers by the one tensor that marks them, and the layer's [out, in] from what is stored.
#include "quantizers/checkpoint.h"

#include <set>

#include "quantizers/layer.h"

namespace transformers {
namespace {

bool ends_with(const std::string& s, const std::string& end) { return s.size() >= end.size() && s.compare(s.size() - end.size(), end.size(), end) == 0; }

// The name after the layer's own that only its quantized form has.
std::vector<std::string> markers(const std::string& method) {
  if (method == "gptq" || method == "awq") return {"qweight"};
  if (method == "bitsandbytes") return {"weight.absmax", "SCB"};
  if (method == "hqq") return {"W_q"};
  if (method == "compressed-tensors") return {"weight_packed", "weight_scale", "compressed"};
  if (method == "fbgemm_fp8" || method == "bitnet") return {"weight_scale"};
  if (method == "fp8") return {"weight_scale_inv"};
  if (method == "aqlm") return {"codes"};
  if (method == "quanto") return {"weight._scale"};
  if (method == "torchao") return {"weight.qdata"};
  return {};
}

Shape shape_from(const Tensor& t) {
  const std::vector<int64_t> dims = t.to_ints();
  if (dims.size() != 2) throw CheckpointError("a stored layer shape must have two numbers");
  return {dims[0], dims[1]};
}

// [out, in] of a layer, from its tensors.
Shape layer_shape(const std::string& method, const Json& config, const LayerTensors& tensors) {
  const LayerReader r(method.c_str(), tensors);
  for (const char* name : {"weight_shape", "shape"})
    if (r.has(name)) return shape_from(r.get(name));
  if (method == "gptq") {
    const Tensor& q = r.get("qweight", 2);
    const int64_t bits = std::max<int64_t>(1, config.get("bits", 4));
    return {q.dim(1), r.has("g_idx") ? r.get("g_idx").numel() : q.dim(0) * 32 / bits};
  }
  if (method == "awq") {
    const Tensor& q = r.get("qweight", 2);
    return config.get("version", "gemm") == "gemm" ? Shape{q.dim(1) * 8, q.dim(0)} : Shape{q.dim(0), q.dim(1) * 8};
  }
  if (method == "bitsandbytes" && !r.has("SCB")) {
    for (const char* kind : {"nf4", "fp4"}) {
      const std::string key = std::string("weight.quant_state.bitsandbytes__") + kind;
      if (!r.has(key)) continue;
      const std::vector<uint8_t> text = r.bytes(key);
      const std::vector<int64_t> dims = Json::parse(std::string(text.begin(), text.end()), key).get("shape", std::vector<int64_t>());
      r.check(dims.size() == 2, "quant_state has no shape");
      return {dims[0], dims[1]};
    }
  }
  if (method == "bitnet") return {r.get("weight", 2).dim(0) * 4, r.get("weight", 2).dim(1)};
  if (method == "aqlm") return {r.get("codes", 3).dim(0) * r.get("codebooks", 4).dim(2), r.get("codes", 3).dim(1) * r.get("codebooks", 4).dim(3)};
  for (const char* name : {"weight", "weight._data", "weight.qdata", "qdata"})
    if (r.has(name) && r.get(name).rank() == 2) return r.get(name).shape();
  throw UnsupportedError({method, ": the checkpoint does not tell this layer's shape"});
}

}  // namespace

StateDict dequantize_checkpoint(const StateDict& stored, const Json& config) {
  const std::string method = config.get("quant_method", config.get("load_in_4bit", false) || config.get("load_in_8bit", false) ? "bitsandbytes" : "");
  StateDict out;
  out.metadata = stored.metadata, out.gguf = stored.gguf;
  std::set<std::string> layers;  // with their closing dot
  const std::vector<std::string> marks = markers(method);
  for (const std::string& name : stored.order)
    for (const std::string& mark : marks)
      if (ends_with(name, "." + mark)) layers.insert(name.substr(0, name.size() - mark.size()));
  std::set<std::string> done;
  for (const std::string& name : stored.order) {
    const StoredTensor& t = stored.tensors.at(name);
    if (method == "mxfp4" && (ends_with(name, "_blocks") || ends_with(name, "_scales"))) {
      if (ends_with(name, "_scales")) continue;
      const std::string base = name.substr(0, name.size() - 7);
      const auto scales = stored.tensors.find(base + "_scales");
      if (scales == stored.tensors.end()) throw CheckpointError({"mxfp4: ", name, " has no scales"});
      out.add(base, dequantize_layer(method, config, {{"_blocks", t.tensor}, {"_scales", scales->second.tensor}}, {1, 1}));
      continue;
    }
    // The layer this name lies in: its prefix up to any of its dots.
    std::string layer;
    for (size_t dot = name.rfind('.'); dot != std::string::npos && dot > 0 && layer.empty(); dot = name.rfind('.', dot - 1))
      if (layers.count(name.substr(0, dot + 1))) layer = name.substr(0, dot + 1);
    if (layer.empty() || name == layer + "bias") {
      out.add(name, t);
      continue;
    }
    if (!done.insert(layer).second) continue;
    LayerTensors tensors;
    for (auto it = stored.tensors.lower_bound(layer); it != stored.tensors.end() && it->first.compare(0, layer.size(), layer) == 0; ++it)
      if (it->first != layer + "bias") tensors[it->first.substr(layer.size())] = it->second.tensor;
    try {
      out.add(layer + "weight", dequantize_layer(method, config, tensors, layer_shape(method, config, tensors)));
    } catch (const CheckpointError& e) {
      throw CheckpointError({layer, " ", e.what()});
    }
  }
  if (layers.empty() && method != "mxfp4" && marks.empty())
    throw UnsupportedError({"quantization method \"", method, "\" is not supported; known: gptq awq bitsandbytes hqq compressed-tensors fbgemm_fp8 fp8 mxfp4 bitnet aqlm quanto torchao"});
  return out;
}

}  // namespace transformers
