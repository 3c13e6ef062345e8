// The registry: families by model_type, filled on first use from models.def.
#include "models/registry.h"

namespace transformers {

#define TRANSFORMERS_MODEL(name) void register_##name(ModelRegistry&);
#include "models/models.def"
#undef TRANSFORMERS_MODEL

const ModelRegistry& ModelRegistry::instance() {
  static const ModelRegistry registry = [] {
    ModelRegistry r;
#define TRANSFORMERS_MODEL(name) register_##name(r);
#include "models/models.def"
#undef TRANSFORMERS_MODEL
    return r;
  }();
  return registry;
}

ModelFamily& ModelFamily::add(const std::string& name, Factory make, std::vector<std::string> autos, const std::string& prefix) {
  classes_.push_back({name, model_type_, prefix.empty() ? prefix_ : prefix, std::move(make), std::move(autos)});
  return *this;
}
const ModelClass* ModelFamily::find(std::string_view name) const {
  for (const ModelClass& c : classes_)
    if (c.name == name) return &c;
  return nullptr;
}
const ModelClass* ModelFamily::find_auto(std::string_view name) const {
  for (const ModelClass& c : classes_)
    for (const std::string& a : c.autos)
      if (a == name) return &c;
  return nullptr;
}

ModelFamily& ModelRegistry::family(const std::string& model_type, const std::string& prefix) {
  return families_.try_emplace(model_type, model_type, prefix).first->second;
}
const ModelFamily* ModelRegistry::find_family(std::string_view model_type) const {
  const auto it = families_.find(model_type);
  return it == families_.end() ? nullptr : &it->second;
}
std::vector<std::string> ModelRegistry::model_types() const {
  std::vector<std::string> names;
  for (const auto& [name, family] : families_) names.push_back(name);
  return names;
}
const ModelFamily& ModelRegistry::family_of(std::string_view model_type) const {
  if (const ModelFamily* f = find_family(model_type)) return *f;
  throw UnsupportedError({"unknown model_type \"", model_type, "\".", did_you_mean(model_type, model_types()), " `transformers env` lists the known types."});
}
const ModelClass& ModelRegistry::class_of(std::string_view class_name) const {
  std::vector<std::string> names;
  for (const auto& [type, family] : families_) {
    if (const ModelClass* c = family.find(class_name)) return *c;
    for (const ModelClass& c : family.classes()) names.push_back(c.name);
  }
  throw UnsupportedError({"unknown model class \"", class_name, "\".", did_you_mean(class_name, names)});
}

}  // namespace transformers
