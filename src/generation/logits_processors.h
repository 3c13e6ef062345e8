// Logits processors and warpers. Reference: transformers/generation/logits_process.py. V vocabulary.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "transformers/json.h"

namespace transformers {

using Sequence = std::vector<int64_t>;  ///< Token ids of one row.

/// Changes the scores of one row in place. `row` is its index in the running batch.
class LogitsProcessor {
 public:
  virtual ~LogitsProcessor() = default;
  virtual void operator()(const Sequence& ids, float* scores, int64_t vocabulary, int64_t row) = 0;
};
using LogitsProcessors = std::vector<std::unique_ptr<LogitsProcessor>>;

/// What processors need to know of the run.
struct GenerationContext {
  int64_t prompt_length = 0;                 ///< Tokens before the first generated one (decoder side).
  int64_t max_length = 0;
  std::vector<int64_t> eos;
  std::vector<Sequence> encoder_ids;         ///< Prompt of each row (encoder_* processors).
  bool is_encoder_decoder = false;
};

/// The processors that `settings` (all fields resolved) ask for, in the reference's order; warpers too when do_sample.
/// Throws ValueError naming a field whose value is out of range.
LogitsProcessors make_logits_processors(const Json& settings, const GenerationContext& context);

}  // namespace transformers
