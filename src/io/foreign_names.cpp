// Rules of names and transpositions. Reference: transformers/modeling_flax_pytorch_utils.py
// (load_flax_weights_in_pytorch_model), transformers/modeling_tf_pytorch_utils.py (convert_tf_weight_name_to_pt_weight_name).
#include "io/foreign_names.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace transformers {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) parts.emplace_back(path.substr(begin, end - begin));  // empty levels vanish
    begin = end + 1;
  }
  return parts;
}
std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : ".") + p;
  return out;
}
Tensor reversed(const Tensor& t) {
  Shape order;
  for (int64_t i = t.rank() - 1; i >= 0; --i) order.push_back(i);
  return t.rank() > 1 ? t.permute(order) : t;
}
// [h, w, in, out] -> [out, in, h, w]
Tensor convolution(const Tensor& t) { return t.permute({3, 2, 0, 1}); }

void replace_all(std::string& s, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = s.find(from, at)) != std::string::npos; at += to.size()) s.replace(at, from.size(), to);
}

}  // namespace

ForeignWeight flax_weight(const std::string& path, const Tensor& tensor) {
  std::vector<std::string> parts = split(path);
  if (parts.empty()) return {path, tensor};
  if (parts.size() > 1 && (parts[0] == "params" || parts[0] == "batch_stats")) parts.erase(parts.begin());
  std::string& last = parts.back();
  Tensor t = tensor;
  if (last == "kernel") t = t.rank() == 4 ? convolution(t) : reversed(t);
  if (last == "kernel" || last == "scale" || last == "embedding") last = "weight";
  else if (last == "mean") last = "running_mean";
  else if (last == "var") last = "running_var";
  return {join(parts), t};
}

ForeignWeight tf_weight(const std::string& path, const Tensor& tensor) {
  std::string name = path;
  replace_all(name, ":0", "");
  std::vector<std::string> levels = split(name);
  // "a___b" inside of a path stands for "b"; "_._" is a level of its own.
  for (size_t i = 1; i + 1 < levels.size(); ++i) {
    const size_t at = levels[i].rfind("___");
    if (at != std::string::npos) levels[i].erase(0, at + 3);
  }
  name.clear();
  for (const std::string& level : levels) name += "/" + level;
  replace_all(name, "_._", "/");
  std::vector<std::string> parts = split(name);
  if (parts.empty()) return {path, tensor};
  if (parts.size() > 1) parts.erase(parts.begin());  // the model's own name
  std::string& last = parts.back();
  const auto has = [&](const char* level) { return std::find(parts.begin(), parts.end(), level) != parts.end(); };
  Tensor t = tensor;
  if (last == "kernel" && t.rank() == 4) t = convolution(t);
  else if (last == "kernel" || last == "pointwise_kernel" || last == "depthwise_kernel" || has("emb_projs") || has("out_projs")) t = reversed(t);
  if (last == "kernel" || last == "embeddings" || last == "gamma") last = "weight";
  else if (last == "beta") last = "bias";
  else if (last == "pointwise_kernel") last = "pointwise.weight";
  else if (last == "depthwise_kernel") last = "depthwise.weight";
  if (last == "bias" && t.rank() == 2 && t.dim(0) == 1) t = t.squeeze(0);  // TF's Conv1D keeps [1, C]
  return {join(parts), t};
}

}  // namespace transformers
