// Text and times of CTC output: tokens per frame, where repeats are one letter and the pad token is a pause.
#pragma once
#include <string>
#include <vector>

#include "transformers/tokenizer.h"

namespace transformers {

/// A letter or word and the frames that it covers: start inclusive, end exclusive.
struct CtcOffset {
  std::string text;
  int64_t start = 0, end = 0;
};
struct CtcText {
  std::string text;
  std::vector<CtcOffset> char_offsets, word_offsets;
};

/// Decodes one row of frames' best ids with a Wav2Vec2CTCTokenizer. `group_tokens`: repeats are one letter.
CtcText ctc_decode(const PreTrainedTokenizer& tokenizer, const std::vector<int64_t>& ids, bool skip_special_tokens = false, bool group_tokens = true);

}  // namespace transformers
