// Elementwise functions of float rows and their gradients. n values, any alignment; y may be x.
#pragma once
#include <cstdint>

namespace transformers::kernels {

enum class Map : uint8_t { exp, tanh, sigmoid, erf, gelu, gelu_tanh, quick_gelu, silu, mish, relu, sqrt, rsqrt, square };
/// y = f(x), relative error about 3e-7.
void map(Map f, const float* x, float* y, int64_t n) noexcept;

/// Gradients as functions of (g, v): v is the result for exp, tanh and sigmoid, the input for the others.
enum class MapGrad : uint8_t { exp, tanh, sigmoid, gelu, gelu_tanh, quick_gelu, silu, relu };
void map_grad(MapGrad f, const float* g, const float* v, float* dx, int64_t n) noexcept;

}  // namespace transformers::kernels
