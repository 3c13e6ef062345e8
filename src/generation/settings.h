// Internal: resolved settings of one generate() call and the loops that strategies share.
#pragma once
#include "generation/logits_processors.h"
#include "transformers/generation.h"

namespace transformers {

/// Model's generation_config.json (or config.json), overridden by the caller's options, as one object.
Json resolve_settings(const Model& model, const GenerationConfig& options);

/// Runs the model step by step for a fixed number of rows: ids in, next-token logits out. Owns cache and growing mask.
class Stepper {
 public:
  Stepper(const Model& model, Inputs base, bool use_cache);
  /// f32 [rows, V]: logits after the last token of every sequence (all of equal length).
  Tensor logits(const std::vector<Sequence>& sequences);
  /// Continues row i from what was row rows[i].
  void reorder(const std::vector<int64_t>& rows);
  const Outputs& last() const { return last_; }

 private:
  const Model& model_;
  Inputs base_;
  int64_t seen_ = 0;
  Outputs last_;
};

/// Everything a strategy needs.
struct Run {
  const Model& model;
  Inputs base;                       ///< Expanded to the rows that run.
  std::vector<Sequence> prompts;     ///< Decoder-side prompt of every row.
  Json settings;
  GenerationContext context;
  int64_t pad = 0;
  const GenerationConfig& options;
};
GenerationOutput run_sampling(Run& run);      ///< Greedy and multinomial sampling.
GenerationOutput run_beam_search(Run& run);   ///< Beam search and beam sampling.

/// Whether a sequence is complete: an eos token, the length, or the clock.
class Stopper {
 public:
  explicit Stopper(const Run& run);
  bool done(const Sequence& ids) const;

 private:
  const Run& run_;
  double deadline_ = 0;
};

}  // namespace transformers
