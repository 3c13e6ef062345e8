// Attention products on AMX tiles, in the layout of the fused attention (queries across). Two by two tiles of sums.
#include <immintrin.h>

#include "kernels/attention.h"
#include "kernels/target.h"

namespace transformers::kernels {
namespace {

struct alignas(64) TileConfig {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes_per_row[16] = {};
  uint8_t rows[16] = {};
};

TRANSFORMERS_TARGET_AMX inline void configure() {
  TileConfig c;
  for (int i = 0; i < 8; ++i) c.bytes_per_row[i] = 64, c.rows[i] = 16;
  asm volatile("" : : "r"(&c) : "memory");  // the macro only says that it reads the first bytes
  _tile_loadconfig(&c);
}

// c [32, 32] (+)= a [32, k] b: a bf16 rows lda apart, b pairs of k, rows ldb pairs apart.
TRANSFORMERS_TARGET_AMX inline void block(const BFloat16* a, int64_t lda, const uint32_t* b, int64_t ldb, int64_t k, float* c, int64_t ldc, bool add) {
  asm volatile("" ::: "memory");  // the tile macros do not say that they read memory
  if (add) {
    _tile_loadd(0, c, ldc * 4); _tile_loadd(1, c + 16, ldc * 4);
    _tile_loadd(2, c + 16 * ldc, ldc * 4); _tile_loadd(3, c + 16 * ldc + 16, ldc * 4);
  } else {
    _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
  }
  for (int64_t p = 0; p < k; p += 32, b += 16 * ldb) {
    _tile_loadd(4, a + p, lda * 2);
    _tile_loadd(6, b, ldb * 4);
    _tile_loadd(7, b + 16, ldb * 4);
    _tile_loadd(5, a + 16 * lda + p, lda * 2);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, ldc * 4); _tile_stored(1, c + 16, ldc * 4);
  _tile_stored(2, c + 16 * ldc, ldc * 4); _tile_stored(3, c + 16 * ldc + 16, ldc * 4);
  asm volatile("" ::: "memory");
}

TRANSFORMERS_TARGET_AMX void scores(const BFloat16* k, int64_t k_stride, int64_t keys, const uint32_t* q, int64_t lanes, int64_t d, float* out) {
  configure();
  for (int64_t j = 0; j < lanes; j += 32)
    for (int64_t i = 0; i < keys; i += 32) block(k + i * k_stride, k_stride, q + j, lanes, d, out + i * lanes + j, lanes, false);
  _tile_release();
}

// Rounds to nearest even.
TRANSFORMERS_TARGET_AVX512 inline __m512i rounded(__m512 v) {
  const __m512i u = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  return _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
}
TRANSFORMERS_TARGET_AVX512 void prepare(const float* p, uint32_t* pairs, int64_t keys, int64_t dv, int64_t lanes, const float* fix, float* acc) {
  for (int64_t k = 0; k < keys; k += 2)
    for (int64_t i = 0; i < lanes; i += 16) {
      const __m512i low = _mm512_srli_epi32(rounded(_mm512_loadu_ps(p + k * lanes + i)), 16), high = rounded(_mm512_loadu_ps(p + (k + 1) * lanes + i));
      _mm512_storeu_si512(pairs + k / 2 * lanes + i, _mm512_or_si512(low, _mm512_and_si512(high, _mm512_set1_epi32(static_cast<int>(0xffff0000u)))));
    }
  for (int64_t i = 0; i < lanes; i += 16) {
    const __m512 f = _mm512_loadu_ps(fix + i);
    if (_mm512_cmp_ps_mask(f, _mm512_set1_ps(1.0f), _CMP_NEQ_UQ) == 0) continue;
    for (int64_t r = 0; r < dv; ++r) _mm512_storeu_ps(acc + r * lanes + i, _mm512_mul_ps(f, _mm512_loadu_ps(acc + r * lanes + i)));
  }
}
TRANSFORMERS_TARGET_AMX void values(const BFloat16* vt, int64_t vt_stride, int64_t dv, const uint32_t* pairs, int64_t keys, int64_t lanes, float* acc) {
  configure();
  for (int64_t j = 0; j < lanes; j += 32)
    for (int64_t i = 0; i < dv; i += 32) block(vt + i * vt_stride, vt_stride, pairs + j, lanes, keys, acc + i * lanes + j, lanes, true);
  _tile_release();
}

}  // namespace

void attention_amx_scores(const BFloat16* k, int64_t k_stride, int64_t keys, const uint32_t* q, int64_t lanes, int64_t d, float* out) noexcept {
  scores(k, k_stride, keys, q, lanes, d, out);
}
void attention_amx_values(const BFloat16* vt, int64_t vt_stride, int64_t dv, const float* p, uint32_t* pairs, int64_t keys, int64_t lanes,
                          const float* fix, float* acc) noexcept {
  prepare(p, pairs, keys, dv, lanes, fix, acc);
  values(vt, vt_stride, dv, pairs, keys, lanes, acc);
}

}  // namespace transformers::kernels
