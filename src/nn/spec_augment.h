// SpecAugment: random spans of a spectrogram or feature sequence that are masked in training. Paper: arXiv 1904.08779.
#pragma once
#include "transformers/tensor.h"

namespace transformers {

/// Which positions to mask: bool [batch, length]. About probability * length / span spans of `span` positions start at random
/// places (overlaps allowed), at least min_spans in each row. `lengths` (int64, one per row; empty: all `length`) keeps the
/// starts inside the unpadded part. Throws ValueError unless 1 <= span <= length.
Tensor spec_augment_mask(int64_t batch, int64_t length, double probability, int64_t span, const std::vector<int64_t>& lengths = {}, int64_t min_spans = 0);

}  // namespace transformers
