// Activations by name. Reference: transformers/activations.py, ACT2CLS.
#include "ops/activation.h"

#include "ops/elementwise.h"

namespace transformers {
namespace {

struct Entry { const char* name; Tensor (*fn)(const Tensor&); };
constexpr Entry kActivations[] = {
    {"gelu", gelu}, {"gelu_python", gelu},
    {"gelu_10", [](const Tensor& x) { return clamp(gelu(x), -10, 10); }},
    {"gelu_fast", gelu_tanh}, {"gelu_new", gelu_tanh}, {"gelu_accurate", gelu_tanh}, {"gelu_pytorch_tanh", gelu_tanh},
    {"gelu_python_tanh", gelu_tanh}, {"quick_gelu", quick_gelu},
    {"silu", silu}, {"swish", silu},
    {"relu", relu}, {"relu2", relu_squared}, {"relu6", relu6},
    {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); }},
    {"prelu", [](const Tensor& x) { return leaky_relu(x, 0.25); }},
    {"elu", [](const Tensor& x) { return elu(x); }},
    {"selu", selu}, {"mish", mish}, {"tanh", tanh}, {"sigmoid", sigmoid}, {"logsigmoid", logsigmoid},
    {"linear", [](const Tensor& x) { return x; }},
    {"laplace", [](const Tensor& x) { return (erf((x - 0.707107) / (0.282095 * 1.4142135623730951)) + 1.0) * 0.5; }},
    {"hardswish", hardswish}, {"hardsigmoid", hardsigmoid},
    {"hardtanh", [](const Tensor& x) { return hardtanh(x); }},
    {"softplus", [](const Tensor& x) { return softplus(x); }},
    {"softsign", softsign},
    // The initial parameters as the reference stores them: in bfloat16.
    {"xielu", [](const Tensor& x) {
       return xielu(x, Tensor::scalar(0.2041015625, x.dtype()), Tensor::scalar(-1.046875, x.dtype()));
     }},
};

}  // namespace

Activation::Activation(const std::string& name) : name_(name) {
  std::vector<std::string> known;
  for (const Entry& e : kActivations) {
    if (name == e.name) { fn_ = e.fn; return; }
    known.push_back(e.name);
  }
  throw ConfigError({"unknown activation \"", name, "\".", did_you_mean(name, known)});
}

Tensor xielu(const Tensor& x, const Tensor& alpha_p, const Tensor& alpha_n, double beta, double eps) {
  const Tensor p = softplus(alpha_p), n = softplus(alpha_n) + beta;
  return where(gt(x, 0.0), p * x * x + x * beta, (expm1(minimum(x, Tensor::scalar(eps, x.dtype()))) - x) * n + x * beta);
}

}  // namespace transformers
