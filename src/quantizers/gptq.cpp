// GPTQ and GPTQModel checkpoints. qweight [in * bits / 32, out]: a bit stream down the rows; qzeros [groups, out * bits / 32]
// along the columns (version 1 stores zero - 1); scales [groups, out]; g_idx [in] names each input's group.
#include "quantizers/layer.h"

namespace transformers {

Tensor dequantize_gptq(const Json& config, const LayerTensors& tensors, const Shape& out_in) {
  const LayerReader r("gptq", tensors);
  const int64_t out = out_in[0], in = out_in[1], bits = config.get("bits", 4);
  r.check(bits >= 2 && bits <= 8, cat({"bits must be 2..8, got ", bits}));
  const int b = static_cast<int>(bits);
  const Tensor &qw = r.get("qweight", 2), &qz = r.get("qzeros", 2), &sc = r.get("scales", 2);
  const int64_t groups = sc.dim(0);
  r.check(qw.dim(0) == (in * bits + 31) / 32 && qw.dim(1) == out, "qweight " + qw.shape().str() + " does not fit the layer " + out_in.str());
  r.check(groups > 0 && sc.dim(1) == out && qz.dim(0) == groups && qz.dim(1) == (out * bits + 31) / 32, "scales " + sc.shape().str() + " and qzeros " + qz.shape().str() + " do not fit");
  const int64_t configured = config.get("group_size", -1), group_size = configured > 0 ? configured : in;
  std::vector<int64_t> group(static_cast<size_t>(in));
  if (r.has("g_idx")) {
    const std::vector<int64_t> stored = r.ints("g_idx");
    r.check(static_cast<int64_t>(stored.size()) == in, "g_idx must have one entry per input");
    group = stored;
  } else {
    for (int64_t k = 0; k < in; ++k) group[static_cast<size_t>(k)] = k / group_size;
  }
  for (int64_t& g : group) {
    if (g < 0) g += groups;
    r.check(g >= 0 && g < groups, "a group index is out of range");
  }
  const std::vector<uint32_t> weights = r.words("qweight"), zeros = r.words("qzeros");
  const std::vector<float> scales = sc.to_floats();
  const int64_t plus = config.get("checkpoint_format", "gptq") == "gptq_v2" ? 0 : 1;
  Tensor y = Tensor::empty({out, in});
  float* to = y.mutable_data<float>();
  for (int64_t k = 0; k < in; ++k) {
    const int64_t g = group[static_cast<size_t>(k)];
    for (int64_t o = 0; o < out; ++o) {
      const int64_t q = stream_bits(weights.data() + o, out, k, b), z = stream_bits(zeros.data() + g * qz.dim(1), 1, o, b) + plus;
      to[o * in + k] = scales[static_cast<size_t>(g * out + o)] * static_cast<float>(q - z);
    }
  }
  return y;
}

}  // namespace transformers
