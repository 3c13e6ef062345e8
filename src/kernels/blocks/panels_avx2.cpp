// Panel products with AVX2, with or without its VNNI: the same panels as AVX-512, in two halves of eight columns.
// Without VNNI, byte products are summed in 16 bits: numbers up to 63 cannot overflow there; full bytes go as |w| * (x sign w).
#include <immintrin.h>

#include "kernels/blocks/blocks.h"
#include "kernels/blocks/panels.h"
#include "kernels/target.h"

#define INLINE(target) target inline __attribute__((always_inline))

namespace transformers::kernels {
namespace {

#define TRANSFORMERS_PANEL_AVX2(NAME, TARGET, DOT_UNSIGNED, DOT_SIGNED, SIGNED_BYTES)                                                     \
  namespace NAME {                                                                                                                       \
  INLINE(TARGET) __m256 halves(const uint8_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }        \
  INLINE(TARGET) __m256i load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }                      \
  INLINE(TARGET) __m256 unsigned_bytes(const uint8_t* p) {                                                                               \
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));                               \
  }                                                                                                                                      \
  INLINE(TARGET) __m256 signed_bytes(const uint8_t* p) {                                                                                 \
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));                               \
  }                                                                                                                                      \
  INLINE(TARGET) __m256 exponents(const uint8_t* p) {                                                                                    \
    const __m256i e = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));                                        \
    const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);                                                           \
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);                                             \
    return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, small, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e)));                          \
  }                                                                                                                                      \
  INLINE(TARGET) __m256i dot(__m256i acc, __m256i w, __m256i x) { DOT_UNSIGNED }                                                         \
  INLINE(TARGET) __m256i dot_signed(__m256i acc, __m256i w, __m256i x) { DOT_SIGNED }                                                    \
  template <BlockType T, int Rows>                                                                                                       \
  TARGET void product(const uint8_t* panel, const int8_t* x, const float* x_scale, const int32_t* x_sums, int64_t k, float* out) {       \
    constexpr PanelForm f = panel_form(T);                                                                                               \
    constexpr int Q = f.quants, H = f.header;                                                                                            \
    constexpr bool bytes = Q == kByte || Q == kTable;                                                                                    \
    constexpr int offset = bytes && SIGNED_BYTES ? 0 : f.offset;                                                                         \
    alignas(16) uint8_t t[16];                                                                                                           \
    for (int i = 0; i < 16; ++i) t[i] = static_cast<uint8_t>((H == kExponent ? kMxfp4[i] : kIq4[i]) + 128);                              \
    const __m256i lookup = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(t)));                             \
    const __m256i mask = _mm256_set1_epi8(15);                                                                                           \
    const int64_t groups = k / 32, supers = groups / f.groups;                                                                           \
    for (int half = 0; half < 2; ++half) {                                                                                               \
      const uint8_t* p = panel;                                                                                                          \
      __m256 sum[Rows];                                                                                                                  \
      for (int r = 0; r < Rows; ++r) sum[r] = _mm256_setzero_ps();                                                                       \
      int64_t at = 0;                                                                                                                    \
      for (int64_t super = 0; super < supers; ++super) {                                                                                 \
        __m256 d = _mm256_setzero_ps(), dmin = _mm256_setzero_ps();                                                                      \
        if constexpr (f.super_header > 0) d = halves(p + half * 16);                                                                     \
        if constexpr (f.super_header == 64) dmin = halves(p + 32 + half * 16);                                                           \
        p += f.super_header;                                                                                                             \
        for (int g = 0; g < f.groups; ++g, ++at, p += f.group_header + f.quant_bytes) {                                                  \
          const uint8_t* quants = p + f.group_header + half * 32;                                                                        \
          __m256i low[Rows], high[Rows];                                                                                                 \
          for (int r = 0; r < Rows; ++r) {                                                                                               \
            const int32_t* s = x_sums + (r * groups + at) * 2;                                                                           \
            low[r] = _mm256_set1_epi32(-offset * (H == kSuperScale16 ? s[0] : s[0] + s[1]));                                             \
            high[r] = _mm256_set1_epi32(H == kSuperScale16 ? -offset * s[1] : 0);                                                        \
          }                                                                                                                              \
          for (int s = 0; s < 8; ++s) {                                                                                                  \
            __m256i w;                                                                                                                   \
            if constexpr (Q == kByte) {                                                                                                  \
              w = load(quants + s * 64);                                                                                                 \
            } else {                                                                                                                     \
              w = load(quants + s % 4 * 64);                                                                                             \
              w = _mm256_and_si256(s < 4 ? w : _mm256_srli_epi16(w, 4), mask);                                                           \
              if constexpr (Q == kTable) w = _mm256_shuffle_epi8(lookup, w);                                                             \
              if constexpr (Q == kNibble5)                                                                                               \
                w = _mm256_or_si256(w, _mm256_slli_epi16(_mm256_and_si256(_mm256_srl_epi16(load(quants + 256), _mm_cvtsi32_si128(s)),         \
                                                                          _mm256_set1_epi8(1)), 4));                                      \
              if constexpr (Q == kNibble6) {                                                                                             \
                const __m256i h = _mm256_srl_epi16(load(quants + 256 + s / 4 * 64), _mm_cvtsi32_si128(s % 4 * 2));                       \
                w = _mm256_or_si256(w, _mm256_slli_epi16(_mm256_and_si256(h, _mm256_set1_epi8(3)), 4));                                  \
              }                                                                                                                          \
            }                                                                                                                            \
            for (int r = 0; r < Rows; ++r) {                                                                                             \
              int32_t four;                                                                                                              \
              __builtin_memcpy(&four, x + r * k + at * 32 + s * 4, 4);                                                                   \
              __m256i* acc = s < 4 ? &low[r] : &high[r];                                                                                 \
              *acc = bytes ? dot_signed(*acc, w, _mm256_set1_epi32(four)) : dot(*acc, w, _mm256_set1_epi32(four));                       \
            }                                                                                                                            \
          }                                                                                                                              \
          __m256 scale = _mm256_setzero_ps(), other = _mm256_setzero_ps();                                                               \
          if constexpr (H == kScale || H == kScaleMin) scale = halves(p + half * 16);                                                    \
          if constexpr (H == kScaleMin) other = halves(p + 32 + half * 16);                                                              \
          if constexpr (H == kSuperScaleMin)                                                                                             \
            scale = _mm256_mul_ps(d, unsigned_bytes(p + half * 8)), other = _mm256_mul_ps(dmin, unsigned_bytes(p + 16 + half * 8));      \
          if constexpr (H == kSuperScale16)                                                                                              \
            scale = _mm256_mul_ps(d, signed_bytes(p + half * 8)), other = _mm256_mul_ps(d, signed_bytes(p + 16 + half * 8));             \
          if constexpr (H == kSuperScale) scale = _mm256_mul_ps(d, signed_bytes(p + half * 8));                                          \
          if constexpr (H == kExponent) scale = exponents(p + half * 8);                                                                 \
          for (int r = 0; r < Rows; ++r) {                                                                                               \
            const float xs = x_scale[r * groups + at];                                                                                   \
            const int32_t* s = x_sums + (r * groups + at) * 2;                                                                           \
            const __m256 total = _mm256_set1_ps(xs * static_cast<float>(s[0] + s[1]));                                                   \
            if constexpr (H == kSuperScale16) {                                                                                          \
              __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(low[r]), scale);                                                               \
              v = _mm256_fmadd_ps(_mm256_cvtepi32_ps(high[r]), other, v);                                                                \
              sum[r] = _mm256_fmadd_ps(v, _mm256_set1_ps(xs), sum[r]);                                                                   \
            } else {                                                                                                                     \
              const __m256 v = _mm256_cvtepi32_ps(_mm256_add_epi32(low[r], high[r]));                                                    \
              sum[r] = _mm256_fmadd_ps(v, _mm256_mul_ps(scale, _mm256_set1_ps(xs)), sum[r]);                                             \
              if constexpr (H == kScaleMin) sum[r] = _mm256_fmadd_ps(other, total, sum[r]);                                              \
              if constexpr (H == kSuperScaleMin) sum[r] = _mm256_fnmadd_ps(other, total, sum[r]);                                        \
            }                                                                                                                            \
          }                                                                                                                              \
        }                                                                                                                                \
      }                                                                                                                                  \
      for (int r = 0; r < Rows; ++r) _mm256_storeu_ps(out + r * 16 + half * 8, sum[r]);                                                  \
    }                                                                                                                                    \
  }                                                                                                                                      \
  template <BlockType T> PanelFn by_rows(int rows) { return rows == 2 ? product<T, 2> : product<T, 1>; }                                 \
  PanelFn find(BlockType t, int rows) {                                                                                                  \
    switch (t) {                                                                                                                         \
      case BlockType::q4_0: return by_rows<BlockType::q4_0>(rows);                                                                       \
      case BlockType::q4_1: return by_rows<BlockType::q4_1>(rows);                                                                       \
      case BlockType::q5_0: return by_rows<BlockType::q5_0>(rows);                                                                       \
      case BlockType::q5_1: return by_rows<BlockType::q5_1>(rows);                                                                       \
      case BlockType::q8_0: return by_rows<BlockType::q8_0>(rows);                                                                       \
      case BlockType::q4_k: return by_rows<BlockType::q4_k>(rows);                                                                       \
      case BlockType::q5_k: return by_rows<BlockType::q5_k>(rows);                                                                       \
      case BlockType::q6_k: return by_rows<BlockType::q6_k>(rows);                                                                       \
      case BlockType::iq4_nl: return by_rows<BlockType::iq4_nl>(rows);                                                                   \
      case BlockType::iq4_xs: return by_rows<BlockType::iq4_xs>(rows);                                                                   \
      default: return by_rows<BlockType::mxfp4>(rows);                                                                                   \
    }                                                                                                                                    \
  }                                                                                                                                      \
  }

TRANSFORMERS_PANEL_AVX2(
    plain, TRANSFORMERS_TARGET_AVX2,
    return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1)));
    , w = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w)), _mm256_set1_epi16(1)));
    , true)
TRANSFORMERS_PANEL_AVX2(vnni, TRANSFORMERS_TARGET_AVX_VNNI, return _mm256_dpbusd_avx_epi32(acc, w, x);, return _mm256_dpbusd_avx_epi32(acc, w, x);, false)

}  // namespace

PanelFn panel_avx2(BlockType t, int rows, bool with_vnni) { return with_vnni ? vnni::find(t, rows) : plain::find(t, rows); }

}  // namespace transformers::kernels
