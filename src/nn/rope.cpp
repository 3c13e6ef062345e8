// Rotary embedding tables. Reference: transformers/modeling_rope_utils.py (ROPE_INIT_FUNCTIONS).
#include "nn/rope.h"

#include <cmath>

#include "ops/index.h"
#include "transformers/error.h"

namespace transformers {

Rope::Rope(double theta, int64_t rotary_dim) : theta_(theta), rotary_dim_(rotary_dim) {}

static double positive(const Json& scaling, const char* key, double fallback, bool required) {
  if (required && !scaling.contains(key)) throw ConfigError({"rope_scaling: missing field \"", key, "\" for rope_type ", scaling.get("rope_type", scaling.get("type", "")) });
  const double v = scaling.get(key, fallback);
  if (!(v > 0) || !std::isfinite(v)) throw ConfigError({"rope_scaling: \"", key, "\" must be a positive number"});
  return v;
}

Rope::Rope(const Json& config, int64_t head_dim) {
  theta_ = config.get("rope_theta", 10000.0);
  max_positions_ = config.get("max_position_embeddings", 2048);
  original_max_ = config.get("original_max_position_embeddings", max_positions_);
  has_original_max_ = original_max_ > 0 && config.contains("original_max_position_embeddings") && !config["original_max_position_embeddings"].is_null();
  rotary_dim_ = static_cast<int64_t>(static_cast<double>(head_dim) * config.get("partial_rotary_factor", 1.0));
  if (rotary_dim_ < 2 || !(theta_ > 0)) throw ConfigError({"config: rope needs a head size of at least 2 and a positive rope_theta"});
  const Json& s = config["rope_scaling"];
  if (!s.is_object()) return;
  scaling_ = s;
  type_ = s.get("rope_type", s.get("type", "default"));
  static const std::vector<std::string> known{"default", "linear", "dynamic", "yarn", "longrope", "llama3"};
  if (type_ == "su") type_ = "longrope";
  bool found = type_ == "mrope";
  for (const auto& k : known) found |= k == type_;
  if (type_ == "mrope") type_ = "default";
  if (!found) throw ConfigError({"rope_scaling: unknown rope_type \"", type_, "\".", did_you_mean(type_, known), " Known: default, linear, dynamic, yarn, longrope, llama3"});
  if (type_ == "linear" || type_ == "dynamic" || type_ == "yarn" || type_ == "llama3") positive(s, "factor", 1, true);
  if (type_ == "longrope")
    for (const char* key : {"short_factor", "long_factor"})
      if (static_cast<int64_t>(s.get(key, std::vector<double>{}).size()) != rotary_dim_ / 2)
        throw ConfigError({"rope_scaling: \"", key, "\" needs ", rotary_dim_ / 2, " numbers"});
  if (type_ == "dynamic") longest_ = std::make_shared<std::atomic<int64_t>>(max_positions_);
  // longrope reads the original length from the config itself only
  if (type_ != "longrope" && s.contains("original_max_position_embeddings")) original_max_ = s.get("original_max_position_embeddings", original_max_);
}

static double yarn_mscale(double scale, double mscale) { return scale <= 1 ? 1 : 0.1 * mscale * std::log(scale) + 1; }

std::vector<float> Rope::frequencies(int64_t length, float* attention_factor) const {
  const int64_t half = rotary_dim_ / 2;
  std::vector<float> inv(static_cast<size_t>(half));
  double base = theta_;
  *attention_factor = 1;
  if (type_ == "dynamic" && length > max_positions_) {
    const double factor = scaling_.get("factor", 1.0), dim = static_cast<double>(rotary_dim_);
    base *= std::pow(factor * static_cast<double>(length) / static_cast<double>(max_positions_) - (factor - 1), dim / (dim - 2));
  }
  const auto at = [&](int64_t i) { return 1.0f / static_cast<float>(std::pow(static_cast<float>(base), static_cast<float>(2 * i) / static_cast<float>(rotary_dim_))); };
  for (int64_t i = 0; i < half; ++i) inv[static_cast<size_t>(i)] = at(i);

  if (type_ == "linear") {
    for (float& f : inv) f /= static_cast<float>(scaling_.get("factor", 1.0));
  } else if (type_ == "llama3") {
    const double factor = scaling_.get("factor", 8.0), low = scaling_.get("low_freq_factor", 1.0), high = scaling_.get("high_freq_factor", 4.0);
    const double old = static_cast<double>(scaling_.get("original_max_position_embeddings", int64_t{8192}));
    for (float& f : inv) {
      const double wavelength = 2 * M_PI / f;
      if (wavelength > old / low) f = static_cast<float>(f / factor);
      else if (wavelength >= old / high) {
        const double smooth = (old / wavelength - low) / (high - low);
        f = static_cast<float>((1 - smooth) * f / factor + smooth * f);
      }
    }
  } else if (type_ == "longrope") {
    const bool is_long = length > original_max_;
    const std::vector<double> ext = scaling_.get(is_long ? "long_factor" : "short_factor", std::vector<double>{});
    for (int64_t i = 0; i < half; ++i)
      inv[static_cast<size_t>(i)] = 1.0f / (static_cast<float>(ext[static_cast<size_t>(i)]) * static_cast<float>(std::pow(static_cast<float>(base), static_cast<float>(2 * i) / static_cast<float>(rotary_dim_))));
    double factor = scaling_.get("factor", 0.0);
    if (has_original_max_ || factor == 0) factor = static_cast<double>(max_positions_) / static_cast<double>(original_max_);
    const double automatic = factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(static_cast<double>(original_max_)));
    *attention_factor = static_cast<float>(scaling_.get("attention_factor", automatic));
  } else if (type_ == "yarn") {
    double factor = scaling_.get("factor", 1.0);
    const double dim = static_cast<double>(rotary_dim_);
    if (scaling_.contains("original_max_position_embeddings") && !scaling_["original_max_position_embeddings"].is_null())
      factor = static_cast<double>(max_positions_) / static_cast<double>(original_max_);
    const double mscale = scaling_.get("mscale", 0.0), mscale_all = scaling_.get("mscale_all_dim", 0.0);
    const double automatic = mscale != 0 && mscale_all != 0 ? yarn_mscale(factor, mscale) / yarn_mscale(factor, mscale_all) : yarn_mscale(factor, 1);
    *attention_factor = static_cast<float>(scaling_.get("attention_factor", automatic));
    const double fast = scaling_.get("beta_fast", 32.0), slow = scaling_.get("beta_slow", 1.0);
    const auto correction = [&](double rotations) {
      return dim * std::log(static_cast<double>(original_max_) / (rotations * 2 * M_PI)) / (2 * std::log(base));
    };
    double lo = correction(fast), hi = correction(slow);
    if (scaling_.get("truncate", true)) lo = std::floor(lo), hi = std::ceil(hi);
    lo = std::max(lo, 0.0), hi = std::min(hi, dim - 1);
    if (lo == hi) hi += 0.001;
    for (int64_t i = 0; i < half; ++i) {
      const double ramp = std::min(1.0, std::max(0.0, (static_cast<double>(i) - lo) / (hi - lo))), keep = 1 - ramp;
      const double f = at(i);
      inv[static_cast<size_t>(i)] = static_cast<float>(f / factor * (1 - keep) + f * keep);
    }
  }
  return inv;
}

RopeTable interleaved(const RopeTable& table) {
  const auto twice = [](const Tensor& t) { return repeat_interleave(t.narrow(-1, 0, t.dim(-1) / 2), 2, -1); };
  return {twice(table.cos), twice(table.sin)};
}

RopeTable Rope::at(const Tensor& positions) const {
  const Tensor p = (positions.rank() == 1 ? positions.unsqueeze(0) : positions).contiguous();
  const int64_t rows = p.numel(), half = rotary_dim_ / 2;
  int64_t length = 0;
  for (int64_t i = 0; i < rows; ++i) length = std::max(length, p.data<int64_t>()[i] + 1);
  if (longest_) {
    int64_t longest = std::max(longest_->load(), length);
    if (length < max_positions_) longest = max_positions_;
    longest_->store(longest);
    length = longest;
  }
  float factor;
  const std::vector<float> inv = frequencies(length, &factor);
  RopeTable table{Tensor::empty({p.dim(0), p.dim(1), half * 2}), Tensor::empty({p.dim(0), p.dim(1), half * 2})};
  float* c = table.cos.mutable_data<float>();
  float* s = table.sin.mutable_data<float>();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(p.data<int64_t>()[r]) * inv[static_cast<size_t>(i)];
      c[r * 2 * half + i] = c[r * 2 * half + half + i] = std::cos(angle) * factor;
      s[r * 2 * half + i] = s[r * 2 * half + half + i] = std::sin(angle) * factor;
    }
  return table;
}

}  // namespace transformers
