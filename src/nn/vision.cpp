// What vision models share.
#include "nn/vision.h"

#include <cmath>

namespace transformers {

ImageSize image_size_of(const Json& config, const char* key, int64_t fallback) {
  const Json& value = config[key];
  ImageSize s{fallback, fallback};
  if (value.is_array() && value.size() == 2) s = {value.at(size_t{0}).as_int(), value.at(1).as_int()};
  else if (value.is_array() && value.size() == 1) s.height = s.width = value.at(size_t{0}).as_int();
  else if (!value.is_null()) s.height = s.width = config.get(key, fallback);
  if (s.height < 1 || s.width < 1 || s.height > 65536 || s.width > 65536)
    throw ConfigError({"config: ", key, " = ", s.height, " x ", s.width, " is not a size of a picture"});
  return s;
}
ImageSize patch_grid(ImageSize image, ImageSize patch) {
  const ImageSize grid{image.height / patch.height, image.width / patch.width};
  if (grid.height < 1 || grid.width < 1)
    throw ConfigError({"config: image_size ", image.height, " x ", image.width, " is smaller than patch_size ", patch.height, " x ", patch.width});
  return grid;
}

Tensor pixels_of(const Inputs& in, int64_t channels, DType dtype) {
  const Tensor& pixels = in.tensor("pixel_values");
  if (!pixels.defined()) throw ValueError("You have to specify pixel_values");
  if (pixels.rank() != 4) throw ShapeError({"pixel_values: expected [batch, channels, height, width], got ", pixels.shape().str()});
  if (pixels.dim(1) != channels)
    throw ShapeError({"pixel_values: expected ", channels, " channels as in the configuration, got ", pixels.dim(1)});
  return pixels.to(dtype);
}
void check_image_size(const Tensor& pixels, ImageSize expected) {
  if (pixels.dim(2) != expected.height || pixels.dim(3) != expected.width)
    throw ValueError({"Input image size (", pixels.dim(2), "*", pixels.dim(3), ") doesn't match model (", expected.height, "*", expected.width, ")."});
}

PatchProjection::PatchProjection(const Scope& w, int64_t channels, int64_t width, ImageSize patch, bool bias, const Init& init) {
  ConvOptions o;
  o.stride = {patch.height, patch.width};
  projection = Conv(w, channels, width, {patch.height, patch.width}, o, bias, init);
}

Tensor resize_positions(const Tensor& table, int64_t extra, int64_t rows, int64_t columns) {
  const int64_t side = static_cast<int64_t>(std::sqrt(static_cast<double>(table.dim(1) - extra)) + 1e-9);
  return resize_positions(table, extra, {side, side}, rows, columns);
}
Tensor resize_positions(const Tensor& table, int64_t extra, ImageSize grid, int64_t rows, int64_t columns, bool antialias) {
  if (rows < 1 || columns < 1) throw ValueError("pixel_values: the picture is smaller than one patch");
  const Tensor patches = tokens_to_map(table.slice(1, extra, table.dim(1)), grid.height, grid.width);  // [1, D, rows, columns]
  const Tensor resized = map_to_tokens(interpolate(patches, {rows, columns}, Interpolation::bicubic, false, antialias));
  return extra > 0 ? cat({table.slice(1, 0, extra), resized}, 1) : resized;
}

Tensor tokens_to_map(const Tensor& tokens, int64_t rows, int64_t columns) {
  return tokens.transpose(1, 2).reshape({tokens.dim(0), tokens.dim(2), rows, columns});
}

Tensor mask_tokens(const Tensor& tokens, const Tensor& mask, const Tensor& token) {
  if (mask.rank() != 2 || mask.dim(0) != tokens.dim(0) || mask.dim(1) != tokens.dim(1))
    throw ShapeError({"bool_masked_pos: expected [", tokens.dim(0), ", ", tokens.dim(1), "], got ", mask.shape().str()});
  const Tensor chosen = mask.dtype() == DType::boolean ? mask : ne(mask, 0);
  return where(chosen.unsqueeze(-1), token, tokens);
}

Tensor head_mask_of(const Inputs& in, int64_t layer, int64_t layers) {
  const Tensor& mask = in.tensor("head_mask");
  if (!mask.defined()) return {};
  if (mask.rank() == 1) return mask.reshape({1, -1, 1, 1});
  if (mask.rank() == 2 && mask.dim(0) == layers) return mask.select(0, layer).reshape({1, -1, 1, 1});
  throw ShapeError({"head_mask: expected [heads] or [", layers, ", heads], got ", mask.shape().str()});
}

}  // namespace transformers
