// Random numbers. One process-wide generator (Philox 4x32-10, counter based) seeded by manual_seed; its state can be
// saved and restored.
#pragma once
#include "transformers/tensor.h"

namespace transformers {

void manual_seed(uint64_t seed);
uint64_t next_random();                                                     ///< 64 random bits.
double next_uniform();                                                      ///< [0, 1)
struct RandomState { uint64_t seed, counter; };
RandomState random_state();
void set_random_state(RandomState s);

Tensor rand(const Shape& shape, DType dtype = DType::f32);                  ///< [0, 1)
Tensor randn(const Shape& shape, DType dtype = DType::f32);
Tensor randint(int64_t low, int64_t high, const Shape& shape);              ///< int64 in [low, high)
Tensor randperm(int64_t n);
Tensor bernoulli(const Shape& shape, double p);                             ///< bool
/// Draws per row of probabilities [..., V] (need not sum to 1) -> [..., count] int64. Throws ValueError on a row
/// without weight, or on too few non-zero entries without replacement.
Tensor multinomial(const Tensor& probabilities, int64_t count, bool replacement = false);
/// Zeroes with probability p and scales the rest by 1 / (1 - p). p = 0 returns x itself. Differentiable.
Tensor dropout(const Tensor& x, double p);
/// Drops whole rows of dim 0 (stochastic depth).
Tensor drop_path(const Tensor& x, double p);

}  // namespace transformers
