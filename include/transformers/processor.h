// Processors: pictures and sound to model inputs, by the folder's preprocessor_config.json.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "transformers/json.h"
#include "transformers/model.h"

namespace transformers {

/// 8-bit RGB, rows from the top: pixels[(y * width + x) * 3 + channel].
struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> pixels;
};
/// Decodes JPEG, PNG or binary PPM by content. Throws IoError, CheckpointError for damage, UnsupportedError for other formats.
Image load_image(const std::string& path);

/// Mono samples in [-1, 1].
struct Audio {
  std::vector<float> samples;
  int64_t sampling_rate = 16000;
};
/// Any format that libsndfile reads; channels are averaged, then resampled to `sampling_rate` (0: as in the file).
Audio load_audio(const std::string& path, int64_t sampling_rate = 0);

/// Pictures -> "pixel_values" [B, 3, H, W]: resize, centre crop, rescale, normalise as the config says.
class ImageProcessor {
 public:
  explicit ImageProcessor(Json config);
  Inputs operator()(const std::vector<Image>& images) const;
  const Json& config() const { return config_; }

 private:
  Json config_;
};

/// Sound -> "input_features" [B, M, F] (Whisper) or "input_values" [B, L] (wav2vec 2).
class FeatureExtractor {
 public:
  explicit FeatureExtractor(Json config);
  /// Throws ValueError when the sampling rate is not the model's.
  Inputs operator()(const std::vector<Audio>& sounds) const;
  const Json& config() const { return config_; }
  int64_t sampling_rate() const { return config_.get("sampling_rate", 16000); }

 private:
  Json config_;
};

/// As in the reference, Auto classes are not made but loaded: the constructors throw IoError with its message.
struct AutoFeatureExtractor {
  AutoFeatureExtractor();
  static FeatureExtractor from_pretrained(const std::string& folder);
};
struct AutoImageProcessor {
  AutoImageProcessor();
  static ImageProcessor from_pretrained(const std::string& folder);
};

}  // namespace transformers
