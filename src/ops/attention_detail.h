// Private to attention: checks shared by its two paths.
#pragma once
#include "ops/attention.h"

namespace transformers::detail {

struct AttentionSizes { int64_t b, h, k, t, s, d, dv; };
/// Tiled path for inference: no probabilities, dropout or head mask; q f32, f16 or bf16; k and v of one of these types.
Tensor attention_fused(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o, const AttentionSizes& n);
/// softmax(softcap(scale * scores) + bias, masked) with gradients to scores, bias and sinks. scores [B, H, T, S].
Tensor attention_probabilities(const Tensor& scores, const AttentionOptions& o, const AttentionSizes& n, double scale);

}  // namespace transformers::detail
