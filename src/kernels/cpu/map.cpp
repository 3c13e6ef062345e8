// Elementwise functions with Highway. Each is a struct applied to one vector; the tail goes through a small buffer.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/map.cpp"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/math_inl.h"
#include "kernels/map.h"

HWY_BEFORE_NAMESPACE();
namespace transformers::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr size_t kMost = HWY_MAX_BYTES / sizeof(float);
HWY_INLINE V one() { return hn::Set(D(), 1.0f); }
HWY_INLINE V times(float a, V x) { return hn::Mul(hn::Set(D(), a), x); }

// The two ways to erf: x P(x^2) below 0.95, and erfc(a) = t Q(t) exp(-a^2), t = 1 / (1 + 0.4 a), above.
// Polynomials fitted for this file, relative errors 6e-10 and 2e-9 before rounding.
struct ErfParts { V series, erfc, decay; };  // erf(x) near 0; erfc(|x|) away from it; exp(-x^2)
HWY_INLINE ErfParts erf_parts(V x) {
  const D d;
  const V s = hn::Mul(x, x), a = hn::Abs(x);
  V p = hn::Set(d, 8.179480628751071e-05f);
  p = hn::MulAdd(p, s, hn::Set(d, -0.0008096167205951392f));
  p = hn::MulAdd(p, s, hn::Set(d, 0.005196794025030736f));
  p = hn::MulAdd(p, s, hn::Set(d, -0.026857629882297212f));
  p = hn::MulAdd(p, s, hn::Set(d, 0.1128366237216065f));
  p = hn::MulAdd(p, s, hn::Set(d, -0.37612631483894543f));
  p = hn::MulAdd(p, s, hn::Set(d, 1.1283791663915437f));
  const V t = hn::Div(one(), hn::MulAdd(a, hn::Set(d, 0.4f), one()));
  V q = hn::Set(d, 0.06425005942583084f);
  q = hn::MulAdd(q, t, hn::Set(d, -0.23613055050373077f));
  q = hn::MulAdd(q, t, hn::Set(d, 0.2538329064846039f));
  q = hn::MulAdd(q, t, hn::Set(d, -0.07891520112752914f));
  q = hn::MulAdd(q, t, hn::Set(d, 0.17889249324798584f));
  q = hn::MulAdd(q, t, hn::Set(d, 0.1570209264755249f));
  q = hn::MulAdd(q, t, hn::Set(d, 0.2099195122718811f));
  q = hn::MulAdd(q, t, hn::Set(d, 0.22546851634979248f));
  q = hn::MulAdd(q, t, hn::Set(d, 0.22568395733833313f));
  const V decay = fast_exp(d, hn::Neg(s));
  return {hn::Mul(x, p), hn::Mul(hn::Mul(q, t), decay), decay};
}
HWY_INLINE V sigmoid_of(V x) { return hn::Div(one(), hn::Add(one(), fast_exp(D(), hn::Neg(x)))); }
// Probability of a standard normal below x.
HWY_INLINE V normal_cdf(V x, V* decay) {
  const D d;
  const V u = times(0.70710678f, x), half = hn::Set(d, 0.5f);
  const ErfParts e = erf_parts(u);
  *decay = e.decay;
  const V near = hn::MulAdd(half, e.series, half), tail = hn::Mul(half, e.erfc);
  const V far = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one(), tail));
  return hn::IfThenElse(hn::Lt(hn::Abs(u), hn::Set(d, 0.95f)), near, far);
}
// 2 sqrt(2/pi) (x + 0.044715 x^3): gelu's tanh form is x times the sigmoid of this.
HWY_INLINE V gelu_inner(V x) {
  const D d;
  return hn::Mul(x, hn::MulAdd(hn::Mul(x, x), hn::Set(d, 0.0713548162726f), hn::Set(d, 1.5957691216057f)));
}

struct Exp { HWY_INLINE V operator()(V x) const { return fast_exp(D(), x); } };
struct Tanh { HWY_INLINE V operator()(V x) const { return fast_tanh(D(), x); } };
struct Sigmoid { HWY_INLINE V operator()(V x) const { return sigmoid_of(x); } };
struct Erf {
  HWY_INLINE V operator()(V x) const {
    const ErfParts e = erf_parts(x);
    return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(D(), 0.95f)), e.series, hn::CopySign(hn::Sub(one(), e.erfc), x));
  }
};
struct Gelu {
  HWY_INLINE V operator()(V x) const {
    V decay;
    return hn::Mul(x, normal_cdf(x, &decay));
  }
};
struct GeluTanh { HWY_INLINE V operator()(V x) const { return hn::Div(x, hn::Add(one(), fast_exp(D(), hn::Neg(gelu_inner(x))))); } };
struct QuickGelu { HWY_INLINE V operator()(V x) const { return hn::Div(x, hn::Add(one(), fast_exp(D(), times(-1.702f, x)))); } };
struct Silu { HWY_INLINE V operator()(V x) const { return hn::Div(x, hn::Add(one(), fast_exp(D(), hn::Neg(x)))); } };
// tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2); beyond 20 that is 1.
struct Mish {
  HWY_INLINE V operator()(V x) const {
    const D d;
    const V two = hn::Set(d, 2.0f), e = fast_exp(d, hn::Min(hn::Set(d, 20.0f), x)), n = hn::Mul(e, hn::Add(e, two));
    return hn::Mul(x, hn::Div(n, hn::Add(n, two)));
  }
};
struct Relu { HWY_INLINE V operator()(V x) const { return hn::IfThenElse(hn::Lt(x, hn::Zero(D())), hn::Zero(D()), x); } };
struct Sqrt { HWY_INLINE V operator()(V x) const { return hn::Sqrt(x); } };
struct Rsqrt { HWY_INLINE V operator()(V x) const { return hn::Div(one(), hn::Sqrt(x)); } };
struct Square { HWY_INLINE V operator()(V x) const { return hn::Mul(x, x); } };

struct ExpGrad { HWY_INLINE V operator()(V g, V y) const { return hn::Mul(g, y); } };
struct TanhGrad { HWY_INLINE V operator()(V g, V y) const { return hn::Mul(g, hn::NegMulAdd(y, y, one())); } };
struct SigmoidGrad { HWY_INLINE V operator()(V g, V y) const { return hn::Mul(hn::Mul(g, y), hn::Sub(one(), y)); } };
struct GeluGrad {
  HWY_INLINE V operator()(V g, V x) const {
    V decay;
    const V cdf = normal_cdf(x, &decay);
    return hn::Mul(g, hn::MulAdd(times(0.3989422804f, x), decay, cdf));
  }
};
struct GeluTanhGrad {
  HWY_INLINE V operator()(V g, V x) const {
    const D d;
    const V s = sigmoid_of(gelu_inner(x));
    const V slope = hn::Mul(x, hn::MulAdd(hn::Mul(x, x), hn::Set(d, 3 * 0.0713548162726f), hn::Set(d, 1.5957691216057f)));
    return hn::Mul(g, hn::MulAdd(hn::Mul(s, hn::Sub(one(), s)), slope, s));
  }
};
// d x sigmoid(k x) = s (1 + k x (1 - s))
HWY_INLINE V swish_grad(V g, V x, float k) {
  const V u = times(k, x), s = sigmoid_of(u);
  return hn::Mul(hn::Mul(g, s), hn::MulAdd(u, hn::Sub(one(), s), one()));
}
struct QuickGeluGrad { HWY_INLINE V operator()(V g, V x) const { return swish_grad(g, x, 1.702f); } };
struct SiluGrad { HWY_INLINE V operator()(V g, V x) const { return swish_grad(g, x, 1.0f); } };
struct ReluGrad { HWY_INLINE V operator()(V g, V x) const { return hn::IfThenElseZero(hn::Gt(x, hn::Zero(D())), g); } };

template <class F> void each(const float* x, float* y, int64_t n, F f) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(hn::LoadU(d, x + i)), d, y + i);
  if (i == n) return;
  HWY_ALIGN float buffer[kMost] = {};
  for (int64_t k = i; k < n; ++k) buffer[k - i] = x[k];
  hn::Store(f(hn::Load(d, buffer)), d, buffer);
  for (int64_t k = i; k < n; ++k) y[k] = buffer[k - i];
}
template <class F> void each(const float* g, const float* x, float* y, int64_t n, F f) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(hn::LoadU(d, g + i), hn::LoadU(d, x + i)), d, y + i);
  if (i == n) return;
  HWY_ALIGN float a[kMost] = {}, b[kMost] = {};
  for (int64_t k = i; k < n; ++k) a[k - i] = g[k], b[k - i] = x[k];
  hn::Store(f(hn::Load(d, a), hn::Load(d, b)), d, a);
  for (int64_t k = i; k < n; ++k) y[k] = a[k - i];
}

void map_all(Map f, const float* x, float* y, int64_t n) {
  switch (f) {
    case Map::exp: return each(x, y, n, Exp());
    case Map::tanh: return each(x, y, n, Tanh());
    case Map::sigmoid: return each(x, y, n, Sigmoid());
    case Map::erf: return each(x, y, n, Erf());
    case Map::gelu: return each(x, y, n, Gelu());
    case Map::gelu_tanh: return each(x, y, n, GeluTanh());
    case Map::quick_gelu: return each(x, y, n, QuickGelu());
    case Map::silu: return each(x, y, n, Silu());
    case Map::mish: return each(x, y, n, Mish());
    case Map::relu: return each(x, y, n, Relu());
    case Map::sqrt: return each(x, y, n, Sqrt());
    case Map::rsqrt: return each(x, y, n, Rsqrt());
    case Map::square: return each(x, y, n, Square());
  }
}
void map_grad_all(MapGrad f, const float* g, const float* v, float* dx, int64_t n) {
  switch (f) {
    case MapGrad::exp: return each(g, v, dx, n, ExpGrad());
    case MapGrad::tanh: return each(g, v, dx, n, TanhGrad());
    case MapGrad::sigmoid: return each(g, v, dx, n, SigmoidGrad());
    case MapGrad::gelu: return each(g, v, dx, n, GeluGrad());
    case MapGrad::gelu_tanh: return each(g, v, dx, n, GeluTanhGrad());
    case MapGrad::quick_gelu: return each(g, v, dx, n, QuickGeluGrad());
    case MapGrad::silu: return each(g, v, dx, n, SiluGrad());
    case MapGrad::relu: return each(g, v, dx, n, ReluGrad());
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace transformers::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace transformers::kernels {
HWY_EXPORT(map_all);
HWY_EXPORT(map_grad_all);
void map(Map f, const float* x, float* y, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(map_all)(f, x, y, n); }
void map_grad(MapGrad f, const float* g, const float* v, float* dx, int64_t n) noexcept {
  HWY_DYNAMIC_DISPATCH(map_grad_all)(f, g, v, dx, n);
}
}  // namespace transformers::kernels
#endif
