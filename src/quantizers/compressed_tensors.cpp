// compressed-tensors checkpoints (llm-compressor): pack-quantized (offset binary in int32 words, lowest first, zero points
// packed down the rows), int- and float-quantized (plain low-bit tensors), sparse bitmask.
#include <algorithm>

#include "quantizers/layer.h"

namespace transformers {
namespace {

const Json* weight_scheme(const Json& config) {
  for (const auto& [name, group] : config["config_groups"].is_object() ? config["config_groups"].as_object() : Json::Object{})
    if (group.find("weights") && group.find("weights")->is_object()) return config["config_groups"].find(name)->find("weights");
  return nullptr;
}

// Scales or zero points [out, groups], [out, 1] or one number: which one belongs to (o, k).
struct Grid {
  std::vector<float> values;
  int64_t rows, cols, in;
  std::vector<int64_t> group;  // of each input when they are not in order
  float at(int64_t o, int64_t k) const {
    const int64_t c = cols == 1 ? 0 : group.empty() ? k / (in / cols) : group[static_cast<size_t>(k)];
    return values[static_cast<size_t>((rows == 1 ? 0 : o) * cols + c)];
  }
};
Grid grid(const LayerReader& r, std::vector<float> values, int64_t cols, int64_t out, int64_t in) {
  Grid g{std::move(values), 0, std::max<int64_t>(1, cols), in, {}};
  g.rows = static_cast<int64_t>(g.values.size()) / g.cols;
  r.check(g.rows * g.cols == static_cast<int64_t>(g.values.size()) && (g.rows == 1 || g.rows == out) && in % g.cols == 0, "scales do not fit the layer");
  if (r.has("weight_g_idx")) {
    g.group = r.ints("weight_g_idx");
    r.check(static_cast<int64_t>(g.group.size()) == in, "weight_g_idx must have one entry per input");
    for (int64_t v : g.group) r.check(v >= 0 && v < g.cols, "a group index is out of range");
  }
  return g;
}
int64_t columns(const Tensor& t) { return t.rank() == 2 ? t.dim(1) : 1; }

Tensor sparse_bitmask(const LayerReader& r, const Shape& out_in) {
  const std::vector<float> values = r.floats("compressed");
  const std::vector<uint8_t> mask = r.bytes("bitmask");
  const int64_t out = out_in[0], in = out_in[1], row_bytes = (in + 7) / 8;
  r.check(static_cast<int64_t>(mask.size()) == out * row_bytes, "bitmask does not fit the layer " + out_in.str());
  Tensor y = Tensor::zeros({out, in});
  size_t next = 0;
  for (int64_t o = 0; o < out; ++o)
    for (int64_t k = 0; k < in; ++k)
      if (mask[static_cast<size_t>(o * row_bytes + k / 8)] >> (k % 8) & 1) {
        r.check(next < values.size(), "fewer values than bits in the mask");
        y.mutable_data<float>()[o * in + k] = values[next++];
      }
  r.check(next == values.size(), "more values than bits in the mask");
  return y;
}

}  // namespace

Tensor dequantize_compressed_tensors(const Json& config, const LayerTensors& tensors, const Shape& out_in) {
  const LayerReader r("compressed-tensors", tensors);
  const int64_t out = out_in[0], in = out_in[1];
  if (r.has("compressed")) return sparse_bitmask(r, out_in);
  const Json* scheme = weight_scheme(config);
  const int64_t bits = scheme ? scheme->get("num_bits", 8) : 8;
  const Tensor& stored_scale = r.get("weight_scale");
  const Grid scale = grid(r, stored_scale.to_floats(), columns(stored_scale), out, in);
  Tensor y;
  std::vector<float> zeros;
  int64_t zero_columns = 1;
  if (r.has("weight_packed")) {
    r.check(bits >= 1 && bits <= 8, cat({"num_bits must be 1..8, got ", bits}));
    const int64_t fields = 32 / bits, half = int64_t{1} << (bits - 1), mask = (int64_t{1} << bits) - 1;
    const Tensor& packed = r.get("weight_packed", 2);
    const int64_t width = (in + fields - 1) / fields;
    r.check(packed.shape() == Shape{out, width}, "weight_packed " + packed.shape().str() + " does not fit the layer " + out_in.str());
    const std::vector<uint32_t> words = r.words("weight_packed");
    y = Tensor::empty({out, in});
    for (int64_t i = 0; i < out * in; ++i) {
      const int64_t k = i % in, q = words[static_cast<size_t>(i / in * width + k / fields)] >> (k % fields * bits) & mask;
      y.mutable_data<float>()[i] = static_cast<float>(q - half);
    }
    if (r.has("weight_zero_point")) {
      const Tensor& z = r.get("weight_zero_point", 2);
      zero_columns = z.dim(1);
      if (z.dtype() == DType::i32) {
        r.check(z.dim(0) == (out + fields - 1) / fields, "weight_zero_point " + z.shape().str() + " does not fit");
        const std::vector<uint32_t> packed_zeros = r.words("weight_zero_point");
        for (int64_t o = 0; o < out; ++o)
          for (int64_t c = 0; c < zero_columns; ++c)
            zeros.push_back(static_cast<float>(static_cast<int64_t>(packed_zeros[static_cast<size_t>(o / fields * zero_columns + c)] >> (o % fields * bits) & mask) - half));
      } else {
        zeros = z.to_floats();
      }
    }
  } else {
    const Tensor& w = r.get("weight", 2);
    r.check(w.shape() == out_in, "weight " + w.shape().str() + " does not fit the layer " + out_in.str());
    y = w.detach().to(DType::f32).clone();
    if (r.has("weight_zero_point")) zeros = r.floats("weight_zero_point"), zero_columns = columns(r.get("weight_zero_point"));
  }
  Grid zero;
  if (!zeros.empty()) zero = grid(r, std::move(zeros), zero_columns, out, in);
  float* to = y.mutable_data<float>();
  for (int64_t o = 0; o < out; ++o)
    for (int64_t k = 0; k < in; ++k) to[o * in + k] = (to[o * in + k] - (zero.values.empty() ? 0.0f : zero.at(o, k))) * scale.at(o, k);
  return y;
}

}  // namespace transformers
