// generate() on a tiny random Llama: repeatability, the sampling distribution, exact beams, padding, streaming, errors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/random.h"
#include "transformers/error.h"
#include "transformers/generation.h"

namespace transformers {
namespace {

constexpr int64_t kVocabulary = 12;

PretrainedModel tiny_llama() {
  manual_seed(7);
  return AutoModelForCausalLM::from_config(Json::parse(
      R"({"model_type": "llama", "vocab_size": 12, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
          "num_key_value_heads": 2, "max_position_embeddings": 128, "initializer_range": 0.3})"));
}
Tensor row(const std::vector<int64_t>& ids) { return Tensor::from(ids, {1, static_cast<int64_t>(ids.size())}); }

// Log-probabilities of the token after `ids`.
std::vector<double> next_log_probabilities(const PretrainedModel& model, const std::vector<int64_t>& ids) {
  NoGrad no_grad;
  const std::vector<float> all = model(Inputs{{"input_ids", row(ids)}}).tensor("logits").to_floats();
  std::vector<double> last(all.end() - kVocabulary, all.end());
  double sum = 0;
  for (double v : last) sum += std::exp(v);
  for (double& v : last) v -= std::log(sum);
  return last;
}
int64_t best_of(const std::vector<double>& p) { return std::max_element(p.begin(), p.end()) - p.begin(); }

template <class F> std::string message_of(F&& f) {
  try {
    f();
  } catch (const ValueError& e) {
    return e.what();
  }
  return "no ValueError";
}

TEST(Generate, GreedyTakesTheBestTokenOfEveryStep) {
  const PretrainedModel model = tiny_llama();
  std::vector<int64_t> ids{1, 2, 3};
  const std::vector<int64_t> got = model.generate(Inputs{{"input_ids", row(ids)}}, {.max_new_tokens = 8}).to_ints();
  while (ids.size() < 11) ids.push_back(best_of(next_log_probabilities(model, ids)));
  EXPECT_EQ(got, ids);
  EXPECT_EQ(model.generate(Inputs{{"input_ids", row({1, 2, 3})}}, {.max_new_tokens = 8, .use_cache = false}).to_ints(), ids);
  EXPECT_EQ(model.generate(Inputs{{"input_ids", row({1, 2, 3})}}, {.max_length = 11}).to_ints(), ids);
}

TEST(Generate, StopsAtEosAndPads) {
  const PretrainedModel model = tiny_llama();
  const std::vector<int64_t> free = model.generate(Inputs{{"input_ids", row({1, 2, 3})}}, {.max_new_tokens = 6}).to_ints();
  const std::vector<int64_t> stopped = model.generate(Inputs{{"input_ids", row({1, 2, 3})}}, {.max_new_tokens = 6, .eos_token_id = Json(free[4])}).to_ints();
  const size_t first = static_cast<size_t>(std::find(free.begin() + 3, free.end(), free[4]) - free.begin());
  EXPECT_EQ(stopped, std::vector<int64_t>(free.begin(), free.begin() + static_cast<int64_t>(first) + 1));
}

TEST(Generate, TheSameSeedGivesTheSameIds) {
  const PretrainedModel model = tiny_llama();
  const auto sample = [&](uint64_t seed) {
    return model.generate(Inputs{{"input_ids", row({1, 2, 3})}}, {.max_new_tokens = 20, .do_sample = true, .num_return_sequences = 3, .seed = seed}).to_ints();
  };
  EXPECT_EQ(sample(5), sample(5));
  EXPECT_NE(sample(5), sample(6));
  const GenerationConfig beams{.max_new_tokens = 10, .do_sample = true, .num_beams = 3, .seed = 9};
  EXPECT_EQ(model.generate(Inputs{{"input_ids", row({1, 2, 3})}}, beams).to_ints(), model.generate(Inputs{{"input_ids", row({1, 2, 3})}}, beams).to_ints());
}

// Pearson's statistic of sampled tokens against `p`; cells of fewer than 5 expected draws go together.
double chi_square(const std::vector<int64_t>& drawn, const std::vector<double>& p, int* freedom) {
  std::vector<double> counts(p.size(), 0);
  for (int64_t id : drawn) counts[static_cast<size_t>(id)] += 1;
  double statistic = 0, rest_seen = 0, rest_expected = 0;
  const double n = static_cast<double>(drawn.size());
  *freedom = -1;
  for (size_t i = 0; i < p.size(); ++i) {
    if (n * p[i] < 5) { rest_seen += counts[i], rest_expected += n * p[i]; continue; }
    statistic += (counts[i] - n * p[i]) * (counts[i] - n * p[i]) / (n * p[i]);
    ++*freedom;
  }
  if (rest_expected >= 1) statistic += (rest_seen - rest_expected) * (rest_seen - rest_expected) / rest_expected, ++*freedom;
  return statistic;
}

TEST(Generate, SamplingFollowsTheSoftmax) {
  const PretrainedModel model = tiny_llama();
  const std::vector<double> logs = next_log_probabilities(model, {1, 2, 3});
  for (double temperature : {1.0, 0.5, 2.0}) {
    std::vector<double> p;
    double sum = 0;
    for (double v : logs) p.push_back(std::exp(v / temperature)), sum += p.back();
    for (double& v : p) v /= sum;
    const Tensor out = model.generate(Inputs{{"input_ids", row({1, 2, 3})}},
                                      {.max_new_tokens = 1, .do_sample = true, .temperature = temperature, .num_return_sequences = 2000, .seed = 11});
    int freedom = 0;
    const double statistic = chi_square(out.select(1, 3).contiguous().to_ints(), p, &freedom);
    ASSERT_GE(freedom, 3);
    EXPECT_LT(statistic, freedom + 5 * std::sqrt(2.0 * freedom)) << "temperature " << temperature;  // five standard deviations
  }
  const Tensor two = model.generate(Inputs{{"input_ids", row({1, 2, 3})}}, {.max_new_tokens = 1, .do_sample = true, .top_k = 2, .num_return_sequences = 200, .seed = 3});
  std::vector<double> sorted = logs;
  std::sort(sorted.rbegin(), sorted.rend());
  for (int64_t id : two.select(1, 3).contiguous().to_ints()) EXPECT_GE(logs[static_cast<size_t>(id)], sorted[1]);
}

TEST(Generate, AsManyBeamsAsTokensSearchTwoStepsExactly) {
  const PretrainedModel model = tiny_llama();
  const std::vector<double> first = next_log_probabilities(model, {1, 2, 3});
  double best = -1e9;
  std::vector<int64_t> ids;
  for (int64_t a = 0; a < kVocabulary; ++a) {
    const std::vector<double> second = next_log_probabilities(model, {1, 2, 3, a});
    const int64_t b = best_of(second);
    if (first[static_cast<size_t>(a)] + second[static_cast<size_t>(b)] > best) best = first[static_cast<size_t>(a)] + second[static_cast<size_t>(b)], ids = {1, 2, 3, a, b};
  }
  const GenerationOutput out = generate(*model, Inputs{{"input_ids", row({1, 2, 3})}}, {.max_new_tokens = 2, .num_beams = kVocabulary, .num_return_sequences = 3});
  EXPECT_EQ(out.sequences.select(0, 0).contiguous().to_ints(), ids);
  const std::vector<float> scores = out.sequences_scores.to_floats();
  EXPECT_NEAR(scores[0], best / 2, 1e-4);  // length_penalty 1: the mean over new tokens
  EXPECT_GE(scores[0], scores[1]);
  EXPECT_GE(scores[1], scores[2]);
}

TEST(Generate, LeftPaddedBatchEqualsSingleRuns) {
  const PretrainedModel model = tiny_llama();
  const GenerationConfig options{.max_new_tokens = 7};
  const Inputs batch{{"input_ids", Tensor::from(std::vector<int64_t>{5, 6, 7, 9, 0, 0, 0, 8, 0, 0, 4, 3}, {3, 4})},
                     {"attention_mask", Tensor::from(std::vector<int64_t>{1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 1}, {3, 4})}};
  for (int64_t beams : {1, 3}) {
    GenerationConfig o = options;
    o.num_beams = beams;
    const std::vector<int64_t> all = model.generate(batch, o).to_ints();
    const std::vector<std::vector<int64_t>> prompts{{5, 6, 7, 9}, {8}, {4, 3}};
    for (size_t r = 0; r < prompts.size(); ++r) {
      const std::vector<int64_t> single = model.generate(Inputs{{"input_ids", row(prompts[r])}}, o).to_ints();
      EXPECT_EQ(std::vector<int64_t>(all.begin() + static_cast<int64_t>(r) * 11 + 4, all.begin() + static_cast<int64_t>(r) * 11 + 11),
                std::vector<int64_t>(single.end() - 7, single.end())) << "row " << r << ", beams " << beams;
    }
  }
}

TEST(Generate, StreamerSeesEveryTokenAndStops) {
  const PretrainedModel model = tiny_llama();
  std::vector<int64_t> seen;
  GenerationConfig options{.max_new_tokens = 10};
  options.streamer = [&](const std::vector<int64_t>& ids) { seen.push_back(ids.at(0)); return true; };
  const std::vector<int64_t> all = model.generate(Inputs{{"input_ids", row({1, 2, 3})}}, options).to_ints();
  EXPECT_EQ(seen, std::vector<int64_t>(all.begin() + 3, all.end()));
  seen.clear();
  options.streamer = [&](const std::vector<int64_t>& ids) { seen.push_back(ids.at(0)); return seen.size() < 4; };
  const std::vector<int64_t> some = model.generate(Inputs{{"input_ids", row({1, 2, 3})}}, options).to_ints();
  EXPECT_EQ(seen.size(), 4u);
  EXPECT_EQ(some, std::vector<int64_t>(all.begin(), all.begin() + 7));
}

TEST(Generate, RefusesWhatMakesNoSense) {
  const PretrainedModel model = tiny_llama();
  const Inputs in{{"input_ids", row({1, 2, 3})}};
  const std::string unknown = message_of([] { GenerationConfig::from_json(Json::parse(R"({"max_new_token": 5})")); });
  EXPECT_NE(unknown.find("max_new_token"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("max_new_tokens"), std::string::npos) << unknown;
  EXPECT_NE(message_of([&] { model.generate(in, {.max_new_tokens = 0}); }).find("max_new_tokens"), std::string::npos);
  EXPECT_NE(message_of([&] { model.generate(in, {.max_length = 3}); }).find("max_length"), std::string::npos);
  EXPECT_NE(message_of([&] { model.generate(in, {.max_new_tokens = 2, .num_beams = 2, .num_return_sequences = 3}); }).find("num_return_sequences"), std::string::npos);
  EXPECT_NE(message_of([&] { model.generate(in, {.max_new_tokens = 2, .num_return_sequences = 2}); }).find("num_return_sequences"), std::string::npos);
  EXPECT_NE(message_of([&] { model.generate(in, {.max_new_tokens = 2, .num_beams = 0}); }).find("num_beams"), std::string::npos);
  EXPECT_NE(message_of([&] { model.generate(in, {.max_new_tokens = 2, .do_sample = true, .temperature = 0.0}); }).find("temperature"), std::string::npos);
  EXPECT_NE(message_of([&] { model.generate(Inputs{{"input_ids", Tensor::zeros({1, 0}, DType::i64)}}, {.max_new_tokens = 2}); }).find("empty"), std::string::npos);
  EXPECT_NE(message_of([&] { model.generate(Inputs{}, {.max_new_tokens = 2}); }).find("bos_token_id"), std::string::npos);
  const PretrainedModel headless = AutoModel::from_config(model->config());
  EXPECT_NE(message_of([&] { headless.generate(in, {.max_new_tokens = 2}); }).find("language model head"), std::string::npos);
}

TEST(Generate, WarmDecodeStepsAskTheSystemForNothing) {
  const PretrainedModel model = tiny_llama();
  GenerationConfig options{.max_new_tokens = 60};
  std::vector<int64_t> counts;
  options.streamer = [&](const std::vector<int64_t>&) { counts.push_back(memory_stats().system_allocations); return true; };
  model.generate(Inputs{{"input_ids", row({1, 2, 3})}}, options);
  counts.clear();
  model.generate(Inputs{{"input_ids", row({1, 2, 3})}}, options);
  ASSERT_EQ(counts.size(), 60u);
  EXPECT_EQ(counts.back() - counts.front(), 0);
}

}  // namespace
}  // namespace transformers
