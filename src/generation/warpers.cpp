// Sampling warpers. Reference: transformers/generation/logits_process.py. Removed tokens get -inf.
#include "generation/warpers.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "transformers/error.h"

namespace transformers {
namespace {

struct Warper : LogitsProcessor {
  std::vector<double> p;         // scratch, reused
  std::vector<int32_t> order;
  /// p = softmax(scores)
  void probabilities(const float* s, int64_t V) {
    p.resize(static_cast<size_t>(V));
    const float top = *std::max_element(s, s + V);
    double sum = 0;
    for (int64_t i = 0; i < V; ++i) sum += p[static_cast<size_t>(i)] = std::exp(static_cast<double>(s[i]) - top);
    for (double& x : p) x /= sum;
  }
  template <class Less> void sort_by(int64_t V, Less less) {
    order.resize(static_cast<size_t>(V));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), less);
  }
};

struct Temperature final : LogitsProcessor {
  float t;
  explicit Temperature(double v) : t(static_cast<float>(v)) {}
  void operator()(const Sequence&, float* s, int64_t V, int64_t) override {
    for (int64_t i = 0; i < V; ++i) s[i] /= t;
  }
};
struct TopK final : Warper {
  int64_t k;
  std::vector<float> values;
  explicit TopK(int64_t v) : k(v) {}
  void operator()(const Sequence&, float* s, int64_t V, int64_t) override {
    const int64_t n = std::min(k, V);
    values.assign(s, s + V);
    std::nth_element(values.begin(), values.begin() + (n - 1), values.end(), std::greater<float>());
    const float least = values[static_cast<size_t>(n - 1)];
    for (int64_t i = 0; i < V; ++i)
      if (s[i] < least) s[i] = -INFINITY;
  }
};
struct TopP final : Warper {
  double mass;
  int64_t keep;
  TopP(double m, int64_t k) : mass(m), keep(k) {}
  void operator()(const Sequence&, float* s, int64_t V, int64_t) override {
    probabilities(s, V);
    sort_by(V, [&](int32_t a, int32_t b) { return s[a] < s[b]; });
    double sum = 0;
    for (int64_t i = 0; i < V - keep; ++i) {  // smallest first; removed while the tail's mass is at most 1 - top_p
      sum += p[static_cast<size_t>(order[static_cast<size_t>(i)])];
      if (sum > 1 - mass) break;
      s[order[static_cast<size_t>(i)]] = -INFINITY;
    }
  }
};
struct MinP final : Warper {
  double least;
  int64_t keep;
  MinP(double l, int64_t k) : least(l), keep(k) {}
  void operator()(const Sequence&, float* s, int64_t V, int64_t) override {
    probabilities(s, V);
    const double limit = least * *std::max_element(p.begin(), p.end());
    sort_by(V, [&](int32_t a, int32_t b) { return s[a] > s[b]; });
    for (int64_t i = std::min(keep, V); i < V; ++i)
      if (p[static_cast<size_t>(order[static_cast<size_t>(i)])] < limit) s[order[static_cast<size_t>(i)]] = -INFINITY;
  }
};
struct Typical final : Warper {
  double mass;
  int64_t keep;
  Typical(double m, int64_t k) : mass(m), keep(k) {}
  void operator()(const Sequence&, float* s, int64_t V, int64_t) override {
    probabilities(s, V);
    double entropy = 0;
    for (double x : p)
      if (x > 0) entropy -= x * std::log(x);
    const auto shifted = [&](int32_t i) { return std::fabs(-std::log(p[static_cast<size_t>(i)]) - entropy); };
    sort_by(V, [&](int32_t a, int32_t b) { return shifted(a) < shifted(b); });
    double sum = 0;
    int64_t last = 0;
    for (; last < V && sum < mass; ++last) sum += p[static_cast<size_t>(order[static_cast<size_t>(last)])];
    const double limit = shifted(order[static_cast<size_t>(std::clamp<int64_t>(last - 1, 0, V - 1))]);
    for (int64_t i = std::min(keep, V); i < V; ++i)
      if (shifted(order[static_cast<size_t>(i)]) > limit) s[order[static_cast<size_t>(i)]] = -INFINITY;
  }
};
struct Cutoff final : Warper {
  double epsilon;
  bool eta;
  int64_t keep;
  Cutoff(double e, bool is_eta, int64_t k) : epsilon(e), eta(is_eta), keep(k) {}
  void operator()(const Sequence&, float* s, int64_t V, int64_t) override {
    probabilities(s, V);
    double limit = epsilon;
    if (eta) {
      double entropy = 0;
      for (double x : p)
        if (x > 0) entropy -= x * std::log(x);
      limit = std::min(epsilon, std::sqrt(epsilon) * std::exp(-entropy));
    }
    std::vector<float> values(s, s + V);
    const int64_t n = std::min(keep, V);
    std::nth_element(values.begin(), values.begin() + (n - 1), values.end(), std::greater<float>());
    const float kept = values[static_cast<size_t>(n - 1)];
    for (int64_t i = 0; i < V; ++i)
      if (p[static_cast<size_t>(i)] < limit && s[i] < kept) s[i] = -INFINITY;
  }
};
struct LogNormalization final : Warper {
  void operator()(const Sequence&, float* s, int64_t V, int64_t) override {
    const float top = *std::max_element(s, s + V);
    double sum = 0;
    for (int64_t i = 0; i < V; ++i) sum += std::exp(static_cast<double>(s[i]) - top);
    const float shift = top + static_cast<float>(std::log(sum));
    for (int64_t i = 0; i < V; ++i) s[i] -= shift;
  }
};

void check_range(const char* name, double v, bool ok, const char* range) {
  if (!ok) throw ValueError({"`", name, "` has to be ", range, ", but is ", v});
}

}  // namespace

std::unique_ptr<LogitsProcessor> make_log_normalization() { return std::make_unique<LogNormalization>(); }

void add_warpers(LogitsProcessors& out, const Json& s, int64_t eos_count) {
  const int64_t keep = s.get("num_beams", 1) > 1 ? eos_count + 1 : 1;
  if (!s["temperature"].is_null()) {
    const double t = s.get("temperature", 1.0);
    check_range("temperature", t, t > 0, "a strictly positive float; for greedy decoding set do_sample=false");
    if (t != 1) out.push_back(std::make_unique<Temperature>(t));
  }
  if (const int64_t k = s.get("top_k", 50); k != 0) {
    check_range("top_k", static_cast<double>(k), k > 0, "a strictly positive integer");
    out.push_back(std::make_unique<TopK>(std::max(k, keep)));
  }
  if (!s["top_p"].is_null()) {
    const double p = s.get("top_p", 1.0);
    check_range("top_p", p, p >= 0 && p <= 1, "a float > 0 and < 1");
    if (p < 1) out.push_back(std::make_unique<TopP>(p, keep));
  }
  if (!s["min_p"].is_null()) {
    const double p = s.get("min_p", 0.0);
    check_range("min_p", p, p >= 0 && p <= 1, "a float in the [0, 1] interval");
    out.push_back(std::make_unique<MinP>(p, keep));
  }
  if (const double p = s.get("typical_p", 1.0); p < 1) {
    check_range("typical_p", p, p > 0, "a float > 0 and < 1");
    out.push_back(std::make_unique<Typical>(p, keep));
  }
  if (const double e = s.get("epsilon_cutoff", 0.0); e > 0 && e < 1) out.push_back(std::make_unique<Cutoff>(e, false, keep));
  if (const double e = s.get("eta_cutoff", 0.0); e > 0 && e < 1) out.push_back(std::make_unique<Cutoff>(e, true, keep));
}

}  // namespace transformers
