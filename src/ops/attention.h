// Scaled dot-product attention and rotary embedding. B batch, H query heads, K key/value heads, T queries, S keys, D head.
#pragma once
#include "transformers/tensor.h"

namespace transformers {

struct AttentionOptions {
  double scale = 0;          ///< 0 means 1 / sqrt(D).
  bool causal = false;       ///< Query t (at absolute position S - T + t) sees keys up to its position.
  int64_t window = 0;        ///< > 0: and only the last `window` of them (key > position - window).
  Tensor key_mask = {};           ///< bool [B, S], true = may be seen; undefined = all.
  Tensor mask = {};               ///< bool, broadcastable to [B, H, T, S], true = may be seen; combined with the above by "and".
  Tensor bias = {};               ///< Float, broadcastable to [B, H, T, S], added to the scaled scores. Differentiable.
  double softcap = 0;        ///< > 0: scores = softcap * tanh(scores / softcap), before mask and bias (Gemma 2).
  double dropout = 0;        ///< On the probabilities.
  Tensor head_mask = {};          ///< Float, broadcastable to [B, H, T, S], multiplies the probabilities.
  Tensor sinks = {};              ///< Float [H]: an extra logit per head that takes probability and no value (GPT-OSS).
  Tensor* probabilities = nullptr;  ///< If set, receives [B, H, T, S] (after softmax, before dropout), differentiable.
};
/// q [B, H, T, D], k [B, K, S, D], v [B, K, S, Dv] -> [B, H, T, Dv]; K divides H. f32 softmax for f16 and bf16.
/// A query that may see no key gets the plain mean of all S values, as the reference's finite mask value gives.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o = {});

/// [B, T, H * D] -> [B, H, T, D] (a view) and back (one copy).
Tensor split_heads(const Tensor& x, int64_t head_dim);
Tensor merge_heads(const Tensor& x);

/// Rotates x [B, H, T, D] by cos, sin [B or 1, T, R] (R <= D rotary width; the rest passes through).
/// interleaved = false: halves (x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin), cos and sin repeat for both halves.
/// interleaved = true: pairs (even, odd), GPT-J's layout; cos, sin given as [.., R] with each value repeated twice.
Tensor apply_rope(const Tensor& x, const Tensor& cos, const Tensor& sin, bool interleaved = false);

}  // namespace transformers
