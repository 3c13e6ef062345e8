// Image processors by configuration. Reference: transformers/image_transforms.py and the families' image_processing files.
// B pictures, H x W pixels.
#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "processors/resample.h"
#include "transformers/error.h"
#include "transformers/processor.h"

namespace transformers {
namespace {

struct Size { int64_t height = 0, width = 0; };

// "size" in all its forms: a number, {"height", "width"}, {"shortest_edge"[, "longest_edge"]}.
Size target_size(const Json& size, const Image& image, bool square) {
  const auto by_shortest = [&](int64_t edge, int64_t longest) -> Size {
    const int64_t s = std::min(image.width, image.height), l = std::max(image.width, image.height);
    int64_t new_short = edge, new_long = static_cast<int64_t>(static_cast<double>(edge) * static_cast<double>(l) / static_cast<double>(s));
    if (longest > 0 && new_long > longest) new_short = static_cast<int64_t>(static_cast<double>(longest) * static_cast<double>(new_short) / static_cast<double>(new_long)), new_long = longest;
    return image.width <= image.height ? Size{new_long, new_short} : Size{new_short, new_long};
  };
  if (size.is_int()) return square ? Size{size.as_int(), size.as_int()} : by_shortest(size.as_int(), 0);
  if (size.contains("height")) return {size.at("height").as_int(), size.at("width").as_int()};
  if (size.contains("shortest_edge")) return by_shortest(size.at("shortest_edge").as_int(), size.get("longest_edge", 0));
  throw ConfigError("preprocessor_config.json: size needs height and width, or shortest_edge");
}

Image center_crop(const Image& in, Size crop) {
  Image out{crop.width, crop.height, std::vector<uint8_t>(static_cast<size_t>(crop.width * crop.height * 3), 0)};
  // Floor division as in Python: a picture smaller than the crop is padded with zeros.
  const auto half = [](int64_t a) { return a >= 0 ? a / 2 : -((-a + 1) / 2); };
  const int64_t top = half(in.height - crop.height), left = half(in.width - crop.width);
  for (int64_t y = 0; y < crop.height; ++y)
    for (int64_t x = 0; x < crop.width; ++x) {
      const int64_t sy = y + top, sx = x + left;
      if (sy < 0 || sx < 0 || sy >= in.height || sx >= in.width) continue;
      std::copy_n(&in.pixels[static_cast<size_t>((sy * in.width + sx) * 3)], 3, &out.pixels[static_cast<size_t>((y * crop.width + x) * 3)]);
    }
  return out;
}

}  // namespace

ImageProcessor::ImageProcessor(Json config) : config_(std::move(config)) {
  static const std::vector<std::string> unsupported{"DetrImageProcessor", "ConvNextImageProcessor", "EfficientNetImageProcessor", "LayoutLMv2ImageProcessor"};
  const std::string type = config_.get("image_processor_type", config_.get("feature_extractor_type", ""));
  for (const std::string& u : unsupported)
    if (type.rfind(u.substr(0, u.size() - 14), 0) == 0) throw UnsupportedError({"image processor ", type, " is not supported yet"});
}

Inputs ImageProcessor::operator()(const std::vector<Image>& images) const {
  if (images.empty()) throw ValueError("image processor: no pictures given");
  const bool do_resize = config_.get("do_resize", true), do_crop = config_.get("do_center_crop", false), do_rescale = config_.get("do_rescale", true), do_normalize = config_.get("do_normalize", true);
  const std::string type = config_.get("image_processor_type", config_.get("feature_extractor_type", ""));
  const bool square = type.rfind("CLIP", 0) != 0;
  const Json size = config_["size"].is_null() ? Json(224) : config_["size"];
  const Resample filter = static_cast<Resample>(config_.get("resample", type.rfind("CLIP", 0) == 0 ? 3 : 2));
  const double factor = config_.get("rescale_factor", 1.0 / 255);
  const std::vector<double> mean = config_.get("image_mean", std::vector<double>{0.5, 0.5, 0.5}), std = config_.get("image_std", std::vector<double>{0.5, 0.5, 0.5});
  if (mean.size() != 3 || std.size() != 3) throw ConfigError("preprocessor_config.json: image_mean and image_std need three numbers");
  Tensor out;
  for (size_t b = 0; b < images.size(); ++b) {
    Image image = images[b];
    if (do_resize) {
      const Size s = target_size(size, image, square);
      image = resize_image(image, s.width, s.height, filter);
    }
    if (do_crop) {
      const Json crop = config_["crop_size"].is_null() ? Json(224) : config_["crop_size"];
      image = center_crop(image, crop.is_int() ? Size{crop.as_int(), crop.as_int()} : Size{crop.at("height").as_int(), crop.at("width").as_int()});
    }
    if (!out.defined()) out = Tensor::empty({static_cast<int64_t>(images.size()), 3, image.height, image.width});
    if (out.dim(2) != image.height || out.dim(3) != image.width) throw ValueError("image processor: the pictures do not come out at one size; pass them one by one");
    float* p = out.mutable_data<float>() + static_cast<int64_t>(b) * 3 * image.height * image.width;
    const int64_t n = image.height * image.width;
    for (int64_t i = 0; i < n; ++i)
      for (int c = 0; c < 3; ++c) {
        float v = static_cast<float>(image.pixels[static_cast<size_t>(i * 3 + c)]);
        if (do_rescale) v = static_cast<float>(static_cast<double>(v) * factor);
        if (do_normalize) v = (v - static_cast<float>(mean[static_cast<size_t>(c)])) / static_cast<float>(std[static_cast<size_t>(c)]);
        p[c * n + i] = v;
      }
  }
  Inputs in;
  in.set("pixel_values", out);
  return in;
}

static Json load_config(const std::string& folder) {
  const std::string file = join_path(folder, "preprocessor_config.json");
  if (!file_exists(file)) throw IoError({folder, ": has no preprocessor_config.json"});
  return Json::load(file);
}

static std::string not_made(const char* name) {
  return cat({name, " is designed to be instantiated using the `", name, ".from_pretrained(pretrained_model_name_or_path)` method."});
}
AutoImageProcessor::AutoImageProcessor() { throw IoError(not_made("AutoImageProcessor")); }
AutoFeatureExtractor::AutoFeatureExtractor() { throw IoError(not_made("AutoFeatureExtractor")); }
ImageProcessor AutoImageProcessor::from_pretrained(const std::string& folder) { return ImageProcessor(load_config(folder)); }
FeatureExtractor AutoFeatureExtractor::from_pretrained(const std::string& folder) { return FeatureExtractor(load_config(folder)); }

}  // namespace transformers
