// What the Gemma decoders share.
#pragma once
#include "models/llama.h"

namespace transformers {

/// RMS norm whose stored weight is centred on zero: x / rms(x) * (1 + weight).
struct GemmaNorm : RmsNorm {
  GemmaNorm(const Scope& w, int64_t width, double eps) : RmsNorm(w, width, eps, 1) {}
};

}  // namespace transformers
