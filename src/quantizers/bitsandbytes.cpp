// bitsandbytes checkpoints. 4 bit: codes of the flat row-major weight, high nibble first, in blocks that share an absmax; the
// absmax may itself be 8-bit codes of a table (double quantization). 8 bit: int8 rows with a row maximum.
#include "quantizers/layer.h"

namespace transformers {
namespace {

// Quantiles of the normal distribution, and a 4-bit float; by code.
constexpr float kNf4[16] = {-1.0f, -0.6961928f, -0.52507305f, -0.3949175f, -0.28444138f, -0.18477343f, -0.091050036f, 0.0f,
                            0.0795803f, 0.1609302f, 0.2461123f, 0.33791524f, 0.44070983f, 0.562617f, 0.72295684f, 1.0f};
constexpr float kFp4[8] = {0.0f, 0.0052083335f, 0.6666667f, 1.0f, 0.33333334f, 0.5f, 0.16666667f, 0.25f};

}  // namespace

Tensor dequantize_bitsandbytes_4bit(const Json& config, const LayerTensors& tensors, const Shape& out_in) {
  const LayerReader r("bitsandbytes", tensors);
  const int64_t out = out_in[0], in = out_in[1], count = out_in.numel();
  std::string kind = config.get("bnb_4bit_quant_type", "fp4");
  Json state;
  for (const char* k : {"nf4", "fp4"}) {
    const std::string key = std::string("weight.quant_state.bitsandbytes__") + k;
    if (!r.has(key)) continue;
    const std::vector<uint8_t> text = r.bytes(key);
    state = Json::parse(std::string(text.begin(), text.end()), "bitsandbytes quant_state");
    kind = k;
  }
  r.check(kind == "nf4" || kind == "fp4", "quant type \"" + kind + "\" is neither nf4 nor fp4");
  const int64_t block = state.get("blocksize", 64);
  r.check(block > 0, "blocksize must be positive");
  float table[16];
  for (int i = 0; i < 16; ++i) table[i] = kind == "nf4" ? kNf4[i] : (i < 8 ? kFp4[i] : -kFp4[i - 8]);
  if (r.has("weight.quant_map")) {
    const std::vector<float> stored = r.floats("weight.quant_map");
    r.check(stored.size() == 16, "quant_map must have 16 values");
    std::copy(stored.begin(), stored.end(), table);
  }
  const std::vector<uint8_t> codes = r.bytes("weight");
  r.check(static_cast<int64_t>(codes.size()) >= (count + 1) / 2, "weight " + r.get("weight").shape().str() + " is too short for the layer " + out_in.str());
  std::vector<float> absmax = r.floats("weight.absmax");
  r.check(static_cast<int64_t>(absmax.size()) >= (count + block - 1) / block, "too few absmax values");
  if (r.has("weight.nested_absmax")) {
    const std::vector<float> nested = r.floats("weight.nested_absmax"), map = r.floats("weight.nested_quant_map");
    const int64_t nested_block = state.get("nested_blocksize", 256);
    const float offset = state.get("nested_offset", 0.0f);
    r.check(map.size() == 256 && nested_block > 0 && static_cast<int64_t>(nested.size()) >= (static_cast<int64_t>(absmax.size()) + nested_block - 1) / nested_block, "nested absmax does not fit");
    for (size_t i = 0; i < absmax.size(); ++i) {
      r.check(absmax[i] >= 0 && absmax[i] < 256, "absmax codes must be bytes");
      absmax[i] = map[static_cast<size_t>(absmax[i])] * nested[i / static_cast<size_t>(nested_block)] + offset;
    }
  }
  Tensor y = Tensor::empty({out, in});
  float* to = y.mutable_data<float>();
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t byte = codes[static_cast<size_t>(i / 2)];
    to[i] = table[i % 2 ? byte & 15 : byte >> 4] * absmax[static_cast<size_t>(i / block)];
  }
  // The tool's product is in the dtype that the weight had before.
  const std::string dtype = state.get("dtype", "float32");
  return dtype == "float32" ? y : y.to(dtype_from_name(dtype)).to(DType::f32);
}

Tensor dequantize_bitsandbytes_8bit(const Json&, const LayerTensors& tensors, const Shape& out_in) {
  const LayerReader r("bitsandbytes", tensors);
  const Tensor& w = r.get("weight", 2);
  r.check(w.dtype() == DType::i8 && w.shape() == out_in, "expected int8 weight " + out_in.str() + ", got " + w.shape().str());
  const std::vector<float> rows = r.floats("SCB");
  r.check(static_cast<int64_t>(rows.size()) == out_in[0], "SCB must have one value per row");
  Tensor y = w.to(DType::f32).clone();
  float* to = y.mutable_data<float>();
  for (int64_t i = 0; i < y.numel(); ++i) to[i] = to[i] * rows[static_cast<size_t>(i / out_in[1])] / 127.0f;
  return y;
}

}  // namespace transformers
