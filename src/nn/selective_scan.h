// The selective state-space recurrence of Mamba. Paper: Gu and Dao, "Mamba: Linear-Time Sequence Modeling with
// Selective State Spaces", 2023, algorithm 2. B batch, T tokens, I channels, N state size.
#pragma once
#include "transformers/tensor.h"

namespace transformers {

struct ScanResult {
  Tensor y;      ///< [B, T, I] f32
  Tensor state;  ///< [B, I, N] f32 after the last token; not differentiable.
};
/// h_t = exp(dt_t A) h_(t-1) + dt_t b_t x_t;  y_t = <c_t, h_t>, per channel.
/// x, dt (after softplus) [B, T, I], a [I, N], b and c [B, T, N], state [B, I, N] or undefined (zeros).
/// Computed in f32; differentiable in x, dt, a, b and c. Throws ShapeError when the shapes do not agree.
ScanResult selective_scan(const Tensor& x, const Tensor& dt, const Tensor& a, const Tensor& b, const Tensor& c,
                          const Tensor& state = {});

}  // namespace transformers
