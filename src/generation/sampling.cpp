// Greedy search and multinomial sampling. Reference: GenerationMixin._sample.
#include <algorithm>

#include "generation/settings.h"
#include "ops/random.h"
#include "ops/reduce.h"

namespace transformers {

static int64_t pick(const float* scores, int64_t V, bool sample) {
  if (!sample) return std::max_element(scores, scores + V) - scores;
  const Tensor row = Tensor::wrap(scores, {1, V}, DType::f32, nullptr);
  return multinomial(softmax(row), 1).item_int();
}

GenerationOutput run_sampling(Run& run) {
  const bool sample = run.settings.get("do_sample", false);
  const bool keep_scores = run.settings.get("output_scores", false), keep_logits = run.settings.get("output_logits", false);
  LogitsProcessors processors = make_logits_processors(run.settings, run.context);
  const Stopper stopper(run);
  Stepper stepper(run.model, run.base, run.settings.get("use_cache", true));
  std::vector<Sequence>& rows = run.prompts;
  const bool has_eos = !run.context.eos.empty();
  std::vector<char> finished(rows.size(), 0);
  GenerationOutput out;
  std::vector<int64_t> step(rows.size());
  for (bool running = true; running;) {
    Tensor scores = stepper.logits(rows);  // [rows, V]
    if (keep_logits) out.logits.push_back(scores.clone());
    const int64_t V = scores.dim(1);
    if (!may_overwrite(scores)) scores = scores.clone();
    running = false;
    for (size_t r = 0; r < rows.size(); ++r) {
      float* s = scores.mutable_data<float>() + static_cast<int64_t>(r) * V;
      for (auto& p : processors) (*p)(rows[r], s, V, static_cast<int64_t>(r));
      const int64_t next = pick(s, V, sample);
      step[r] = finished[r] && has_eos ? run.pad : next;
    }
    for (size_t r = 0; r < rows.size(); ++r) {
      rows[r].push_back(step[r]);
      finished[r] |= stopper.done(rows[r]);
      running |= !finished[r];
    }
    if (keep_scores) out.scores.push_back(scores);
    if (run.options.streamer && !run.options.streamer(step)) break;
  }
  std::vector<int64_t> flat;
  for (const Sequence& r : rows) flat.insert(flat.end(), r.begin(), r.end());
  out.sequences = Tensor::from(flat, {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())});
  return out;
}

}  // namespace transformers
