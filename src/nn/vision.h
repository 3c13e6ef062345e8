// What vision models share: pixels, patch embedding, position tables, head masks.
// B batch, C channels, H x W pixels, P patches, D hidden.
#pragma once
#include "nn/layers.h"
#include "transformers/json.h"

namespace transformers {

struct ImageSize { int64_t height = 0, width = 0; };
/// A size given as one number or as [height, width]. Throws ConfigError naming the field unless both are 1 .. 65536.
ImageSize image_size_of(const Json& config, const char* key, int64_t fallback);
/// rows x columns of patches that a picture is cut into; throws ConfigError when there are none.
ImageSize patch_grid(ImageSize image, ImageSize patch);

/// pixel_values [B, C, H, W] in the model's dtype. Throws ValueError when absent, ShapeError on another rank or number of channels.
Tensor pixels_of(const Inputs& in, int64_t channels, DType dtype);
/// Throws ValueError unless the picture is `expected` (what models with a fixed position table ask for).
void check_image_size(const Tensor& pixels, ImageSize expected);

/// A convolution whose stride is its kernel: pixels [B, C, H, W] -> tokens [B, P, D], row by row.
struct PatchProjection {
  Conv projection;
  PatchProjection() = default;
  PatchProjection(const Scope& w, int64_t channels, int64_t width, ImageSize patch, bool bias = true, const Init& init = {});
  Tensor operator()(const Tensor& pixels) const { return projection(pixels).flatten(2).transpose(1, 2); }
};

/// Position table [1, extra + P, D] resized (bicubic) from its square grid to rows x columns; the first `extra` tokens stay.
Tensor resize_positions(const Tensor& table, int64_t extra, int64_t rows, int64_t columns);
/// The same from a grid that is not square.
Tensor resize_positions(const Tensor& table, int64_t extra, ImageSize grid, int64_t rows, int64_t columns, bool antialias = false);

/// Tokens [B, P, D] -> maps [B, D, rows, columns] and back.
Tensor tokens_to_map(const Tensor& tokens, int64_t rows, int64_t columns);
inline Tensor map_to_tokens(const Tensor& map) { return map.flatten(2).transpose(1, 2); }

/// tokens where mask [B, P] is 0, token [1, 1, D] where it is 1.
Tensor mask_tokens(const Tensor& tokens, const Tensor& mask, const Tensor& token);
/// "head_mask" ([H] or [layers, H]) of one layer as [1, H, 1, 1]; undefined when not given.
Tensor head_mask_of(const Inputs& in, int64_t layer, int64_t layers);

}  // namespace transformers
