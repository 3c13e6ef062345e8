// Auto classes: from a model folder (or a GGUF file) to a ready object, by the reference's names.
#pragma once
#include <memory>
#include <string>

#include "transformers/model.h"

namespace transformers {

/// Options of from_pretrained.
struct PretrainedOptions {
  std::string dtype = "float32";          ///< "auto" keeps the checkpoint's type; else a dtype name.
  bool output_attentions = false;         ///< Sets the config's field of that name.
  bool output_hidden_states = false;
  bool ignore_mismatched_sizes = false;   ///< Mismatched tensors are re-initialised instead of an error.
  /// "cpu", "auto" (the CPU), or a JSON object of module prefixes and devices ({"encoder": 0, "decoder": 1}), all of which
  /// are the CPU in this build. Others: UnsupportedError.
  std::string device_map = "cpu";
  std::string revision = "main";          ///< For Hub ids.
  std::string cache_dir;                  ///< For Hub ids; empty: HF_HUB_CACHE.
  bool local_files_only = false;
  std::string variant;                    ///< "fp16": model.fp16.safetensors.
  Json config;                            ///< Fields that override config.json's.
};

/// config.json as an object; save with Json::save.
struct AutoConfig {
  static Json from_pretrained(const std::string& path, const PretrainedOptions& options = {});
  /// The defaults of a model_type with `fields` set. Throws UnsupportedError with near names.
  static Json for_model(const std::string& model_type, const Json& fields = Json::object());
};

/// Config of an encoder and a decoder put together (model_type "encoder-decoder"); the decoder gets is_decoder and
/// add_cross_attention. Each part is a config with its model_type; other fields have that model's defaults.
struct EncoderDecoderConfig {
  static Json from_encoder_decoder_configs(const Json& encoder, const Json& decoder, const Json& fields = Json::object());
};
/// The same with an encoder of pictures (model_type "vision-encoder-decoder").
struct VisionEncoderDecoderConfig {
  static Json from_encoder_decoder_configs(const Json& encoder, const Json& decoder, const Json& fields = Json::object());
};

struct GenerationOutput;
struct GenerationConfig;
class BatchEncoding;

/// A model with its generation loop: what the Auto classes return. Cheap to copy; copies share the model.
class PretrainedModel {
 public:
  PretrainedModel() = default;
  explicit PretrainedModel(std::shared_ptr<Model> model) : model_(std::move(model)) {}
  Model* operator->() const { return model_.get(); }
  Model& operator*() const { return *model_; }
  const std::shared_ptr<Model>& shared() const { return model_; }
  Outputs operator()(const Inputs& in) const { return (*model_)(in); }
  Outputs operator()(const BatchEncoding& encoding) const;
  /// Token ids [B, T] as the reference's generate; see transformers/generation.h for the options.
  Tensor generate(const Inputs& in, const GenerationConfig& options) const;
  Tensor generate(const BatchEncoding& encoding, const GenerationConfig& options) const;

 private:
  std::shared_ptr<Model> model_;
};

/// Keys that load_sharded_checkpoint did not find, and those it had no use for.
struct IncompatibleKeys {
  std::vector<std::string> missing_keys, unexpected_keys;
};
/// Copies the tensors of a folder with model.safetensors.index.json (or pytorch_model.bin.index.json) into an existing
/// model, cast to its dtype. `strict`: CheckpointError when keys are missing or unexpected. Throws IoError without an
/// index, CheckpointError on another shape.
IncompatibleKeys load_sharded_checkpoint(Model& model, const std::string& folder, bool strict = true);

/// What every AutoModel class offers.
#define TRANSFORMERS_AUTO_CLASS(Name)                                                                            \
  struct Name {                                                                                                  \
    /** Loads a folder, a Hub id or a GGUF file. Throws IoError, ConfigError, CheckpointError, UnsupportedError. */ \
    static PretrainedModel from_pretrained(const std::string& path, const PretrainedOptions& options = {});     \
    /** A model with the reference's random initialisation. */                                                 \
    static PretrainedModel from_config(const Json& config, const PretrainedOptions& options = {});              \
  };
#include "transformers/auto_classes.def"
#undef TRANSFORMERS_AUTO_CLASS

}  // namespace transformers
