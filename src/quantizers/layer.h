// What the readers of quantized layers share: finding tensors, checking their shapes, reading their numbers.
#pragma once
#include <string>
#include <vector>

#include "quantizers/quantizers.h"
#include "transformers/error.h"

namespace transformers {

/// The stored tensors of one layer, asked for by name. Errors name the method.
class LayerReader {
 public:
  LayerReader(const char* method, const LayerTensors& tensors) : method_(method), tensors_(tensors) {}
  bool has(const std::string& name) const;
  /// Throws CheckpointError when missing, or when the rank is not `rank` (-1: any).
  const Tensor& get(const std::string& name, int64_t rank = -1) const;
  std::vector<float> floats(const std::string& name) const { return get(name).to_floats(); }
  std::vector<int64_t> ints(const std::string& name) const;
  /// 32-bit words of an int32 tensor [rows, cols].
  std::vector<uint32_t> words(const std::string& name) const;
  std::vector<uint8_t> bytes(const std::string& name) const;  ///< The raw bytes of any tensor.
  /// Throws CheckpointError "method: what" unless ok.
  void check(bool ok, const std::string& what) const;

 private:
  const char* method_;
  const LayerTensors& tensors_;
};

/// Number `i` of a little-endian stream of `bits`-wide numbers in words that lie `stride` apart.
inline uint32_t stream_bits(const uint32_t* words, int64_t stride, int64_t i, int bits) {
  const int64_t at = i * bits, word = at / 32;
  const int shift = static_cast<int>(at % 32);
  uint64_t v = words[word * stride];
  if (shift + bits > 32) v |= static_cast<uint64_t>(words[(word + 1) * stride]) << 32;
  return static_cast<uint32_t>(v >> shift) & static_cast<uint32_t>((uint64_t{1} << bits) - 1);
}

// One reader per method; all return f32.
Tensor dequantize_gptq(const Json& config, const LayerTensors& tensors, const Shape& out_in);
Tensor dequantize_awq(const Json& config, const LayerTensors& tensors, const Shape& out_in);
Tensor dequantize_bitsandbytes_4bit(const Json& config, const LayerTensors& tensors, const Shape& out_in);
Tensor dequantize_bitsandbytes_8bit(const Json& config, const LayerTensors& tensors, const Shape& out_in);
Tensor dequantize_hqq(const Json& config, const LayerTensors& tensors, const Shape& out_in);
Tensor dequantize_compressed_tensors(const Json& config, const LayerTensors& tensors, const Shape& out_in);
Tensor dequantize_fbgemm_fp8(const Json& config, const LayerTensors& tensors, const Shape& out_in);
Tensor dequantize_fp8(const Json& config, const LayerTensors& tensors, const Shape& out_in);
Tensor dequantize_mxfp4(const Json& config, const LayerTensors& tensors, const Shape& out_in);
Tensor dequantize_bitnet(const Json& config, const LayerTensors& tensors, const Shape& out_in);
Tensor dequantize_aqlm(const Json& config, const LayerTensors& tensors, const Shape& out_in);
Tensor dequantize_quanto(const Json& config, const LayerTensors& tensors, const Shape& out_in);
Tensor dequantize_torchao(const Json& config, const LayerTensors& tensors, const Shape& out_in);

}  // namespace transformers
