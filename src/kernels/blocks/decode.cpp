// Values of GGUF's plain and 32-value block types, and of the ternary ones.
#include "kernels/blocks/blocks.h"

namespace transformers::kernels {
namespace {

template <class T> void plain(const uint8_t* in, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    T v;
    std::memcpy(&v, in + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    out[i] = static_cast<float>(v);
  }
}

// Nibbles: the low ones are values 0..15, the high ones 16..31.
void q4_0(const uint8_t* in, float* out) {
  const float d = read_f16(in);
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>((in[2 + i] & 15) - 8), out[i + 16] = d * static_cast<float>((in[2 + i] >> 4) - 8);
}
void q4_1(const uint8_t* in, float* out) {
  const float d = read_f16(in), m = read_f16(in + 2);
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>(in[4 + i] & 15) + m, out[i + 16] = d * static_cast<float>(in[4 + i] >> 4) + m;
}
void q5_0(const uint8_t* in, float* out) {
  const float d = read_f16(in);
  const uint32_t high = read_u32(in + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(static_cast<int>((in[6 + i] & 15) | (high >> i & 1) << 4) - 16);
    out[i + 16] = d * static_cast<float>(static_cast<int>((in[6 + i] >> 4) | (high >> (i + 16) & 1) << 4) - 16);
  }
}
void q5_1(const uint8_t* in, float* out) {
  const float d = read_f16(in), m = read_f16(in + 2);
  const uint32_t high = read_u32(in + 4);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((in[8 + i] & 15) | (high >> i & 1) << 4) + m;
    out[i + 16] = d * static_cast<float>((in[8 + i] >> 4) | (high >> (i + 16) & 1) << 4) + m;
  }
}
void q8_0(const uint8_t* in, float* out) {
  const float d = read_f16(in);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(in[2 + i]));
}
void q8_1(const uint8_t* in, float* out) {  // d, d * sum, values
  const float d = read_f16(in);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(in[4 + i]));
}
void q8_k(const uint8_t* in, float* out) {
  float d;
  std::memcpy(&d, in, 4);
  for (int i = 0; i < 256; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(in[4 + i]));
}
void mxfp4(const uint8_t* in, float* out) {
  const float d = half_power(in[0]);
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>(kMxfp4[in[1 + i] & 15]), out[i + 16] = d * static_cast<float>(kMxfp4[in[1 + i] >> 4]);
}

// Four groups of 16, each with an unsigned e4m3 scale (halved, the table being doubled).
void nvfp4(const uint8_t* in, float* out) {
  for (int g = 0; g < 4; ++g) {
    const float d = in[g] == 0x7f || in[g] == 0xff ? 0 : f8_e4m3_to_float(in[g] & 0x7f) * 0.5f;
    for (int i = 0; i < 8; ++i) {
      const uint8_t q = in[4 + g * 8 + i];
      out[g * 16 + i] = d * static_cast<float>(kMxfp4[q & 15]), out[g * 16 + 8 + i] = d * static_cast<float>(kMxfp4[q >> 4]);
    }
  }
}

// Base-3 digits as fractions of 256: multiplying by 3^k (mod 256) and again by 3 brings digit k to the top.
void tq1_0(const uint8_t* in, float* out) {
  const float d = read_f16(in + 52);
  const uint8_t power[5] = {1, 3, 9, 27, 81};
  const auto digit = [&](uint8_t byte, int k) { return d * static_cast<float>((static_cast<uint8_t>(byte * power[k]) * 3 >> 8) - 1); };
  for (int k = 0; k < 5; ++k)
    for (int i = 0; i < 32; ++i) *out++ = digit(in[i], k);
  for (int k = 0; k < 5; ++k)
    for (int i = 0; i < 16; ++i) *out++ = digit(in[32 + i], k);
  for (int k = 0; k < 4; ++k)
    for (int i = 0; i < 4; ++i) *out++ = digit(in[48 + i], k);
}
void tq2_0(const uint8_t* in, float* out) {
  const float d = read_f16(in + 64);
  for (int j = 0; j < 64; j += 32)
    for (int shift = 0; shift < 8; shift += 2)
      for (int i = 0; i < 32; ++i) *out++ = d * static_cast<float>((in[j + i] >> shift & 3) - 1);
}

}  // namespace

bool decode_blocks(BlockType type, const uint8_t* in, int64_t blocks, float* out) {
  void (*one)(const uint8_t*, float*) = nullptr;
  switch (type) {
    case BlockType::f32: std::memcpy(out, in, static_cast<size_t>(blocks) * 4); return true;
    case BlockType::f16: plain<Half>(in, blocks, out); return true;
    case BlockType::bf16: plain<BFloat16>(in, blocks, out); return true;
    case BlockType::f64: plain<double>(in, blocks, out); return true;
    case BlockType::i8: plain<int8_t>(in, blocks, out); return true;
    case BlockType::i16: plain<int16_t>(in, blocks, out); return true;
    case BlockType::i32: plain<int32_t>(in, blocks, out); return true;
    case BlockType::i64: plain<int64_t>(in, blocks, out); return true;
    case BlockType::q4_0: one = q4_0; break;
    case BlockType::q4_1: one = q4_1; break;
    case BlockType::q5_0: one = q5_0; break;
    case BlockType::q5_1: one = q5_1; break;
    case BlockType::q8_0: one = q8_0; break;
    case BlockType::q8_1: one = q8_1; break;
    case BlockType::q8_k: one = q8_k; break;
    case BlockType::mxfp4: one = mxfp4; break;
    case BlockType::nvfp4: one = nvfp4; break;
    case BlockType::tq1_0: one = tq1_0; break;
    case BlockType::tq2_0: one = tq2_0; break;
    default: return decode_k_blocks(type, in, blocks, out) || decode_iq_blocks(type, in, blocks, out);
  }
  const int64_t bytes = block_bytes(type), values = block_values(type);
  for (int64_t i = 0; i < blocks; ++i) one(in + i * bytes, out + i * values);
  return true;
}

}  // namespace transformers::kernels
