// SpecAugment masks: number of spans, padding, errors.
#include "nn/spec_augment.h"

#include <gtest/gtest.h>

namespace transformers {
namespace {

int64_t count(const Tensor& row) {
  int64_t n = 0;
  for (int64_t v : row.to_ints()) n += v;
  return n;
}

TEST(SpecAugment, SpansStayInsideTheUnpaddedPart) {
  for (int i = 0; i < 20; ++i) {
    const Tensor mask = spec_augment_mask(2, 40, 0.4, 4, {40, 12}, 2);
    EXPECT_GE(count(mask.select(0, 0)), 4);
    EXPECT_LE(count(mask.select(0, 0)), 4 * 5);
    EXPECT_EQ(count(mask.select(0, 1).slice(0, 12, 40)), 0);
    EXPECT_GE(count(mask.select(0, 1)), 4);
  }
}

TEST(SpecAugment, OneWholeSpanWhenNothingElseFits) { EXPECT_EQ(count(spec_augment_mask(1, 6, 1, 6)), 6); }

TEST(SpecAugment, RejectsSpansThatDoNotFit) {
  EXPECT_THROW(spec_augment_mask(1, 5, 0.5, 6), ValueError);
  EXPECT_THROW(spec_augment_mask(1, 5, 0.5, 0), ValueError);
}

}  // namespace
}  // namespace transformers
