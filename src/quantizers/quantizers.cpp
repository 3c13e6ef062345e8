// The list of methods, and what their readers share.
#include "quantizers/quantizers.h"

#include <cstring>

#include "quantizers/layer.h"

namespace transformers {

bool LayerReader::has(const std::string& name) const { return tensors_.count(name) > 0; }
const Tensor& LayerReader::get(const std::string& name, int64_t rank) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw CheckpointError({method_, ": the layer has no tensor \"", name, "\""});
  if (rank >= 0 && found->second.rank() != rank)
    throw CheckpointError({method_, ": expected \"", name, "\" of rank ", rank, ", got ", found->second.shape().str()});
  return found->second;
}
std::vector<int64_t> LayerReader::ints(const std::string& name) const { return get(name).to_ints(); }
std::vector<uint32_t> LayerReader::words(const std::string& name) const {
  const Tensor& t = get(name, 2);
  if (t.dtype() != DType::i32) throw CheckpointError({method_, ": expected int32 \"", name, "\", got ", name_of(t.dtype())});
  const Tensor c = t.detach().contiguous();
  std::vector<uint32_t> out(static_cast<size_t>(c.numel()));
  if (!out.empty()) std::memcpy(out.data(), c.raw(), out.size() * 4);
  return out;
}
std::vector<uint8_t> LayerReader::bytes(const std::string& name) const {
  const Tensor c = get(name).detach().contiguous();
  std::vector<uint8_t> out(static_cast<size_t>(c.nbytes()));
  if (!out.empty()) std::memcpy(out.data(), c.raw(), out.size());
  return out;
}
void LayerReader::check(bool ok, const std::string& what) const {
  if (!ok) throw CheckpointError({method_, ": ", what});
}

Tensor dequantize_layer(const std::string& method, const Json& config, const LayerTensors& tensors, const Shape& out_in) {
  using Reader = Tensor (*)(const Json&, const LayerTensors&, const Shape&);
  struct Row { const char* name; Reader read; };
  static constexpr Row kMethods[] = {{"gptq", dequantize_gptq},
                                     {"awq", dequantize_awq},
                                     {"bitsandbytes_4bit", dequantize_bitsandbytes_4bit},
                                     {"bitsandbytes_8bit", dequantize_bitsandbytes_8bit},
                                     {"hqq", dequantize_hqq},
                                     {"compressed-tensors", dequantize_compressed_tensors},
                                     {"fbgemm_fp8", dequantize_fbgemm_fp8},
                                     {"fp8", dequantize_fp8},
                                     {"mxfp4", dequantize_mxfp4},
                                     {"bitnet", dequantize_bitnet},
                                     {"aqlm", dequantize_aqlm},
                                     {"quanto", dequantize_quanto},
                                     {"torchao", dequantize_torchao},
                                     {"int8_weight_only", dequantize_torchao}};
  std::string name = method.empty() ? config.get("quant_method", "") : method;
  if (name == "bitsandbytes") name = config.get("load_in_8bit", false) ? "bitsandbytes_8bit" : "bitsandbytes_4bit";
  if (out_in.rank() < 2 || out_in.rank() > 3) throw ShapeError({"dequantize_layer: expected [out, in], got ", out_in.str()});
  for (int64_t d : out_in)
    if (d <= 0) throw ShapeError({"dequantize_layer: expected [out, in], got ", out_in.str()});
  std::vector<std::string> known;
  for (const Row& r : kMethods) {
    if (name == r.name) return r.read(config, tensors, out_in);
    known.push_back(r.name);
  }
  throw UnsupportedError({"quantization method \"", name, "\" is not supported.", did_you_mean(name, known)});
}

}  // namespace transformers
