// SpecAugment. Reference: _compute_mask_indices of transformers/models/wav2vec2/modeling_wav2vec2.py.
#include "nn/spec_augment.h"

#include <algorithm>

#include "ops/random.h"

namespace transformers {

Tensor spec_augment_mask(int64_t batch, int64_t length, double probability, int64_t span, const std::vector<int64_t>& lengths, int64_t min_spans) {
  if (span < 1) throw ValueError("`mask_length` has to be bigger than 0.");
  if (span > length) throw ValueError({"`mask_length` has to be smaller than `sequence_length`, but got `mask_length`: ", span, " and `sequence_length`: ", length});
  const double epsilon = next_uniform();  // rounds the number of spans up or down at random, the same for all rows
  const auto spans_of = [&](int64_t n) {
    int64_t count = static_cast<int64_t>(probability * static_cast<double>(n) / static_cast<double>(span) + epsilon);
    count = std::max(count, min_spans);
    if (count * span > length) count = length / span;
    return std::min(count, std::max<int64_t>(n - (span - 1), 0));
  };
  Tensor mask = Tensor::zeros({batch, length}, DType::boolean);
  bool* row = mask.mutable_data<bool>();
  const int64_t most = spans_of(length);
  for (int64_t b = 0; b < batch; ++b, row += length) {
    const int64_t n = lengths.empty() ? length : lengths[static_cast<size_t>(b)], count = spans_of(n);
    if (most == 0) continue;
    if (count == 0) {  // a row that is too short masks its last position, which is padding
      row[length - 1] = true;
      continue;
    }
    const std::vector<int64_t> starts = randperm(n - (span - 1)).to_ints();
    for (int64_t i = 0; i < count; ++i)
      for (int64_t s = 0; s < span; ++s) row[std::min(starts[static_cast<size_t>(i)] + s, length - 1)] = true;
  }
  return mask;
}

}  // namespace transformers
