// Warpers: temperature, top-k, top-p, min-p, typical, epsilon and eta cutoffs.
#pragma once
#include "generation/logits_processors.h"

namespace transformers {

/// Appends the warpers of the settings in the reference's order; with beams at least 1 + eos_count tokens are kept.
void add_warpers(LogitsProcessors& out, const Json& settings, int64_t eos_count);
std::unique_ptr<LogitsProcessor> make_log_normalization();

}  // namespace transformers
