// Choosing stages and building nested backbones.
#include "models/backbone.h"

#include <algorithm>

namespace transformers {

std::vector<std::string> BackboneStages::standard_names(int64_t count) {
  std::vector<std::string> names{"stem"};
  for (int64_t i = 1; i <= count; ++i) names.push_back("stage" + std::to_string(i));
  return names;
}

BackboneStages::BackboneStages(const Json& config, std::vector<std::string> all) : names(std::move(all)) {
  const int64_t n = static_cast<int64_t>(names.size());
  std::vector<int64_t> by_name, by_index;
  for (const std::string& name : config.get("out_features", std::vector<std::string>{})) {
    const auto it = std::find(names.begin(), names.end(), name);
    if (it == names.end()) throw ConfigError({"config: out_features has \"", name, "\", which is no stage.", did_you_mean(name, names)});
    by_name.push_back(it - names.begin());
  }
  for (const int64_t index : config.get("out_indices", std::vector<int64_t>{})) {
    if (index >= n || index < -n) throw ConfigError({"config: out_indices has ", index, ", but there are ", n, " stages"});
    by_index.push_back(index < 0 ? index + n : index);
  }
  if (!by_name.empty() && !by_index.empty() && by_name != by_index)
    throw ConfigError("config: out_features and out_indices should correspond to the same stages if both are set");
  out = !by_name.empty() ? by_name : !by_index.empty() ? by_index : std::vector<int64_t>{n - 1};
  for (size_t i = 1; i < out.size(); ++i)
    if (out[i] <= out[i - 1]) throw ConfigError("config: out_features and out_indices must name stages in order, without duplicates");
}

bool BackboneStages::has(int64_t stage) const { return std::find(out.begin(), out.end(), stage) != out.end(); }

std::vector<Tensor> BackboneStages::pick(const std::vector<Tensor>& maps) const {
  std::vector<Tensor> chosen;
  for (const int64_t i : out) chosen.push_back(maps.at(static_cast<size_t>(i)));
  return chosen;
}

std::vector<int64_t> BackboneModel::channels() const {
  std::vector<int64_t> chosen;
  for (const int64_t i : stages.out) chosen.push_back(num_features.at(static_cast<size_t>(i)));
  return chosen;
}

std::unique_ptr<BackboneModel> make_backbone_from(const Scope& w, const Json& config) {
  const ModelFamily& family = ModelRegistry::instance().family_of(config.get("model_type", ""));
  const ModelClass* type = family.find_auto("AutoBackbone");
  if (!type) throw UnsupportedError({"model_type \"", family.model_type(), "\" has no backbone class"});
  std::unique_ptr<Model> model = type->make(w, config);
  auto* backbone = dynamic_cast<BackboneModel*>(model.get());
  if (!backbone) throw UnsupportedError({type->name, ": cannot serve as a backbone of another model"});
  model.release();
  return std::unique_ptr<BackboneModel>(backbone);
}

std::unique_ptr<BackboneModel> make_backbone(const Scope& w, const Json& parent) {
  const Json& config = parent["backbone_config"];
  if (config.is_object()) {
    if (!parent["backbone"].is_null()) throw ConfigError("config: You can't specify both `backbone` and `backbone_config`.");
    return make_backbone_from(w, config);
  }
  const std::string name = parent.get("backbone", "");
  throw UnsupportedError({"config: backbone \"", name, "\"", parent.get("use_timm_backbone", false) ? " of the timm library" : "",
                          " is only a name; give its description as backbone_config"});
}

}  // namespace transformers
