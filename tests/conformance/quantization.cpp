// Conformance area `quantization`: stored tensors of every method to the dense weight and its product. Format: the README
// beside the data.
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "deterministic.h"
#include "io/state_dict.h"
#include "models/loader.h"
#include "ops/blocks.h"
#include "ops/matmul.h"
#include "quantizers/quantizers.h"
#include "runner.h"
#include "transformers/error.h"

namespace transformers::conformance {
namespace {

Tensor det_tensor(const Json& holder) {
  const Json& d = holder.at("det");
  return deterministic(d.at("seed").as_string() + d.at("name").as_string(), shape_of(d.at("shape")), d.at("scale").as_double(), d.at("offset").as_double());
}

const Tensor& stored(const StateDict& tensors, const std::string& key) {
  const auto found = tensors.tensors.find(key);
  if (found == tensors.tensors.end()) throw CheckpointError({"no tensor ", key});
  return found->second.tensor;
}

double greatest(const Tensor& t) {
  double top = 0;
  for (float v : t.to_floats())
    if (std::isfinite(v)) top = std::max(top, std::fabs(static_cast<double>(v)));
  return top;
}

// Compares at a few float32 roundings of the largest value.
std::string close(const std::string& what, const Tensor& ours, const Tensor& expected, double absolute) {
  if (!(ours.shape() == expected.shape())) return cat({what, ": shape ", ours.shape().str(), ", expected ", expected.shape().str()});
  const std::string why = compare(ours, expected, 1, absolute);
  return why.empty() ? "" : what + ": " + why;
}

std::string check_product(const Json& c, const StateDict& tensors, const Tensor& weight) {
  if (!c.contains("y") || weight.rank() != 2) return "";
  const Tensor y = stored(tensors, c.at("y").as_string());
  return close("y", linear(det_tensor(c.at("x")), weight), y, 4 * c.at("y_max_diff_f64").as_double() + 1e-5 * greatest(y));
}

std::string check_gguf(const Json& c, const StateDict& tensors) {
  const auto type = block_type_from_number(static_cast<uint32_t>(c.at("type_id").as_int()));
  if (!type) return "unknown block type";
  if (block_values(*type) != c.at("block_size").as_int() || block_bytes(*type) != c.at("type_size").as_int()) return "block size";
  const Tensor blocks = stored(tensors, c.at("tensors").at("blocks").as_string()), expected = stored(tensors, c.at("dequantized").as_string());
  const Tensor values = dequantize_blocks(*type, blocks, expected.dim(1));
  std::string why = close("values", values, expected, 0);
  if (!why.empty()) return why;
  if (c.contains("source_weight")) {
    try {
      const Tensor ours = quantize_blocks(*type, det_tensor(c.at("source_weight")));
      if (!(ours.shape() == blocks.shape())) return "quantized blocks have another shape";
      const Tensor plain = blocks.contiguous();
      int64_t wrong = 0;
      for (int64_t i = 0; i < ours.numel(); ++i) wrong += ours.data<uint8_t>()[i] != plain.data<uint8_t>()[i];
      if (wrong) return cat({wrong, " of ", ours.numel(), " quantized bytes differ"});
    } catch (const UnsupportedError&) {  // the library offers no quantizer for this type; reading it is what counts
    }
  }
  why = check_product(c, tensors, values);
  if (!why.empty() || !c.contains("y")) return why;
  // The product on the stored blocks: 8-bit activations, so an error of about 1/254 of each block's largest activation.
  const Tensor x = det_tensor(c.at("x")), y = stored(tensors, c.at("y").as_string());
  const auto matrix = make_block_matrix(*type, blocks, values.dim(0), values.dim(1));
  why = close("block matrix", block_matrix_values(*matrix), expected, 0);
  if (!why.empty()) return why;
  return close("block product", linear_blocks(x, matrix), y, 0.03 * greatest(y));
}

std::string check_layer(const Json& c, const StateDict& tensors) {
  LayerTensors layer;
  for (const auto& [name, key] : c.at("tensors").as_object()) layer[name] = stored(tensors, key.as_string());
  const Tensor expected = stored(tensors, c.at("dequantized").as_string());
  Json config = c["quantization_config"];
  for (const char* key : {"meta", "packed", "group_size", "axis", "block_size"})  // what the tool keeps beside its tensors
    if (c.contains(key)) config.set(key, c[key]);
  const Tensor ours = dequantize_layer(c.at("method").as_string(), config, layer, c.contains("out_in") ? shape_of(c.at("out_in")) : expected.shape());
  const std::string why = close("weight", ours, expected, 2e-6 * greatest(expected));
  return why.empty() ? check_product(c, tensors, ours) : why;
}

// A whole folder: loads, and gives the logits of the dequantized weights. The unquantized model is built from its weights.
std::string check_model(const Json& c, const StateDict& tensors, const std::string& dir, const Json& plain) {
  std::unique_ptr<Model> model;
  if (c.contains("folder")) {
    model = ModelLoader::class_from_pretrained(plain.at("architecture").as_string(), join_path(dir, c.at("folder").as_string()), {});
  } else {
    StateDict weights;
    for (const Json& t : c.at("tensors").as_array()) {
      const std::string& name = t.at(size_t{0}).as_string();
      weights.add(name, deterministic(c.at("seed").as_string() + name, shape_of(t.at(1)), t.at(2).as_double(), t.at(3).as_double()));
    }
    model = ModelLoader::build(ModelRegistry::instance().class_of(c.at("architecture").as_string()), c.at("config"), &weights, {});
  }
  std::vector<int64_t> ids;
  const Json& rows = c.at("input_ids");
  for (const Json& row : rows.as_array())
    for (const Json& id : row.as_array()) ids.push_back(id.as_int());
  const int64_t batch = static_cast<int64_t>(rows.size());
  NoGrad no_grad;
  Inputs in;
  in.set("input_ids", Tensor::from(ids, {batch, static_cast<int64_t>(ids.size()) / batch}));
  const Tensor want = stored(tensors, c.at("logits").as_string());
  const double diff = c.contains("max_diff_f64") ? c.at("max_diff_f64").as_double() : 0;
  return close("logits", model->forward(in).tensor("logits"), want, 4 * diff + 1e-5 * std::max(1.0, greatest(want)));
}

std::string check_tables(const Json& c) {
  if (c.contains("e4m3fn")) {
    for (int i = 0; i < 256; ++i) {
      const struct { const char* name; float ours; } rows[] = {{"e4m3fn", f8_e4m3_to_float(static_cast<uint8_t>(i))}, {"e5m2", f8_e5m2_to_float(static_cast<uint8_t>(i))}};
      for (const auto& r : rows) {
        if (!c.contains(r.name)) continue;
        const Json& v = c.at(r.name).at(static_cast<size_t>(i));
        const double want = v.is_string() ? (v.as_string() == "nan" ? NAN : v.as_string() == "inf" ? INFINITY : -INFINITY) : v.as_double();
        if (!(std::isnan(want) ? std::isnan(r.ours) : r.ours == static_cast<float>(want))) return cat({r.name, " byte ", i, " is ", double{r.ours}, ", expected ", want});
      }
    }
    return "";
  }
  for (const char* kind : {"nf4", "fp4"}) {
    // One block of all sixteen codes, scale 1: the layer's own reader must give the table.
    std::vector<uint8_t> codes;
    for (int i = 0; i < 16; i += 2) codes.push_back(static_cast<uint8_t>(i << 4 | (i + 1)));
    Json config;
    config.set("quant_method", "bitsandbytes"), config.set("bnb_4bit_quant_type", kind), config.set("load_in_4bit", true);
    const LayerTensors layer{{"weight", Tensor::from(codes, {8, 1})}, {"weight.absmax", Tensor::of({1})}};
    const std::vector<float> ours = dequantize_layer("bitsandbytes_4bit", config, layer, {1, 16}).to_floats();
    for (size_t i = 0; i < 16; ++i)
      if (std::fabs(ours[i] - c.at(kind).at(i).as_double()) > 1e-7) return cat({kind, " code ", static_cast<uint64_t>(i), " is ", double{ours[i]}});
  }
  return "";
}

}  // namespace

void run_quantization(Runner& runner, const std::string& dir) {
  for (const std::string& file : list_directory(dir)) {
    if (file.size() < 6 || file.substr(file.size() - 6) != ".jsonl") continue;
    const std::string stem = file.substr(0, file.size() - 6);
    runner.begin(stem);
    const StateDict tensors = load_safetensors(join_path(dir, stem + ".safetensors"));
    const std::string text = read_file(join_path(dir, file));
    Json plain;  // models: the first line, which the folders were made from
    if (stem == "models") plain = Json::parse(std::string_view(text).substr(0, text.find('\n')), file);
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      if (end > begin) {
        const Json c = Json::parse(std::string_view(text).substr(begin, end - begin), file);
        runner.run(c.at("id").as_string(), [&]() -> std::string {
          if (stem == "models") return check_model(c, tensors, dir, plain);
          if (c.at("id").as_string() == "tables") return check_tables(c);
          return stem == "gguf_blocks" ? check_gguf(c, tensors) : check_layer(c, tensors);
        });
      }
      begin = end + 1;
    }
  }
}

}  // namespace transformers::conformance
