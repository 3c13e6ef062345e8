// Processors that push scores of certain tokens. Warpers (temperature, top-k ...) are in warpers.cpp.
#include "generation/logits_processors.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "generation/warpers.h"
#include "transformers/error.h"

namespace transformers {
namespace {

constexpr float kNever = -INFINITY;

struct RepetitionPenalty final : LogitsProcessor {
  float penalty;
  std::vector<Sequence> fixed;  // encoder_repetition_penalty looks at the prompt instead of the running ids
  explicit RepetitionPenalty(double p, std::vector<Sequence> f = {}) : penalty(static_cast<float>(p)), fixed(std::move(f)) {}
  void operator()(const Sequence& ids, float* s, int64_t V, int64_t row) override {
    const Sequence& look = fixed.empty() ? ids : fixed[static_cast<size_t>(row) % fixed.size()];
    const std::unordered_set<int64_t> unique(look.begin(), look.end());
    for (int64_t id : unique)
      if (id >= 0 && id < V) s[id] = s[id] < 0 ? s[id] * penalty : s[id] / penalty;
  }
};

void ban_ngrams(const Sequence& history, const Sequence& ids, int64_t n, float* s, int64_t V) {
  const int64_t L = static_cast<int64_t>(ids.size()), H = static_cast<int64_t>(history.size());
  if (L + 1 < n) return;
  for (int64_t i = 0; i + n <= H; ++i)
    if (std::equal(ids.end() - (n - 1), ids.end(), history.begin() + i)) {
      const int64_t banned = history[static_cast<size_t>(i + n - 1)];
      if (banned >= 0 && banned < V) s[banned] = kNever;
    }
}
struct NoRepeatNGram final : LogitsProcessor {
  int64_t n;
  explicit NoRepeatNGram(int64_t size) : n(size) {}
  void operator()(const Sequence& ids, float* s, int64_t V, int64_t) override { ban_ngrams(ids, ids, n, s, V); }
};
struct EncoderNoRepeatNGram final : LogitsProcessor {
  int64_t n;
  std::vector<Sequence> prompts;
  EncoderNoRepeatNGram(int64_t size, std::vector<Sequence> p) : n(size), prompts(std::move(p)) {}
  void operator()(const Sequence& ids, float* s, int64_t V, int64_t row) override { ban_ngrams(prompts[static_cast<size_t>(row) % prompts.size()], ids, n, s, V); }
};

// Bans tokens while a condition on the length holds: min_length, min_new_tokens, begin_suppress_tokens, suppress_tokens.
struct BanWhile final : LogitsProcessor {
  std::vector<int64_t> tokens;
  int64_t from, until;
  BanWhile(std::vector<int64_t> t, int64_t f, int64_t u) : tokens(std::move(t)), from(f), until(u) {}
  void operator()(const Sequence& ids, float* s, int64_t V, int64_t) override {
    const int64_t L = static_cast<int64_t>(ids.size());
    if (L < from || L >= until) return;
    for (int64_t t : tokens)
      if (t >= 0 && t < V) s[t] = kNever;
  }
};

// Forces one of `tokens` when the sequence has exactly `length` ids.
struct ForceAt final : LogitsProcessor {
  std::vector<int64_t> tokens;
  int64_t length;
  ForceAt(std::vector<int64_t> t, int64_t l) : tokens(std::move(t)), length(l) {}
  void operator()(const Sequence& ids, float* s, int64_t V, int64_t) override {
    if (static_cast<int64_t>(ids.size()) != length) return;
    std::fill(s, s + V, kNever);
    for (int64_t t : tokens)
      if (t >= 0 && t < V) s[t] = 0;
  }
};

struct NoBadWords final : LogitsProcessor {
  std::vector<Sequence> words;
  explicit NoBadWords(std::vector<Sequence> w) : words(std::move(w)) {}
  void operator()(const Sequence& ids, float* s, int64_t V, int64_t) override {
    for (const Sequence& w : words) {
      const size_t prefix = w.size() - 1;
      if (prefix > ids.size() || !std::equal(w.begin(), w.end() - 1, ids.end() - static_cast<std::ptrdiff_t>(prefix))) continue;
      if (w.back() >= 0 && w.back() < V) s[w.back()] += kNever;
    }
  }
};

struct RemoveInvalid final : LogitsProcessor {
  void operator()(const Sequence&, float* s, int64_t V, int64_t) override {
    for (int64_t i = 0; i < V; ++i) {
      if (std::isnan(s[i])) s[i] = 0;
      else if (std::isinf(s[i])) s[i] = s[i] > 0 ? 3.4028234663852886e38f : -3.4028234663852886e38f;
    }
  }
};

struct ExponentialDecay final : LogitsProcessor {
  int64_t start;
  double factor;
  std::vector<int64_t> eos;
  ExponentialDecay(int64_t s, double f, std::vector<int64_t> e) : start(s), factor(f), eos(std::move(e)) {}
  void operator()(const Sequence& ids, float* s, int64_t V, int64_t) override {
    const int64_t L = static_cast<int64_t>(ids.size());
    if (L <= start) return;
    for (int64_t e : eos)
      if (e >= 0 && e < V) s[e] += static_cast<float>(std::fabs(s[e]) * (std::pow(factor, static_cast<double>(L - start)) - 1));
  }
};

std::vector<int64_t> id_list(const Json& settings, const char* key) { return settings.get(key, std::vector<int64_t>{}); }

double positive(const Json& settings, const char* key, double neutral) {
  const double v = settings.get(key, neutral);
  if (!(v > 0)) throw ValueError({"`", key, "` has to be a strictly positive float, but is ", v});
  return v;
}

}  // namespace

LogitsProcessors make_logits_processors(const Json& s, const GenerationContext& c) {
  LogitsProcessors out;
  const auto add = [&](auto p) { out.push_back(std::move(p)); };
  if (positive(s, "encoder_repetition_penalty", 1) != 1 && !c.encoder_ids.empty())
    add(std::make_unique<RepetitionPenalty>(1 / s.get("encoder_repetition_penalty", 1.0), c.encoder_ids));
  if (positive(s, "repetition_penalty", 1) != 1) add(std::make_unique<RepetitionPenalty>(s.get("repetition_penalty", 1.0)));
  if (const int64_t n = s.get("no_repeat_ngram_size", 0); n > 0) add(std::make_unique<NoRepeatNGram>(n));
  if (const int64_t n = s.get("encoder_no_repeat_ngram_size", 0); n > 0 && !c.encoder_ids.empty()) add(std::make_unique<EncoderNoRepeatNGram>(n, c.encoder_ids));
  if (s["bad_words_ids"].is_array()) {
    std::vector<Sequence> words;
    for (const Json& w : s["bad_words_ids"].as_array()) {
      Sequence ids;
      for (const Json& id : w.as_array()) ids.push_back(id.as_int());
      if (ids.empty()) throw ValueError("`bad_words_ids` has to be a list of non-empty lists of ids");
      if (!(ids.size() == 1 && std::count(c.eos.begin(), c.eos.end(), ids[0]))) words.push_back(ids);
    }
    add(std::make_unique<NoBadWords>(std::move(words)));
  }
  if (const int64_t n = s.get("min_length", 0); n > 0 && !c.eos.empty()) add(std::make_unique<BanWhile>(c.eos, 0, n));
  if (const int64_t n = s.get("min_new_tokens", 0); n > 0 && !c.eos.empty()) add(std::make_unique<BanWhile>(c.eos, 0, c.prompt_length + n));
  if (!s["forced_bos_token_id"].is_null()) add(std::make_unique<ForceAt>(id_list(s, "forced_bos_token_id"), 1));
  if (!s["forced_eos_token_id"].is_null()) add(std::make_unique<ForceAt>(id_list(s, "forced_eos_token_id"), c.max_length - 1));
  if (s.get("remove_invalid_values", false)) add(std::make_unique<RemoveInvalid>());
  if (s["exponential_decay_length_penalty"].is_array())
    add(std::make_unique<ExponentialDecay>(c.prompt_length + s["exponential_decay_length_penalty"].at(size_t{0}).as_int(),
                                           s["exponential_decay_length_penalty"].at(1).as_double(), c.eos));
  if (!s["suppress_tokens"].is_null()) add(std::make_unique<BanWhile>(id_list(s, "suppress_tokens"), 0, INT64_MAX));
  if (!s["begin_suppress_tokens"].is_null()) {
    const int64_t begin = c.prompt_length + (c.prompt_length > 1 || s["forced_bos_token_id"].is_null() ? 0 : 1);
    add(std::make_unique<BanWhile>(id_list(s, "begin_suppress_tokens"), begin, begin + 1));
  }
  if (s.get("do_sample", false)) add_warpers(out, s, static_cast<int64_t>(c.eos.size()));
  if (s.get("renormalize_logits", false)) add(make_log_normalization());
  return out;
}

}  // namespace transformers
