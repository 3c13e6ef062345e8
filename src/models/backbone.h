// Image backbones: models whose forward gives "feature_maps" of chosen stages. Reference: utils/backbone_utils.py.
#pragma once
#include "models/registry.h"

namespace transformers {

/// The stages of a backbone and which of them are given out (config: out_features or out_indices; the last by default).
struct BackboneStages {
  std::vector<std::string> names;
  std::vector<int64_t> out;  ///< Indices into names, ascending.
  BackboneStages() = default;
  /// Throws ConfigError when out_features or out_indices name no stage, repeat one, are out of order or disagree.
  BackboneStages(const Json& config, std::vector<std::string> names);
  /// "stem", "stage1", ... for `count` stages after the stem.
  static std::vector<std::string> standard_names(int64_t count);
  bool has(int64_t stage) const;
  /// The chosen ones of all stages' maps.
  std::vector<Tensor> pick(const std::vector<Tensor>& maps) const;
};

/// Base of every class behind AutoBackbone.
struct BackboneModel : Model {
  BackboneStages stages;
  std::vector<int64_t> num_features;       ///< Channels of every stage, the stem included.
  std::vector<int64_t> channels() const;   ///< Channels of the maps that are given out.
  const char* main_input_name() const override { return "pixel_values"; }
};

/// The backbone that a parent's config asks for (backbone_config). Throws UnsupportedError where it would have to be
/// downloaded by name or comes from the timm library.
std::unique_ptr<BackboneModel> make_backbone(const Scope& w, const Json& parent);
/// From the backbone's own config.
std::unique_ptr<BackboneModel> make_backbone_from(const Scope& w, const Json& config);

}  // namespace transformers
