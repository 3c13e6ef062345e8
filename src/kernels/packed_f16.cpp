// Half precision to single.
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12: false positives inside its own header
#include <immintrin.h>

#include "base/cpu.h"
#include "kernels/packed.h"
#include "kernels/target.h"

namespace transformers::kernels {
namespace {

TRANSFORMERS_TARGET_AVX512 void widen_avx512(const uint16_t* in, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i))));
  for (; i < n; ++i) out[i] = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(in[i])));
}
TRANSFORMERS_TARGET_AVX2 void widen_avx2(const uint16_t* in, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i))));
  for (; i < n; ++i) out[i] = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(in[i])));
}

}  // namespace

void widen_f16(const uint16_t* in, int64_t n, float* out) {
  if (cpu().avx512) return widen_avx512(in, n, out);
  if (cpu().avx2) return widen_avx2(in, n, out);
  for (int64_t i = 0; i < n; ++i) {
    Half h;
    h.bits = in[i];
    out[i] = h;
  }
}

}  // namespace transformers::kernels
