// Rows of GGUF blocks to values and back. No checks: callers give whole blocks.
#pragma once
#include <cstdint>
#include <cstring>

#include "base/block_type.h"
#include "transformers/dtype.h"

namespace transformers::kernels {

/// `blocks` consecutive blocks as f32. False when the type has no decoder (none of the format's quantized types lacks one).
bool decode_blocks(BlockType type, const uint8_t* in, int64_t blocks, float* out);
/// Consecutive blocks of f32 values; false when the type has no encoder.
bool encode_blocks(BlockType type, const float* in, int64_t blocks, uint8_t* out);
bool has_encoder(BlockType type);

/// The families, one file each.
bool decode_k_blocks(BlockType type, const uint8_t* in, int64_t blocks, float* out);
bool decode_iq_blocks(BlockType type, const uint8_t* in, int64_t blocks, float* out);
bool encode_k_blocks(BlockType type, const float* in, int64_t blocks, uint8_t* out);

inline uint16_t read_u16(const uint8_t* p) { return static_cast<uint16_t>(p[0] | p[1] << 8); }
inline uint32_t read_u32(const uint8_t* p) { return p[0] | p[1] << 8 | p[2] << 16 | uint32_t{p[3]} << 24; }
inline float read_f16(const uint8_t* p) {
  Half h;
  h.bits = read_u16(p);
  return h;
}
inline void write_f16(uint8_t* p, float v) {
  const Half h(v);
  p[0] = static_cast<uint8_t>(h.bits), p[1] = static_cast<uint8_t>(h.bits >> 8);
}
/// Scale and minimum `i` of the 12 bytes of 6-bit numbers in Q4_K and Q5_K.
inline void read_k_scale(const uint8_t* s, int i, int* scale, int* minimum) {
  if (i < 4) {
    *scale = s[i] & 63, *minimum = s[i + 4] & 63;
  } else {
    *scale = (s[i + 4] & 15) | (s[i - 4] >> 6 << 4), *minimum = (s[i + 4] >> 4) | (s[i] >> 6 << 4);
  }
}
/// Scale of a Q3_K block's 12 bytes, group i of 16, in [-32, 31].
inline int read_q3_scale(const uint8_t* s, int i) {
  const int low = (s[i % 8] >> (i / 8 * 4)) & 15, high = (s[8 + i % 4] >> (i / 4 * 2)) & 3;
  return (low | high << 4) - 32;
}
/// MXFP4's power of two, halved because the table holds doubled values.
inline float half_power(uint8_t e) {
  const uint32_t bits = e < 2 ? 0x00200000u << e : uint32_t{static_cast<uint32_t>(e) - 1} << 23;
  float v;
  std::memcpy(&v, &bits, 4);
  return v;
}
inline constexpr int8_t kMxfp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
inline constexpr int8_t kIq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

}  // namespace transformers::kernels
