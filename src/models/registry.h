// The registry of architectures: model_type -> its classes. A model file adds itself through one line in models.def.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "models/config.h"
#include "nn/text.h"
#include "transformers/model.h"

namespace transformers {

using Factory = std::function<std::unique_ptr<Model>(const Scope& root, const Json& config)>;

/// One class of the reference: "BertForMaskedLM" of model_type "bert".
struct ModelClass {
  std::string name, model_type, base_model_prefix;
  Factory make;
  std::vector<std::string> autos;  ///< Auto classes that give this class: "AutoModelForMaskedLM", ...
};

/// The classes of one model_type.
class ModelFamily {
 public:
  ModelFamily(std::string model_type, std::string prefix) : model_type_(std::move(model_type)), prefix_(std::move(prefix)) {}
  /// A class built by `make`. `prefix`: its own base_model_prefix where it differs from the family's.
  ModelFamily& add(const std::string& name, Factory make, std::vector<std::string> autos = {}, const std::string& prefix = "");
  /// Checkpoint names containing `from` are read as if they had `to` ("LayerNorm.gamma" -> "LayerNorm.weight").
  ModelFamily& rename(const std::string& from, const std::string& to) { renames_.emplace_back(from, to); return *this; }
  /// Checkpoint names matching this suffix or containing it are not reported as unexpected.
  ModelFamily& ignore_unexpected(const std::string& part) { ignored_.push_back(part); return *this; }
  const ModelClass* find(std::string_view class_name) const;
  const ModelClass* find_auto(std::string_view auto_name) const;
  const std::vector<ModelClass>& classes() const { return classes_; }
  const std::string& model_type() const { return model_type_; }
  const std::vector<std::pair<std::string, std::string>>& renames() const { return renames_; }
  const std::vector<std::string>& ignored() const { return ignored_; }

 private:
  std::string model_type_, prefix_;
  std::vector<ModelClass> classes_;
  std::vector<std::pair<std::string, std::string>> renames_;
  std::vector<std::string> ignored_;
};

class ModelRegistry {
 public:
  static const ModelRegistry& instance();
  ModelFamily& family(const std::string& model_type, const std::string& base_model_prefix);
  /// Throws UnsupportedError naming the nearest known types.
  const ModelFamily& family_of(std::string_view model_type) const;
  const ModelFamily* find_family(std::string_view model_type) const;
  /// By class name over all families; throws UnsupportedError with near names.
  const ModelClass& class_of(std::string_view class_name) const;
  std::vector<std::string> model_types() const;

 private:
  std::map<std::string, ModelFamily, std::less<>> families_;
};

/// Factory of a class that is constructed as T(scope, config).
template <class T> Factory make() {
  return [](const Scope& w, const Json& config) -> std::unique_ptr<Model> { return std::make_unique<T>(w, config); };
}

}  // namespace transformers
