// Pillow's image resampling, to the same pixels.
#pragma once
#include "transformers/processor.h"

namespace transformers {

enum class Resample : uint8_t { nearest = 0, lanczos = 1, bilinear = 2, bicubic = 3, box = 4, hamming = 5 };  ///< PIL's numbers.
/// Resizes to width x height. Throws ValueError for empty sizes.
Image resize_image(const Image& in, int64_t width, int64_t height, Resample filter);

}  // namespace transformers
