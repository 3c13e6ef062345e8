// Values of GGUF's IQ types: codebook entries, signs kept apart, few-bit scales.
#include "kernels/blocks/blocks.h"
#include "kernels/blocks/grids.h"

namespace transformers::kernels {
namespace {

constexpr float kTwo[4] = {8, 25, 43, 0};                                   // digits of the IQ2 books
constexpr float kThreeXxs[8] = {4, 12, 20, 28, 36, 44, 52, 62};  // digits of IQ3_XXS
float sign(uint32_t bits, int i) { return bits >> i & 1 ? -1.0f : 1.0f; }
// Seven stored signs; the eighth makes their number even.
uint32_t eight_signs(uint32_t seven) { return seven | static_cast<uint32_t>(__builtin_popcount(seven) & 1) << 7; }

void eight(float scale, uint16_t entry, uint32_t signs, float* out) {
  for (int i = 0; i < 8; ++i) out[i] = scale * kTwo[entry >> (2 * i) & 3] * sign(signs, i);
}

void iq2_xxs(const uint8_t* in, float* out) {
  const float d = read_f16(in);
  for (int g = 0; g < 8; ++g) {  // 32 values: four indices, then 4 x 7 sign bits and a 4-bit scale
    const uint8_t* q = in + 2 + g * 8;
    const uint32_t rest = read_u32(q + 4);
    const float scale = d * (0.5f + static_cast<float>(rest >> 28)) * 0.25f;
    for (int k = 0; k < 4; ++k) eight(scale, kGrid_iq2_xxs[q[k]], eight_signs(rest >> (7 * k) & 127), out + g * 32 + k * 8);
  }
}
void iq2_xs(const uint8_t* in, float* out) {
  const float d = read_f16(in);
  for (int k = 0; k < 32; ++k) {
    const uint16_t q = read_u16(in + 2 + k * 2);
    const int s = in[66 + k / 4] >> (k / 2 % 2 * 4) & 15;
    eight(d * (0.5f + static_cast<float>(s)) * 0.25f, kGrid_iq2_xs[q & 511], eight_signs(q >> 9), out + k * 8);
  }
}
void iq2_s(const uint8_t* in, float* out) {
  const float d = read_f16(in);
  for (int k = 0; k < 32; ++k) {
    const int index = in[2 + k] | (in[66 + k / 4] >> (k % 4 * 2) & 3) << 8, s = in[74 + k / 4] >> (k / 2 % 2 * 4) & 15;
    eight(d * (0.5f + static_cast<float>(s)) * 0.25f, kGrid_iq2_s[index], in[34 + k], out + k * 8);
  }
}
void iq3_xxs(const uint8_t* in, float* out) {
  const float d = read_f16(in);
  for (int g = 0; g < 8; ++g) {
    const uint32_t rest = read_u32(in + 66 + g * 4);
    const float scale = d * (0.5f + static_cast<float>(rest >> 28)) * 0.5f;
    for (int i = 0; i < 32; ++i) {
      const uint16_t entry = kGrid_iq3_xxs[in[2 + g * 8 + i / 4]];
      out[g * 32 + i] = scale * kThreeXxs[entry >> (i % 4 * 3) & 7] * sign(eight_signs(rest >> (i / 8 * 7) & 127), i % 8);
    }
  }
}
void iq3_s(const uint8_t* in, float* out) {
  const float d = read_f16(in);
  for (int i = 0; i < 256; ++i) {
    const int index = in[2 + i / 4] | (in[66 + i / 32] >> (i / 4 % 8) & 1) << 8, s = in[106 + i / 64] >> (i / 32 % 2 * 4) & 15;
    const int digit = kGrid_iq3_s[index] >> (i % 4 * 3) & 7;
    out[i] = d * static_cast<float>(1 + 2 * s) * static_cast<float>(2 * digit + 1) * sign(in[74 + i / 8], i % 8);
  }
}
void ternary(float scale, float delta, uint16_t entry, float* out) {
  for (int i = 0; i < 8; ++i) out[i] = scale * (static_cast<float>((entry >> (2 * i) & 3) - 1) + delta);
}
void iq1_s(const uint8_t* in, float* out) {
  const float d = read_f16(in);
  for (int k = 0; k < 32; ++k) {
    const uint16_t h = read_u16(in + 34 + k / 4 * 2);
    const int index = in[2 + k] | (h >> (k % 4 * 3) & 7) << 8;
    ternary(d * static_cast<float>(2 * (h >> 12 & 7) + 1), h & 0x8000 ? -0.125f : 0.125f, kGrid_iq1_s[index], out + k * 8);
  }
}
void iq1_m(const uint8_t* in, float* out) {
  const uint8_t* scales = in + 48;
  Half d;  // its four nibbles lie at the top of the four scale words
  for (int i = 0; i < 4; ++i) d.bits = static_cast<uint16_t>(d.bits | (read_u16(scales + i * 2) >> 12) << (4 * i));
  for (int k = 0; k < 32; ++k) {
    const int h = in[32 + k / 2] >> (k % 2 * 4) & 15, s = read_u16(scales + k / 8 * 2) >> (k / 2 % 4 * 3) & 7;
    ternary(static_cast<float>(d) * static_cast<float>(2 * s + 1), h & 8 ? -0.125f : 0.125f, kGrid_iq1_s[in[k] | (h & 7) << 8], out + k * 8);
  }
}
void iq4_nl(const uint8_t* in, float* out) {
  const float d = read_f16(in);
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>(kIq4[in[2 + i] & 15]), out[i + 16] = d * static_cast<float>(kIq4[in[2 + i] >> 4]);
}
void iq4_xs(const uint8_t* in, float* out) {
  const float d = read_f16(in);
  const uint16_t high = read_u16(in + 2);
  for (int g = 0; g < 8; ++g) {
    const int s = ((in[4 + g / 2] >> (g % 2 * 4) & 15) | (high >> (2 * g) & 3) << 4) - 32;
    const float scale = d * static_cast<float>(s);
    for (int i = 0; i < 16; ++i) {
      const uint8_t q = in[8 + g * 16 + i];
      out[g * 32 + i] = scale * static_cast<float>(kIq4[q & 15]), out[g * 32 + 16 + i] = scale * static_cast<float>(kIq4[q >> 4]);
    }
  }
}

}  // namespace

bool decode_iq_blocks(BlockType type, const uint8_t* in, int64_t blocks, float* out) {
  void (*one)(const uint8_t*, float*) = nullptr;
  switch (type) {
    case BlockType::iq1_s: one = iq1_s; break;
    case BlockType::iq1_m: one = iq1_m; break;
    case BlockType::iq2_xxs: one = iq2_xxs; break;
    case BlockType::iq2_xs: one = iq2_xs; break;
    case BlockType::iq2_s: one = iq2_s; break;
    case BlockType::iq3_xxs: one = iq3_xxs; break;
    case BlockType::iq3_s: one = iq3_s; break;
    case BlockType::iq4_nl: one = iq4_nl; break;
    case BlockType::iq4_xs: one = iq4_xs; break;
    default: return false;
  }
  const int64_t bytes = block_bytes(type), values = block_values(type);
  for (int64_t i = 0; i < blocks; ++i) one(in + i * bytes, out + i * values);
  return true;
}

}  // namespace transformers::kernels
