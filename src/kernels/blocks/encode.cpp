// 32-value GGUF blocks of f32 values, bit for bit as the reference quantizer makes them.
#include <algorithm>
#include <cmath>

#include "kernels/blocks/blocks.h"

namespace transformers::kernels {
namespace {

// The value of greatest magnitude, sign kept; the first of equals.
float extreme(const float* x) {
  float best = x[0];
  for (int i = 1; i < 32; ++i)
    if (std::fabs(x[i]) > std::fabs(best)) best = x[i];
  return best;
}
// numpy's float -> uint8 of small positive numbers, then the clip of the reference.
int level(float v, int top) { return std::min(top, std::max(0, static_cast<int>(std::min(v, 255.0f)))); }

void symmetric_levels(const float* x, int top, uint8_t* q, float* scale) {
  const float half = static_cast<float>((top + 1) / 2), d = extreme(x) / -half, inverse = d == 0 ? 0 : 1 / d;
  for (int i = 0; i < 32; ++i) q[i] = static_cast<uint8_t>(level(x[i] * inverse + (half + 0.5f), top));
  *scale = d;
}
void affine_levels(const float* x, int top, uint8_t* q, float* scale, float* minimum) {
  const float high = *std::max_element(x, x + 32), low = *std::min_element(x, x + 32);
  const float d = (high - low) / static_cast<float>(top), inverse = d == 0 ? 0 : 1 / d;
  for (int i = 0; i < 32; ++i) q[i] = static_cast<uint8_t>(level((x[i] - low) * inverse + 0.5f, top));
  *scale = d, *minimum = low;
}
void nibbles(const uint8_t* q, uint8_t* out) {
  for (int i = 0; i < 16; ++i) out[i] = static_cast<uint8_t>((q[i] & 15) | (q[i + 16] & 15) << 4);
}
void high_bits(const uint8_t* q, uint8_t* out) {
  for (int b = 0; b < 4; ++b) {
    out[b] = 0;
    for (int i = 0; i < 8; ++i) out[b] = static_cast<uint8_t>(out[b] | (q[b * 8 + i] >> 4) << i);
  }
}

void q4_0(const float* x, uint8_t* out) {
  uint8_t q[32];
  float d;
  symmetric_levels(x, 15, q, &d), write_f16(out, d), nibbles(q, out + 2);
}
void q5_0(const float* x, uint8_t* out) {
  uint8_t q[32];
  float d;
  symmetric_levels(x, 31, q, &d), write_f16(out, d), high_bits(q, out + 2), nibbles(q, out + 6);
}
void q4_1(const float* x, uint8_t* out) {
  uint8_t q[32];
  float d, m;
  affine_levels(x, 15, q, &d, &m), write_f16(out, d), write_f16(out + 2, m), nibbles(q, out + 4);
}
void q5_1(const float* x, uint8_t* out) {
  uint8_t q[32];
  float d, m;
  affine_levels(x, 31, q, &d, &m), write_f16(out, d), write_f16(out + 2, m), high_bits(q, out + 4), nibbles(q, out + 8);
}
void q8_0(const float* x, uint8_t* out) {
  float top = 0;
  for (int i = 0; i < 32; ++i) top = std::max(top, std::fabs(x[i]));
  const float d = top / 127, inverse = d == 0 ? 0 : 1 / d;
  write_f16(out, d);
  for (int i = 0; i < 32; ++i) out[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::round(x[i] * inverse)));
}

template <class T> void plain(const float* in, int64_t n, uint8_t* out) {
  for (int64_t i = 0; i < n; ++i) {
    const T v(in[i]);
    std::memcpy(out + i * static_cast<int64_t>(sizeof(T)), &v, sizeof(T));
  }
}

using EncodeFn = void (*)(const float*, uint8_t*);
EncodeFn encoder(BlockType type) {
  switch (type) {
    case BlockType::q4_0: return q4_0;
    case BlockType::q4_1: return q4_1;
    case BlockType::q5_0: return q5_0;
    case BlockType::q5_1: return q5_1;
    case BlockType::q8_0: return q8_0;
    default: return nullptr;
  }
}

}  // namespace

bool encode_blocks(BlockType type, const float* in, int64_t blocks, uint8_t* out) {
  if (type == BlockType::f32) return plain<float>(in, blocks, out), true;
  if (type == BlockType::f16) return plain<Half>(in, blocks, out), true;
  if (type == BlockType::bf16) return plain<BFloat16>(in, blocks, out), true;
  const EncodeFn one = encoder(type);
  if (!one) return encode_k_blocks(type, in, blocks, out);
  const int64_t bytes = block_bytes(type);
  for (int64_t i = 0; i < blocks; ++i) one(in + i * 32, out + i * bytes);
  return true;
}
bool has_encoder(BlockType type) {
  return type == BlockType::f32 || type == BlockType::f16 || type == BlockType::bf16 || encoder(type) ||
         (type >= BlockType::q2_k && type <= BlockType::q6_k);
}

}  // namespace transformers::kernels
