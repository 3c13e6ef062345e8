// exp and tanh on Highway vectors, included once per target by kernel files (after simd.h).
#if defined(TRANSFORMERS_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TRANSFORMERS_MATH_INL_H
#undef TRANSFORMERS_MATH_INL_H
#else
#define TRANSFORMERS_MATH_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace transformers::kernels {
namespace HWY_NAMESPACE {

// exp by 2^n * 2^f, relative error about 2e-7; exactly 0 below -87, NaN stays NaN.
template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>> HWY_INLINE V fast_exp(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::RebindToSigned<D> di;
  const auto dead = hn::Lt(x, hn::Set(d, -87.0f));
  const V in = hn::Min(hn::Max(x, hn::Set(d, -87.0f)), hn::Set(d, 88.7f));
  const V n = hn::Round(hn::Mul(in, hn::Set(d, 1.44269504088896341f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), in);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  V p = hn::Set(d, 1.9875691500e-4f);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1f));
  p = hn::MulAdd(hn::Mul(r, r), p, hn::Add(r, hn::Set(d, 1.0f)));
  // In two halves, so that 2^128 is never formed.
  const auto whole = hn::ConvertTo(di, n), first = hn::ShiftRight<1>(whole), second = hn::Sub(whole, first);
  const auto power = [&](auto e) HWY_ATTR { return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(e, hn::Set(di, 127)))); };
  const V y = hn::Mul(hn::Mul(p, power(first)), power(second));
  return hn::IfThenElse(dead, hn::Zero(d), hn::IfThenElse(hn::Eq(x, x), y, x));
}
// 1 - 2 / (exp(2x) + 1), by series near 0 where that cancels.
template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>> HWY_INLINE V fast_tanh(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const V e = fast_exp(d, hn::Add(x, x));
  const V big = hn::Sub(hn::Set(d, 1.0f), hn::Div(hn::Set(d, 2.0f), hn::Add(e, hn::Set(d, 1.0f))));
  const V x2 = hn::Mul(x, x);
  V p = hn::Set(d, 0.00229584f);  // fitted on [0, 0.625], relative error 6e-10
  p = hn::MulAdd(p, x2, hn::Set(d, -0.00834698f));
  p = hn::MulAdd(p, x2, hn::Set(d, 0.02176996f));
  p = hn::MulAdd(p, x2, hn::Set(d, -0.05395941f));
  p = hn::MulAdd(p, x2, hn::Set(d, 0.13333304f));
  p = hn::MulAdd(p, x2, hn::Set(d, -0.33333333f));
  const V small = hn::MulAdd(hn::Mul(x, x2), p, x);
  return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 0.625f)), small, big);
}

}  // namespace HWY_NAMESPACE
}  // namespace transformers::kernels
HWY_AFTER_NAMESPACE();
#endif
