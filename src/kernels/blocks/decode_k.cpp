// Values of GGUF's K types: 256 values per block, scales of scales.
#include "kernels/blocks/blocks.h"

namespace transformers::kernels {
namespace {

void q2_k(const uint8_t* in, float* out) {
  const uint8_t *scales = in, *q = in + 16;
  const float d = read_f16(in + 80), dmin = read_f16(in + 82);
  for (int i = 0; i < 256; ++i) {
    const int group = i / 16, v = q[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
    out[i] = d * static_cast<float>(scales[group] & 15) * static_cast<float>(v) - dmin * static_cast<float>(scales[group] >> 4);
  }
}
void q3_k(const uint8_t* in, float* out) {
  const uint8_t *mask = in, *q = in + 32, *scales = in + 96;
  const float d = read_f16(in + 108);
  for (int i = 0; i < 256; ++i) {
    const int low = q[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3, high = mask[i % 32] >> (i / 32) & 1;
    out[i] = d * static_cast<float>(read_q3_scale(scales, i / 16)) * static_cast<float>(low - (high ? 0 : 4));
  }
}
void q4_k(const uint8_t* in, float* out) {
  const float d = read_f16(in), dmin = read_f16(in + 2);
  const uint8_t* q = in + 16;
  for (int group = 0; group < 8; ++group) {
    int scale, minimum;
    read_k_scale(in + 4, group, &scale, &minimum);
    const float s = d * static_cast<float>(scale), m = dmin * static_cast<float>(minimum);
    for (int i = 0; i < 32; ++i) out[group * 32 + i] = s * static_cast<float>(q[group / 2 * 32 + i] >> (group % 2 * 4) & 15) - m;
  }
}
void q5_k(const uint8_t* in, float* out) {
  const float d = read_f16(in), dmin = read_f16(in + 2);
  const uint8_t *high = in + 16, *q = in + 48;
  for (int group = 0; group < 8; ++group) {
    int scale, minimum;
    read_k_scale(in + 4, group, &scale, &minimum);
    const float s = d * static_cast<float>(scale), m = dmin * static_cast<float>(minimum);
    for (int i = 0; i < 32; ++i)
      out[group * 32 + i] = s * static_cast<float>((q[group / 2 * 32 + i] >> (group % 2 * 4) & 15) | (high[i] >> group & 1) << 4) - m;
  }
}
void q6_k(const uint8_t* in, float* out) {
  const uint8_t *low = in, *high = in + 128;
  const auto* scales = reinterpret_cast<const int8_t*>(in + 192);
  const float d = read_f16(in + 208);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, j = i % 128;
    const int v = (low[half * 64 + j % 64] >> (j / 64 * 4) & 15) | (high[half * 32 + j % 32] >> (j / 32 * 2) & 3) << 4;
    out[i] = d * static_cast<float>(scales[i / 16]) * static_cast<float>(v - 32);
  }
}

}  // namespace

bool decode_k_blocks(BlockType type, const uint8_t* in, int64_t blocks, float* out) {
  void (*one)(const uint8_t*, float*) = nullptr;
  switch (type) {
    case BlockType::q2_k: one = q2_k; break;
    case BlockType::q3_k: one = q3_k; break;
    case BlockType::q4_k: one = q4_k; break;
    case BlockType::q5_k: one = q5_k; break;
    case BlockType::q6_k: one = q6_k; break;
    default: return false;
  }
  const int64_t bytes = block_bytes(type);
  for (int64_t i = 0; i < blocks; ++i) one(in + i * bytes, out + i * 256);
  return true;
}

}  // namespace transformers::kernels
