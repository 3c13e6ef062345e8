// Rotary position embedding with every scaling type. Reference: modeling_rope_utils.py. R rotary width.
#pragma once
#include <atomic>
#include <memory>

#include "transformers/json.h"
#include "transformers/tensor.h"

namespace transformers {

struct RopeTable { Tensor cos, sin; };  ///< [B or 1, T, R], each half repeated: (f0..fn, f0..fn)

/// The table for rotating neighbours: (f0, f0, f1, f1, ...).
RopeTable interleaved(const RopeTable& table);

/// default, linear, dynamic, yarn, longrope, llama3. Reads rope_theta, rope_scaling, partial_rotary_factor,
/// max_position_embeddings of the config. Throws ConfigError naming the field when rope_scaling is wrong.
class Rope {
 public:
  Rope() = default;
  Rope(const Json& config, int64_t head_dim);
  /// With an explicit base (Gemma 3's local layers) and no scaling.
  Rope(double theta, int64_t rotary_dim);
  /// positions int64 [B, T] (or [T]).
  RopeTable at(const Tensor& positions) const;
  int64_t rotary_dim() const { return rotary_dim_; }

 private:
  std::vector<float> frequencies(int64_t length, float* factor) const;
  std::string type_ = "default";
  Json scaling_;
  double theta_ = 10000;
  int64_t rotary_dim_ = 0, max_positions_ = 0, original_max_ = 0;
  bool has_original_max_ = false;
  // "dynamic" only: the longest sequence seen. The reference keeps using its base until a sequence shorter than
  // max_position_embeddings comes, so results depend on what ran before; copies share it.
  std::shared_ptr<std::atomic<int64_t>> longest_;
};

}  // namespace transformers
