// Deterministic tensors of the conformance data (see the data's README) and comparisons.
#pragma once
#include <string>

#include "io/state_dict.h"
#include "transformers/json.h"
#include "transformers/tensor.h"

namespace transformers::conformance {

/// float32(offset + scale * u_i) with u from FNV-1a 64 of seed + key and splitmix64.
Tensor deterministic(const std::string& key, const Shape& shape, double scale, double offset);
/// The same u in float64.
Tensor uniform_f64(const std::string& key, const Shape& shape);
/// "" when |ours - expected| <= limit everywhere (expected: flat[::stride][:count]), else what is wrong.
std::string compare(const Tensor& ours, const Tensor& expected, int64_t stride, double limit);
Shape shape_of(const Json& list);

}  // namespace transformers::conformance
