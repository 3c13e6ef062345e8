// Vectors of floats from and to float, f16 and bf16 memory, included once per target by kernel files (after simd.h).
#if defined(TRANSFORMERS_HALF_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TRANSFORMERS_HALF_INL_H
#undef TRANSFORMERS_HALF_INL_H
#else
#define TRANSFORMERS_HALF_INL_H
#endif
#include "transformers/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace transformers::kernels {
namespace HWY_NAMESPACE {

template <class D> HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load_as_float(D d, const float* p) { return hwy::HWY_NAMESPACE::LoadU(d, p); }
template <class D> HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load_as_float(D d, const Half* p) {
  namespace hn = hwy::HWY_NAMESPACE;
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::float16_t, D>(), reinterpret_cast<const hwy::float16_t*>(p)));
}
template <class D> HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load_as_float(D d, const BFloat16* p) {
  namespace hn = hwy::HWY_NAMESPACE;
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::bfloat16_t, D>(), reinterpret_cast<const hwy::bfloat16_t*>(p)));
}
template <class D, class V> HWY_INLINE void store_float(D d, V v, float* p) { hwy::HWY_NAMESPACE::StoreU(v, d, p); }
template <class D, class V> HWY_INLINE void store_float(D d, V v, Half* p) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::Rebind<hwy::float16_t, D> dh;
  hn::StoreU(hn::DemoteTo(dh, v), dh, reinterpret_cast<hwy::float16_t*>(p));
  static_cast<void>(d);
}
template <class D, class V> HWY_INLINE void store_float(D, V v, BFloat16* p) {  // to nearest even; NaN stays NaN
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<uint16_t, D> dh;
  const auto u = hn::BitCast(du, v), upper = hn::ShiftRight<16>(u);
  const auto rounded = hn::ShiftRight<16>(hn::Add(u, hn::Add(hn::Set(du, 0x7fff), hn::And(upper, hn::Set(du, 1)))));
  const auto bits = hn::IfThenElse(hn::RebindMask(du, hn::Eq(v, v)), rounded, hn::Or(upper, hn::Set(du, 0x40)));
  hn::StoreU(hn::DemoteTo(dh, hn::BitCast(di, bits)), dh, &p->bits);
}

}  // namespace HWY_NAMESPACE
}  // namespace transformers::kernels
HWY_AFTER_NAMESPACE();
#endif
