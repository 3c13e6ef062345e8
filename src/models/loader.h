// From folders (or one GGUF file) to models, and from configs to random models.
#pragma once
#include "io/state_dict.h"
#include "models/registry.h"
#include "transformers/auto.h"

namespace transformers {

class ModelLoader {
 public:
  /// config.json of a folder, or what a GGUF file says of itself. Throws ConfigError, IoError.
  static Json load_config(const std::string& path);
  /// Builds `type` from a checkpoint already read. Throws CheckpointError listing keys when shapes do not fit.
  static std::unique_ptr<Model> build(const ModelClass& type, const Json& config, const StateDict* checkpoint, const PretrainedOptions& options);
  /// The class for an Auto class name and a config; throws UnsupportedError naming the classes the type has.
  static const ModelClass& choose(std::string_view auto_name, const Json& config);
  static std::unique_ptr<Model> from_pretrained(std::string_view auto_name, const std::string& path, const PretrainedOptions& options);
  static std::unique_ptr<Model> from_config(std::string_view auto_name, const Json& config, const PretrainedOptions& options = {});
  /// By exact class name ("BertForMaskedLM").
  static std::unique_ptr<Model> class_from_pretrained(std::string_view class_name, const std::string& path, const PretrainedOptions& options);
};

}  // namespace transformers
