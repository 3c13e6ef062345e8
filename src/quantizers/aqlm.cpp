// AQLM checkpoints: each group of out_group x in_group weights is a sum of codebook entries, times a scale per output group.
// codes [out / og, in / ig, N], codebooks [N, 2^bits, og, ig], scales [out / og, 1, 1, 1].
#include "quantizers/layer.h"

namespace transformers {

Tensor dequantize_aqlm(const Json&, const LayerTensors& tensors, const Shape& out_in) {
  const LayerReader r("aqlm", tensors);
  const Tensor &codes = r.get("codes", 3), &books = r.get("codebooks", 4);
  const int64_t out = out_in[0], in = out_in[1], count = books.dim(0), entries = books.dim(1), og = books.dim(2), ig = books.dim(3);
  r.check(og > 0 && ig > 0 && entries > 0 && codes.shape() == Shape{out / og, in / ig, count} && out % og == 0 && in % ig == 0, "codes " + codes.shape().str() + " and codebooks " + books.shape().str() + " do not fit the layer " + out_in.str());
  const std::vector<int64_t> code = codes.to_ints();
  const std::vector<float> book = books.to_floats(), scale = r.floats("scales");
  r.check(static_cast<int64_t>(scale.size()) == out / og, "scales must have one value per output group");
  Tensor y = Tensor::zeros({out, in});
  float* to = y.mutable_data<float>();
  for (int64_t o = 0; o < out / og; ++o)
    for (int64_t i = 0; i < in / ig; ++i) {
      for (int64_t n = 0; n < count; ++n) {
        int64_t c = code[static_cast<size_t>((o * (in / ig) + i) * count + n)];
        if (c < 0) c += entries;  // stored in a signed type of just enough bits
        r.check(c >= 0 && c < entries, "a code is out of range");
        for (int64_t a = 0; a < og; ++a)
          for (int64_t b = 0; b < ig; ++b) to[(o * og + a) * in + i * ig + b] += book[static_cast<size_t>(((n * entries + c) * og + a) * ig + b)];
      }
      for (int64_t a = 0; a < og; ++a)
        for (int64_t b = 0; b < ig; ++b) to[(o * og + a) * in + i * ig + b] *= scale[static_cast<size_t>(o)];
    }
  return y;
}

}  // namespace transformers
