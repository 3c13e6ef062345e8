// Beam search and beam sampling. Reference: GenerationMixin._beam_search (4.57): each batch item keeps `beams` running and
// `beams` finished hypotheses; every step considers max(2, 1 + eos) * beams continuations.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "generation/settings.h"
#include "ops/random.h"

namespace transformers {
namespace {

constexpr float kLow = -1.0e9f;

struct Hypothesis {
  Sequence ids;
  Sequence origin;  // row of every generated token, for beam_indices
  float score = kLow;
  bool finished = false;
};

struct Item {
  std::vector<Hypothesis> running, best;
  bool improvable = true;  // the reference's is_early_stop_heuristic_unsatisfied
};

// Indices of the k largest, earlier first among equals.
std::vector<int64_t> top(const std::vector<float>& values, int64_t k) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  k = std::min<int64_t>(k, static_cast<int64_t>(order.size()));
  std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
    return values[static_cast<size_t>(a)] != values[static_cast<size_t>(b)] ? values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)] : a < b;
  });
  order.resize(static_cast<size_t>(k));
  return order;
}

void log_softmax_row(float* s, int64_t V) {
  const float largest = *std::max_element(s, s + V);
  double sum = 0;
  for (int64_t i = 0; i < V; ++i) sum += std::exp(static_cast<double>(s[i] - largest));
  const float shift = largest + static_cast<float>(std::log(sum));
  for (int64_t i = 0; i < V; ++i) s[i] -= shift;
}

}  // namespace

GenerationOutput run_beam_search(Run& run) {
  const int64_t beams = run.settings.get("num_beams", 1), wanted = run.settings.get("num_return_sequences", 1);
  const bool sample = run.settings.get("do_sample", false), keep_scores = run.settings.get("output_scores", false);
  const bool keep_logits = run.settings.get("output_logits", false);
  const double length_penalty = run.settings.get("length_penalty", 1.0);
  const Json& early = run.settings["early_stopping"];
  const bool stop_when_full = early.is_bool() && early.as_bool();
  const bool never = early.is_string() && early.as_string() == "never";
  if (early.is_string() && !never) throw ValueError({"`early_stopping` must be a boolean or 'never', but is ", early.as_string()});
  const int64_t prompt = run.context.prompt_length, max_length = run.context.max_length;
  const int64_t kept = std::max<int64_t>(2, 1 + static_cast<int64_t>(run.context.eos.size())) * beams;

  LogitsProcessors processors = make_logits_processors(run.settings, run.context);
  const Stopper stopper(run);
  Stepper stepper(run.model, run.base, run.settings.get("use_cache", true));
  std::vector<Item> items(run.prompts.size() / static_cast<size_t>(beams));
  for (size_t b = 0; b < items.size(); ++b)
    for (int64_t k = 0; k < beams; ++k) {
      items[b].running.push_back({run.prompts[b * static_cast<size_t>(beams)], {}, k == 0 ? 0 : kLow, false});
      items[b].best.push_back({run.prompts[b * static_cast<size_t>(beams)], {}, kLow, false});
    }
  GenerationOutput out;
  for (int64_t length = prompt;;) {
    std::vector<Sequence> rows;
    for (const Item& item : items)
      for (const Hypothesis& h : item.running) rows.push_back(h.ids);
    Tensor scores = stepper.logits(rows);  // [items * beams, V]
    if (keep_logits) out.logits.push_back(scores.clone());
    if (!may_overwrite(scores)) scores = scores.clone();
    const int64_t V = scores.dim(1);
    for (size_t r = 0; r < rows.size(); ++r) {
      float* s = scores.mutable_data<float>() + static_cast<int64_t>(r) * V;
      log_softmax_row(s, V);
      for (auto& p : processors) (*p)(rows[r], s, V, static_cast<int64_t>(r));
    }
    if (keep_scores) out.scores.push_back(scores.clone());

    std::vector<int64_t> origin_rows;
    bool any_improvable = false, all_finished = true, all_hit = true;
    for (size_t b = 0; b < items.size(); ++b) {
      Item& item = items[b];
      std::vector<float> total(static_cast<size_t>(beams * V));
      for (int64_t k = 0; k < beams; ++k)
        for (int64_t v = 0; v < V; ++v)
          total[static_cast<size_t>(k * V + v)] = scores.data<float>()[(static_cast<int64_t>(b) * beams + k) * V + v] + item.running[static_cast<size_t>(k)].score;
      std::vector<int64_t> picks;
      if (sample) {
        std::vector<float> p = total;
        log_softmax_row(p.data(), beams * V);
        for (float& x : p) x = std::exp(x);
        picks = multinomial(Tensor::from(p, {1, beams * V}), kept).to_ints();
      } else {
        picks = top(total, kept);
      }
      std::vector<Hypothesis> candidates;
      std::vector<float> open_scores;
      for (int64_t p : picks) {
        const Hypothesis& from = item.running[static_cast<size_t>(p / V)];
        Hypothesis h{from.ids, from.origin, total[static_cast<size_t>(p)], false};
        h.ids.push_back(p % V);
        h.origin.push_back(static_cast<int64_t>(b) * beams + p / V);
        h.finished = stopper.done(h.ids);
        all_hit &= h.finished;
        open_scores.push_back(h.score + (h.finished ? kLow : 0.f));
        candidates.push_back(std::move(h));
      }
      std::vector<Hypothesis> next;
      for (int64_t i : top(open_scores, beams)) {
        next.push_back(candidates[static_cast<size_t>(i)]);
        next.back().score = open_scores[static_cast<size_t>(i)];
        next.back().finished = false;
        origin_rows.push_back(next.back().origin.back());
      }
      // Finished hypotheses: only candidates among the first `beams` may enter, by length-normalised score.
      bool full = stop_when_full;
      for (const Hypothesis& h : item.best) full &= h.finished;
      std::vector<Hypothesis> merged = item.best;
      for (size_t i = 0; i < candidates.size(); ++i) {
        Hypothesis h = candidates[i];
        h.finished = h.finished && static_cast<int64_t>(i) < beams;
        h.score = static_cast<float>(h.score / std::pow(static_cast<double>(length + 1 - prompt), length_penalty));
        h.score += (full ? kLow : 0.f), h.score += (item.improvable ? 0.f : kLow), h.score += (h.finished ? 0.f : kLow);
        merged.push_back(std::move(h));
      }
      std::vector<float> merged_scores;
      for (const Hypothesis& h : merged) merged_scores.push_back(h.score);
      std::vector<Hypothesis> best;
      for (int64_t i : top(merged_scores, beams)) best.push_back(merged[static_cast<size_t>(i)]);
      item.best = std::move(best);
      item.running = std::move(next);

      const double hypothetical = never && length_penalty > 0 ? static_cast<double>(max_length - prompt) : static_cast<double>(length + 1 - prompt);
      const float possible = static_cast<float>(item.running[0].score / std::pow(hypothetical, length_penalty));
      float worst = item.best[0].score;
      for (const Hypothesis& h : item.best) worst = std::min(worst, h.score);
      bool can_improve = false;
      for (const Hypothesis& h : item.best) can_improve |= possible > (h.finished ? worst : kLow);
      item.improvable = item.improvable && can_improve;
      any_improvable |= item.improvable;
      for (const Hypothesis& h : item.best) all_finished &= h.finished;
    }
    stepper.reorder(origin_rows);
    ++length;
    if (!any_improvable || (all_finished && stop_when_full) || all_hit) break;
  }

  int64_t generated = 0;
  for (const Item& item : items)
    for (int64_t k = 0; k < wanted; ++k) generated = std::max(generated, static_cast<int64_t>(item.best[static_cast<size_t>(k)].origin.size()));
  const int64_t fill = run.settings["pad_token_id"].is_int() && run.settings["pad_token_id"].as_int() != 0 ? run.pad : run.context.eos.empty() ? -1 : run.context.eos[0];
  const int64_t n = static_cast<int64_t>(items.size()) * wanted;
  out.sequences = Tensor::full({n, prompt + generated}, static_cast<double>(fill), DType::i64);
  out.beam_indices = Tensor::full({n, generated}, -1, DType::i64);
  out.sequences_scores = Tensor::empty({n});
  for (int64_t i = 0; i < n; ++i) {
    const Hypothesis& h = items[static_cast<size_t>(i / wanted)].best[static_cast<size_t>(i % wanted)];
    std::copy(h.ids.begin(), h.ids.end(), out.sequences.mutable_data<int64_t>() + i * (prompt + generated));
    std::copy(h.origin.begin(), h.origin.end(), out.beam_indices.mutable_data<int64_t>() + i * generated);
    out.sequences_scores.mutable_data<float>()[i] = h.score;
  }
  return out;
}

}  // namespace transformers
