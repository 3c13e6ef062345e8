// Kernels of the fused attention: scores are kept transposed (keys down, queries across) so that softmax needs no
// horizontal work. All buffers f32; query counts and value widths are padded to kAttentionPad.
#pragma once
#include <cstdint>

#include "transformers/dtype.h"

namespace transformers::kernels {

inline constexpr int64_t kAttentionPad = 16;
/// Where a running maximum starts: lower than any score that counts.
inline constexpr float kAttentionLowest = -3e38f;

/// c [m, n] = a [m, k] @ b [k, n], or c = c * scale[row] + a @ b when scale is given. a's element (i, j) lies at
/// a[i * row + j * column]; n is a multiple of kAttentionPad and b's and c's rows are ldb and ldc apart.
void attention_product(const float* a, int64_t row, int64_t column, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t m, int64_t n,
                       int64_t k, const float* scale) noexcept;

struct AttentionSoftmax {
  float scale = 1;                  ///< Of the scores, before everything else; positive.
  bool rough = false;               ///< Probabilities need no more than bf16's precision (relative error 1e-4).
  float softcap = 0;
  const uint8_t* keys = nullptr;    ///< [keys], 0 = hidden
  const float* low = nullptr;       ///< [queries]: key k is seen when low < k <= high, k counted from first_key
  const float* high = nullptr;
  int64_t first_key = 0;
  const float* extra = nullptr;     ///< [keys, queries], added; -inf hides
};
/// One step of the online softmax on s [keys, queries]: s becomes exp(s - top), top and sum are carried on, correction
/// [queries] is what earlier results must be multiplied by.
void attention_softmax(float* s, int64_t keys, int64_t queries, const AttentionSoftmax& o, float* top, float* sum, float* correction) noexcept;

/// Decode: one query row in each of g heads against `keys` keys (f32, f16 or bf16) of one key/value head. Adds to the
/// carried top [g], sum [g], out [g, dv]. extra [g, keys] (stride extra_stride) and hidden keys as above. scores: scratch [g, keys].
struct AttentionDecode {
  const float* q;  ///< [g, d], scaled
  int64_t g, d, dv, keys;
  DType type;
  const void* k;
  const void* v;
  int64_t k_stride, v_stride;  ///< elements between keys
  float softcap = 0;
  const uint8_t* visible = nullptr;
  const float* extra = nullptr;
  int64_t extra_stride = 0;
};
void attention_decode(const AttentionDecode& a, float* scores, float* top, float* sum, float* out) noexcept;

/// bf16 products on AMX tiles; only when cpu().amx_bf16. Counts are multiples of 32.
/// scores [keys, lanes] = k [keys, d] (rows k_stride apart) @ q, q as pairs: [d / 2, lanes] of (q[2i], q[2i + 1]).
void attention_amx_scores(const BFloat16* k, int64_t k_stride, int64_t keys, const uint32_t* q, int64_t lanes, int64_t d, float* scores) noexcept;
/// acc [dv, lanes] = acc * fix[lane] + vt [dv, keys] (rows vt_stride apart) @ p; p [keys, lanes] f32 is rounded to bf16 into pairs [keys / 2, lanes].
void attention_amx_values(const BFloat16* vt, int64_t vt_stride, int64_t dv, const float* p, uint32_t* pairs, int64_t keys, int64_t lanes,
                          const float* fix, float* acc) noexcept;

/// Rows of half floats to f32: y [rows, padded], zero beyond n.
void widen_rows(DType type, const void* x, int64_t stride, int64_t rows, int64_t n, float* y, int64_t padded) noexcept;

}  // namespace transformers::kernels
