// Panel products with AVX-512 VNNI: one 64-byte register holds four values of sixteen columns, one instruction adds their
// products with four activations; and panels to bf16 for AMX.
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12: false positives inside its own header
#include <immintrin.h>

#include "kernels/blocks/blocks.h"
#include "kernels/blocks/panels.h"
#include "kernels/target.h"

#define TARGET TRANSFORMERS_TARGET_AVX512_VNNI
#define INLINE TARGET inline __attribute__((always_inline))

namespace transformers::kernels {
namespace {

INLINE __m512 halves(const uint8_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
INLINE __m512i load(const uint8_t* p) { return _mm512_loadu_si512(p); }
INLINE __m512 unsigned_bytes(const uint8_t* p) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))); }
INLINE __m512 signed_bytes(const uint8_t* p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))); }
// 2^(e - 128), the table being doubled; the two subnormal exponents as they are.
INLINE __m512 exponents(const uint8_t* p) {
  const __m512i e = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  const __m512i small = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e), normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
  return _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, _mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2)), small));
}

// The sixteen table values + 128, in each 128-bit lane.
template <int Header> INLINE __m512i table() {
  alignas(16) uint8_t t[16];
  for (int i = 0; i < 16; ++i) t[i] = static_cast<uint8_t>((Header == kExponent ? kMxfp4[i] : kIq4[i]) + 128);
  return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(t)));
}

// The 64 unsigned numbers of step s.
template <int Quants, int S> INLINE __m512i numbers(const uint8_t* quants, const __m512i* nibbles, const __m512i* high, __m512i lookup) {
  if constexpr (Quants == kByte) return load(quants + S * 64);
  const __m512i mask = _mm512_set1_epi8(15);
  __m512i v = S < 4 ? _mm512_and_si512(nibbles[S % 4], mask) : _mm512_and_si512(_mm512_srli_epi16(nibbles[S % 4], 4), mask);
  if constexpr (Quants == kTable) v = _mm512_shuffle_epi8(lookup, v);
  if constexpr (Quants == kNibble5) {
    const __m512i h = S < 4 ? _mm512_slli_epi16(high[0], S < 4 ? 4 - S : 0) : _mm512_srli_epi16(high[0], S < 4 ? 0 : S - 4);
    v = _mm512_or_si512(v, _mm512_and_si512(h, _mm512_set1_epi8(16)));
  }
  if constexpr (Quants == kNibble6) {
    constexpr int shift = 4 - S % 4 * 2;
    const __m512i h = shift >= 0 ? _mm512_slli_epi16(high[S / 4], shift >= 0 ? shift : 0) : _mm512_srli_epi16(high[S / 4], shift >= 0 ? 0 : -shift);
    v = _mm512_or_si512(v, _mm512_and_si512(h, _mm512_set1_epi8(48)));
  }
  return v;
}

struct Loaded { __m512i nibbles[4], high[2]; };
template <int Quants> INLINE void load_quants(const uint8_t* quants, Loaded* l) {
  if constexpr (Quants != kByte)
    for (int j = 0; j < 4; ++j) l->nibbles[j] = load(quants + j * 64);
  if constexpr (Quants == kNibble5) l->high[0] = load(quants + 256);
  if constexpr (Quants == kNibble6) l->high[0] = load(quants + 256), l->high[1] = load(quants + 320);
}

template <int Quants, int S, int Rows>
INLINE void step(const uint8_t* quants, const Loaded& l, __m512i lookup, const int8_t* x, int64_t k, __m512i* acc) {
  const __m512i w = numbers<Quants, S>(quants, l.nibbles, l.high, lookup);
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
    int32_t four;
    __builtin_memcpy(&four, x + r * k + S * 4, 4);
    acc[r] = _mm512_dpbusd_epi32(acc[r], w, _mm512_set1_epi32(four));
  }
}

template <BlockType T, int Rows>
TARGET void product(const uint8_t* panel, const int8_t* x, const float* x_scale, const int32_t* x_sums, int64_t k, float* out) {
  constexpr PanelForm f = panel_form(T);
  constexpr int Q = f.quants, H = f.header;
  const __m512i lookup = Q == kTable ? table<H>() : _mm512_setzero_si512();
  const int64_t groups = k / 32, supers = groups / f.groups;
  __m512 sum[Rows];
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) sum[r] = _mm512_setzero_ps();
  int64_t at = 0;
  for (int64_t super = 0; super < supers; ++super) {
    __m512 d = _mm512_setzero_ps(), dmin = _mm512_setzero_ps();
    if constexpr (f.super_header > 0) d = halves(panel);
    if constexpr (f.super_header == 64) dmin = halves(panel + 32);
    panel += f.super_header;
    for (int g = 0; g < f.groups; ++g, ++at, panel += f.group_header + f.quant_bytes) {
      const uint8_t* quants = panel + f.group_header;
      const int8_t* xq = x + at * 32;
      _mm_prefetch(reinterpret_cast<const char*>(panel + 2048), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(panel + 2048 + 64), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(panel + 2048 + 128), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(panel + 2048 + 192), _MM_HINT_T0);
      Loaded l;
      load_quants<Q>(quants, &l);
      __m512i low[Rows], high[Rows];
#pragma GCC unroll 4
      for (int r = 0; r < Rows; ++r) {
        const int32_t* s = x_sums + (r * groups + at) * 2;
        low[r] = f.offset ? _mm512_set1_epi32(-f.offset * (H == kSuperScale16 ? s[0] : s[0] + s[1])) : _mm512_setzero_si512();
        high[r] = H == kSuperScale16 ? _mm512_set1_epi32(-f.offset * s[1]) : _mm512_setzero_si512();
      }
      step<Q, 0, Rows>(quants, l, lookup, xq, k, low), step<Q, 1, Rows>(quants, l, lookup, xq, k, low);
      step<Q, 2, Rows>(quants, l, lookup, xq, k, low), step<Q, 3, Rows>(quants, l, lookup, xq, k, low);
      step<Q, 4, Rows>(quants, l, lookup, xq, k, high), step<Q, 5, Rows>(quants, l, lookup, xq, k, high);
      step<Q, 6, Rows>(quants, l, lookup, xq, k, high), step<Q, 7, Rows>(quants, l, lookup, xq, k, high);
      __m512 scale, other = _mm512_setzero_ps();  // other: minimum, or the second half's scale
      if constexpr (H == kScale || H == kScaleMin) scale = halves(panel);
      if constexpr (H == kScaleMin) other = halves(panel + 32);
      if constexpr (H == kSuperScaleMin) scale = _mm512_mul_ps(d, unsigned_bytes(panel)), other = _mm512_mul_ps(dmin, unsigned_bytes(panel + 16));
      if constexpr (H == kSuperScale16) scale = _mm512_mul_ps(d, signed_bytes(panel)), other = _mm512_mul_ps(d, signed_bytes(panel + 16));
      if constexpr (H == kSuperScale) scale = _mm512_mul_ps(d, signed_bytes(panel));
      if constexpr (H == kExponent) scale = exponents(panel);
#pragma GCC unroll 4
      for (int r = 0; r < Rows; ++r) {
        const float xs = x_scale[r * groups + at];
        const int32_t* s = x_sums + (r * groups + at) * 2;
        const __m512 xv = _mm512_set1_ps(xs);
        if constexpr (H == kSuperScale16) {
          __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(low[r]), scale);
          v = _mm512_fmadd_ps(_mm512_cvtepi32_ps(high[r]), other, v);
          sum[r] = _mm512_fmadd_ps(v, xv, sum[r]);
        } else {
          sum[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_add_epi32(low[r], high[r])), _mm512_mul_ps(scale, xv), sum[r]);
          if constexpr (H == kScaleMin) sum[r] = _mm512_fmadd_ps(other, _mm512_set1_ps(xs * static_cast<float>(s[0] + s[1])), sum[r]);
          if constexpr (H == kSuperScaleMin) sum[r] = _mm512_fnmadd_ps(other, _mm512_set1_ps(xs * static_cast<float>(s[0] + s[1])), sum[r]);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) _mm512_storeu_ps(out + r * 16, sum[r]);
}

// Four numbers per column -> two rows of bf16 pairs.
INLINE void store_pairs(__m512i w, __m512 scale, __m512 shift, uint16_t* out) {
  const __m512i byte = _mm512_set1_epi32(255), round = _mm512_set1_epi32(0x8000), top = _mm512_set1_epi32(static_cast<int>(0xffff0000));
  const __m512 v0 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_and_si512(w, byte)), scale, shift);
  const __m512 v1 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32(w, 8), byte)), scale, shift);
  const __m512 v2 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32(w, 16), byte)), scale, shift);
  const __m512 v3 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(w, 24)), scale, shift);
  const __m512i a = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(v0), round), 16);
  const __m512i b = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(v1), round), top);
  const __m512i c = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(v2), round), 16);
  const __m512i d = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(v3), round), top);
  _mm512_storeu_si512(out, _mm512_or_si512(a, b));
  _mm512_storeu_si512(out + 128, _mm512_or_si512(c, d));
}

template <BlockType T> TARGET void to_bf16(const uint8_t* panel, int64_t k, uint16_t* out) {
  constexpr PanelForm f = panel_form(T);
  constexpr int Q = f.quants, H = f.header;
  const __m512i lookup = Q == kTable ? table<H>() : _mm512_setzero_si512();
  for (int64_t super = 0; super < k / (32 * f.groups); ++super) {
    __m512 d = _mm512_setzero_ps(), dmin = _mm512_setzero_ps();
    if constexpr (f.super_header > 0) d = halves(panel);
    if constexpr (f.super_header == 64) dmin = halves(panel + 32);
    panel += f.super_header;
    for (int g = 0; g < f.groups; ++g, panel += f.group_header + f.quant_bytes, out += 16 * 128) {
      const uint8_t* quants = panel + f.group_header;
      Loaded l;
      load_quants<Q>(quants, &l);
      __m512 scale[2], shift[2];
      const __m512 offset = _mm512_set1_ps(static_cast<float>(-f.offset));
      if constexpr (H == kScale || H == kScaleMin) scale[0] = halves(panel);
      if constexpr (H == kSuperScaleMin) scale[0] = _mm512_mul_ps(d, unsigned_bytes(panel));
      if constexpr (H == kSuperScale16 || H == kSuperScale) scale[0] = _mm512_mul_ps(d, signed_bytes(panel));
      if constexpr (H == kExponent) scale[0] = exponents(panel);
      scale[1] = scale[0];
      if constexpr (H == kSuperScale16) scale[1] = _mm512_mul_ps(d, signed_bytes(panel + 16));
      shift[0] = _mm512_mul_ps(scale[0], offset), shift[1] = _mm512_mul_ps(scale[1], offset);
      if constexpr (H == kScaleMin) shift[0] = shift[1] = halves(panel + 32);
      if constexpr (H == kSuperScaleMin) shift[0] = shift[1] = _mm512_sub_ps(_mm512_setzero_ps(), _mm512_mul_ps(dmin, unsigned_bytes(panel + 16)));
      store_pairs(numbers<Q, 0>(quants, l.nibbles, l.high, lookup), scale[0], shift[0], out);
      store_pairs(numbers<Q, 1>(quants, l.nibbles, l.high, lookup), scale[0], shift[0], out + 256);
      store_pairs(numbers<Q, 2>(quants, l.nibbles, l.high, lookup), scale[0], shift[0], out + 512);
      store_pairs(numbers<Q, 3>(quants, l.nibbles, l.high, lookup), scale[0], shift[0], out + 768);
      store_pairs(numbers<Q, 4>(quants, l.nibbles, l.high, lookup), scale[1], shift[1], out + 1024);
      store_pairs(numbers<Q, 5>(quants, l.nibbles, l.high, lookup), scale[1], shift[1], out + 1280);
      store_pairs(numbers<Q, 6>(quants, l.nibbles, l.high, lookup), scale[1], shift[1], out + 1536);
      store_pairs(numbers<Q, 7>(quants, l.nibbles, l.high, lookup), scale[1], shift[1], out + 1792);
    }
  }
}

template <BlockType T> PanelFn by_rows(int rows) { return rows == 4 ? product<T, 4> : rows == 2 ? product<T, 2> : product<T, 1>; }
using Bf16Fn = void (*)(const uint8_t*, int64_t, uint16_t*);
struct Entry { PanelFn (*product)(int); Bf16Fn bf16; };
template <BlockType T> constexpr Entry entry() { return {by_rows<T>, to_bf16<T>}; }
Entry find(BlockType t) {
  switch (t) {
    case BlockType::q4_0: return entry<BlockType::q4_0>();
    case BlockType::q4_1: return entry<BlockType::q4_1>();
    case BlockType::q5_0: return entry<BlockType::q5_0>();
    case BlockType::q5_1: return entry<BlockType::q5_1>();
    case BlockType::q8_0: return entry<BlockType::q8_0>();
    case BlockType::q4_k: return entry<BlockType::q4_k>();
    case BlockType::q5_k: return entry<BlockType::q5_k>();
    case BlockType::q6_k: return entry<BlockType::q6_k>();
    case BlockType::iq4_nl: return entry<BlockType::iq4_nl>();
    case BlockType::iq4_xs: return entry<BlockType::iq4_xs>();
    default: return entry<BlockType::mxfp4>();
  }
}

}  // namespace

PanelFn panel_avx512(BlockType t, int rows) { return find(t).product(rows); }
void panels_to_bf16(BlockType t, const uint8_t* panels, int64_t count, int64_t in, uint16_t* out) {
  const Bf16Fn fn = find(t).bf16;
  for (int64_t p = 0; p < count; ++p) fn(panels + p * panel_bytes(t, in), in, out + p * 32);
}

}  // namespace transformers::kernels
