// Activation functions and their derivatives. Reference: transformers/activations.py and torch.nn.functional.
#include <cmath>

#include "ops/elementwise.h"
#include "ops/fast.h"

namespace transformers {
using namespace detail;
using kernels::Map;
using kernels::MapGrad;
namespace {

template <class A> A logistic(A x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const A e = std::exp(x);
  return e / (1 + e);
}
template <class A> A soft_plus(A x) { return std::log1p(std::exp(-std::abs(x))) + (x > 0 ? x : A(0)); }

// Each struct is one function f and its derivative d at x.
struct LogSigmoid {
  template <class A> A f(A x) const { return -soft_plus(-x); }
  template <class A> A d(A x) const { return logistic(-x); }
};
struct Relu {
  template <class A> A f(A x) const { return x < 0 ? A(0) : x; }
  template <class A> A d(A x) const { return x > 0 ? A(1) : A(0); }
};
struct ReluSquared {
  template <class A> A f(A x) const { return x < 0 ? A(0) : x * x; }
  template <class A> A d(A x) const { return x > 0 ? 2 * x : A(0); }
};
struct LeakyRelu {
  double slope;
  template <class A> A f(A x) const { return x > 0 ? x : x * A(slope); }
  template <class A> A d(A x) const { return x > 0 ? A(1) : A(slope); }
};
struct Elu {
  double alpha, scale;
  template <class A> A f(A x) const { return x > 0 ? x * A(scale) : A(alpha * scale) * std::expm1(x); }
  template <class A> A d(A x) const { return x > 0 ? A(scale) : A(alpha * scale) * std::exp(x); }
};
struct Gelu {
  template <class A> A f(A x) const { return A(0.5) * x * std::erfc(x * A(-0.7071067811865476)); }
  template <class A> A d(A x) const {
    return A(0.5) * std::erfc(x * A(-0.7071067811865476)) + x * A(0.3989422804014327) * std::exp(A(-0.5) * x * x);
  }
};
struct GeluTanh {
  template <class A> A f(A x) const { return x * logistic(A(2 * 0.7978845608028654) * (x + A(0.044715) * x * x * x)); }
  template <class A> A d(A x) const {
    const A t = std::tanh(A(0.7978845608028654) * (x + A(0.044715) * x * x * x));
    return A(0.5) * (1 + t) + A(0.5) * x * (1 - t * t) * A(0.7978845608028654) * (1 + A(3 * 0.044715) * x * x);
  }
};
struct QuickGelu {
  template <class A> A f(A x) const { return x * logistic(A(1.702) * x); }
  template <class A> A d(A x) const {
    const A s = logistic(A(1.702) * x);
    return s + A(1.702) * x * s * (1 - s);
  }
};
struct Silu {
  template <class A> A f(A x) const { return x * logistic(x); }
  template <class A> A d(A x) const {
    const A s = logistic(x);
    return s * (1 + x * (1 - s));
  }
};
struct Mish {
  template <class A> A f(A x) const { return x * std::tanh(soft_plus(x)); }
  template <class A> A d(A x) const {
    const A t = std::tanh(soft_plus(x));
    return t + x * (1 - t * t) * logistic(x);
  }
};
struct Softplus {
  double beta, threshold;
  template <class A> A f(A x) const { return x * A(beta) > A(threshold) ? x : soft_plus(x * A(beta)) / A(beta); }
  template <class A> A d(A x) const { return x * A(beta) > A(threshold) ? A(1) : logistic(x * A(beta)); }
};
struct Softsign {
  template <class A> A f(A x) const { return x / (1 + std::abs(x)); }
  template <class A> A d(A x) const { return 1 / ((1 + std::abs(x)) * (1 + std::abs(x))); }
};
struct HardSigmoid {
  template <class A> A f(A x) const { return x <= -3 ? A(0) : x >= 3 ? A(1) : (x + 3) / 6; }
  template <class A> A d(A x) const { return x > -3 && x < 3 ? A(1) / 6 : A(0); }
};
struct HardSwish {
  template <class A> A f(A x) const { return x <= -3 ? A(0) : x >= 3 ? x : x * (x + 3) / 6; }
  template <class A> A d(A x) const { return x <= -3 ? A(0) : x < 3 ? x / 3 + A(0.5) : A(1); }
};
struct HardTanh {
  double low, high;
  template <class A> A f(A x) const { return x != x ? x : x < A(low) ? A(low) : x > A(high) ? A(high) : x; }
  template <class A> A d(A x) const { return x > A(low) && x < A(high) ? A(1) : A(0); }
};

template <class Act> Tensor activate(const char* name, const Tensor& input, Act act) {
  const Tensor x = floating(input);
  return record(map(name, x, [act](auto v) { return act.f(v); }), name, {x}, [x, name, act](const Tensor& g) -> Grads {
    return {map2(name, g, x, [act](auto u, auto v) { return u * act.d(v); })};
  });
}
// With vector kernels for f32, f16 and bf16.
template <class Act> Tensor activate(const char* name, const Tensor& input, Map kernel, MapGrad grad, Act act) {
  const Tensor x = floating(input);
  return record(map(name, x, kernel, [act](auto v) { return act.f(v); }), name, {x}, [x, name, grad, act](const Tensor& g) -> Grads {
    return {map2(name, g, x, grad, [act](auto u, auto v) { return u * act.d(v); })};
  });
}
template <class F, class D> Tensor by_result(const char* name, const Tensor& input, Map kernel, MapGrad grad, F f, D d) {
  const Tensor x = floating(input), y = map(name, x, kernel, f);
  if (!needs_grad({x})) return y;
  return record(y, name, {x}, [y = alias(y), name, grad, d](const Tensor& g) -> Grads { return {map2(name, g, y, grad, d)}; });
}

}  // namespace

Tensor tanh(const Tensor& x) {
  return by_result("tanh", x, Map::tanh, MapGrad::tanh, [](auto v) { return std::tanh(v); }, [](auto g, auto y) { return g * (1 - y * y); });
}
Tensor sigmoid(const Tensor& x) {
  return by_result("sigmoid", x, Map::sigmoid, MapGrad::sigmoid, [](auto v) { return logistic(v); }, [](auto g, auto y) { return g * y * (1 - y); });
}
Tensor logsigmoid(const Tensor& x) { return activate("logsigmoid", x, LogSigmoid{}); }
Tensor relu(const Tensor& x) {
  if (!is_floating(x.dtype())) return clamp(x, 0, 0x1p63);
  return activate("relu", x, Map::relu, MapGrad::relu, Relu{});
}
Tensor relu6(const Tensor& x) { return activate("relu6", x, HardTanh{0, 6}); }
Tensor relu_squared(const Tensor& x) { return activate("relu_squared", x, ReluSquared{}); }
Tensor leaky_relu(const Tensor& x, double slope) { return activate("leaky_relu", x, LeakyRelu{slope}); }
Tensor elu(const Tensor& x, double alpha) { return activate("elu", x, Elu{alpha, 1}); }
Tensor selu(const Tensor& x) { return activate("selu", x, Elu{1.6732632423543772848170429916717, 1.0507009873554804934193349852946}); }
Tensor gelu(const Tensor& x) { return activate("gelu", x, Map::gelu, MapGrad::gelu, Gelu{}); }
Tensor gelu_tanh(const Tensor& x) { return activate("gelu_tanh", x, Map::gelu_tanh, MapGrad::gelu_tanh, GeluTanh{}); }
Tensor quick_gelu(const Tensor& x) { return activate("quick_gelu", x, Map::quick_gelu, MapGrad::quick_gelu, QuickGelu{}); }
Tensor silu(const Tensor& x) { return activate("silu", x, Map::silu, MapGrad::silu, Silu{}); }
Tensor mish(const Tensor& input) {
  const Tensor x = floating(input);
  const Mish act;
  return record(map("mish", x, Map::mish, [act](auto v) { return act.f(v); }), "mish", {x}, [x, act](const Tensor& g) -> Grads {
    return {map2("mish", g, x, [act](auto u, auto v) { return u * act.d(v); })};
  });
}
Tensor softplus(const Tensor& x, double beta, double threshold) { return activate("softplus", x, Softplus{beta, threshold}); }
Tensor softsign(const Tensor& x) { return activate("softsign", x, Softsign{}); }
Tensor hardsigmoid(const Tensor& x) { return activate("hardsigmoid", x, HardSigmoid{}); }
Tensor hardswish(const Tensor& x) { return activate("hardswish", x, HardSwish{}); }
Tensor hardtanh(const Tensor& x, double low, double high) { return activate("hardtanh", x, HardTanh{low, high}); }

}  // namespace transformers
