// AWQ checkpoints, 4 bit. gemm: qweight [in, out / 8], a word's nibbles hold columns 0 2 4 6 1 3 5 7; zeros and scales
// [groups, out]. gemv: qweight [out, in / 8] in plain order; zeros and scales [out, groups padded].
#include "quantizers/layer.h"

namespace transformers {

Tensor dequantize_awq(const Json& config, const LayerTensors& tensors, const Shape& out_in) {
  const LayerReader r("awq", tensors);
  const int64_t out = out_in[0], in = out_in[1], bits = config.get("bits", 4);
  if (bits != 4) throw UnsupportedError({"awq: only 4 bits exist, got ", bits});
  const std::string version = config.get("version", "gemm");
  const int64_t configured = config.get("group_size", 128), size = configured > 0 ? configured : in, groups = (in + size - 1) / size;
  const Tensor &qw = r.get("qweight", 2), &sc = r.get("scales", 2);
  const std::vector<uint32_t> weights = r.words("qweight");
  const std::vector<float> scales = sc.to_floats();
  const bool has_zeros = r.has("qzeros");
  const std::vector<uint32_t> zeros = has_zeros ? r.words("qzeros") : std::vector<uint32_t>();
  const int64_t zero_width = has_zeros ? r.get("qzeros", 2).dim(1) : 0, zero_rows = has_zeros ? r.get("qzeros", 2).dim(0) : 0;
  const auto nibble = [](uint32_t word, int64_t i) { return static_cast<int64_t>(word >> (4 * i) & 15); };
  Tensor y = Tensor::empty({out, in});
  float* to = y.mutable_data<float>();
  if (version == "gemm") {
    constexpr int kPlace[8] = {0, 4, 1, 5, 2, 6, 3, 7};  // nibble of column 8w + i
    r.check(out % 8 == 0 && qw.shape() == Shape{in, out / 8} && sc.shape() == Shape{groups, out}, "qweight " + qw.shape().str() + " and scales " + sc.shape().str() + " do not fit the layer " + out_in.str());
    r.check(!has_zeros || (zero_rows == groups && zero_width == out / 8), "qzeros do not fit");
    for (int64_t k = 0; k < in; ++k)
      for (int64_t o = 0; o < out; ++o) {
        const int64_t g = k / size, q = nibble(weights[static_cast<size_t>(k * (out / 8) + o / 8)], kPlace[o % 8]);
        const int64_t z = has_zeros ? nibble(zeros[static_cast<size_t>(g * zero_width + o / 8)], kPlace[o % 8]) : 8;
        to[o * in + k] = static_cast<float>(q - z) * scales[static_cast<size_t>(g * out + o)];
      }
  } else if (version == "gemv" || version == "gemv_fast") {
    if (version == "gemv_fast") throw UnsupportedError("awq: version gemv_fast (interleaved for one GPU kernel) is not supported");
    r.check(in % 8 == 0 && qw.shape() == Shape{out, in / 8} && sc.dim(0) == out && sc.dim(1) >= groups, "qweight " + qw.shape().str() + " and scales " + sc.shape().str() + " do not fit the layer " + out_in.str());
    r.check(!has_zeros || (zero_rows == out && zero_width * 8 >= groups), "qzeros do not fit");
    for (int64_t o = 0; o < out; ++o)
      for (int64_t k = 0; k < in; ++k) {
        const int64_t g = k / size, q = nibble(weights[static_cast<size_t>(o * (in / 8) + k / 8)], k % 8);
        const int64_t z = has_zeros ? nibble(zeros[static_cast<size_t>(o * zero_width + g / 8)], g % 8) : 8;
        to[o * in + k] = static_cast<float>(q - z) * scales[static_cast<size_t>(o * sc.dim(1) + g)];
      }
  } else {
    throw UnsupportedError({"awq: unknown version \"", version, "\"; known: gemm, gemv"});
  }
  return y;
}

}  // namespace transformers
