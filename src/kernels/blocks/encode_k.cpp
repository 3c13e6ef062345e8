// GGUF's K types of f32 values: per group a weighted least-squares scale (and minimum), found by trying several step sizes,
// then 4- or 6-bit scales of scales, then levels rounded once more for the scales as stored.
#include <algorithm>
#include <cmath>

#include "kernels/blocks/blocks.h"

namespace transformers::kernels {
namespace {

constexpr int kSide = 9;  // step sizes tried on each side of the plain one

int nearest(float v) { return static_cast<int>(std::lrintf(v)); }
int clamp(int v, int low, int high) { return std::min(high, std::max(low, v)); }

// x ~ scale * q - minimum, q in [0, top], scale and minimum >= 0. Weights: large values matter more.
void fit_affine(const float* x, int n, int top, float* scale, float* minimum) {
  float low = 0, high = x[0], energy = 0;
  for (int i = 0; i < n; ++i) low = std::min(low, x[i]), high = std::max(high, x[i]), energy += x[i] * x[i];
  *scale = 0, *minimum = -low;
  if (high <= low) return;
  const float base = std::sqrt(energy / static_cast<float>(n));
  float best = INFINITY;
  for (int step = -kSide; step <= kSide; ++step) {
    const float inverse = (static_cast<float>(top) + 0.1f * static_cast<float>(step)) / (high - low);
    double w = 0, wq = 0, wqq = 0, wx = 0, wxq = 0;
    for (int i = 0; i < n; ++i) {
      const double q = clamp(nearest(inverse * (x[i] - low)), 0, top), weight = base + std::fabs(x[i]), v = x[i];
      w += weight, wq += weight * q, wqq += weight * q * q, wx += weight * v, wxq += weight * v * q;
    }
    const double det = w * wqq - wq * wq;
    double s = 1 / inverse, m = low;
    if (det > 0) {
      s = (w * wxq - wx * wq) / det, m = (wqq * wx - wq * wxq) / det;
      if (m > 0) m = 0, s = wqq > 0 ? wxq / wqq : 0;
    }
    if (!(s > 0)) continue;
    float error = 0;
    for (int i = 0; i < n; ++i) {
      const int q = clamp(nearest(static_cast<float>((x[i] - m) / s)), 0, top);
      const float d = static_cast<float>(s * q + m) - x[i];
      error += (base + std::fabs(x[i])) * d * d;
    }
    if (error < best) best = error, *scale = static_cast<float>(s), *minimum = static_cast<float>(-m);
  }
}

// x ~ scale * q, q in [-half, half - 1]; the scale's sign is free.
float fit_symmetric(const float* x, int n, int half) {
  float extreme = 0;
  for (int i = 0; i < n; ++i)
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  if (extreme == 0) return 0;
  float best = -1, scale = 0;
  for (int step = -kSide; step <= kSide; ++step) {
    const float inverse = -(static_cast<float>(half) + 0.1f * static_cast<float>(step)) / extreme;
    float xq = 0, qq = 0;
    for (int i = 0; i < n; ++i) {
      const float q = static_cast<float>(clamp(nearest(inverse * x[i]), -half, half - 1)), w = x[i] * x[i];
      xq += w * x[i] * q, qq += w * q * q;
    }
    if (qq > 0 && xq * xq > best * qq) best = xq * xq / qq, scale = xq / qq;
  }
  return scale;
}

float inverse_of(float v) { return v == 0 ? 0 : 1 / v; }
float stored(float v) { return Half(v); }

// Scales and minima of groups of `size`, quantized to `top` steps under two f16 numbers; then levels.
struct Affine { float d, dmin; int scale[16], minimum[16]; uint8_t q[256]; };
Affine affine(const float* x, int size, int top, int scale_top) {
  Affine a;
  const int groups = 256 / size;
  float scale[16], minimum[16], s_max = 0, m_max = 0;
  for (int g = 0; g < groups; ++g) {
    fit_affine(x + g * size, size, top, &scale[g], &minimum[g]);
    s_max = std::max(s_max, scale[g]), m_max = std::max(m_max, minimum[g]);
  }
  const float steps = static_cast<float>(scale_top);
  a.d = stored(s_max / steps), a.dmin = stored(m_max / steps);
  for (int g = 0; g < groups; ++g) {
    a.scale[g] = clamp(nearest(scale[g] * inverse_of(a.d)), 0, scale_top);
    a.minimum[g] = clamp(nearest(minimum[g] * inverse_of(a.dmin)), 0, scale_top);
    const float s = a.d * static_cast<float>(a.scale[g]), m = a.dmin * static_cast<float>(a.minimum[g]);
    for (int i = g * size; i < (g + 1) * size; ++i) a.q[i] = static_cast<uint8_t>(clamp(nearest((x[i] + m) * inverse_of(s)), 0, top));
  }
  return a;
}
struct Symmetric { float d; int scale[16]; int q[256]; };
Symmetric symmetric(const float* x, int half, int scale_half) {
  Symmetric a;
  float scale[16], extreme = 0;
  for (int g = 0; g < 16; ++g) {
    scale[g] = fit_symmetric(x + g * 16, 16, half);
    if (std::fabs(scale[g]) > std::fabs(extreme)) extreme = scale[g];
  }
  a.d = stored(-extreme / static_cast<float>(scale_half));
  for (int g = 0; g < 16; ++g) {
    a.scale[g] = clamp(nearest(scale[g] * inverse_of(a.d)), -scale_half, scale_half - 1);
    const float s = a.d * static_cast<float>(a.scale[g]);
    for (int i = g * 16; i < (g + 1) * 16; ++i) a.q[i] = clamp(nearest(x[i] * inverse_of(s)), -half, half - 1);
  }
  return a;
}

void put(uint8_t* p, int v) { *p = static_cast<uint8_t>(*p | v); }

void q2_k(const float* x, uint8_t* out) {
  const Affine a = affine(x, 16, 3, 15);
  for (int g = 0; g < 16; ++g) put(out + g, a.scale[g] | a.minimum[g] << 4);
  for (int i = 0; i < 256; ++i) put(out + 16 + i / 128 * 32 + i % 32, a.q[i] << (i / 32 % 4 * 2));
  write_f16(out + 80, a.d), write_f16(out + 82, a.dmin);
}
void q3_k(const float* x, uint8_t* out) {
  const Symmetric a = symmetric(x, 4, 32);
  for (int i = 0; i < 256; ++i) {
    const int q = a.q[i] + 4;
    put(out + i % 32, (q >> 2) << (i / 32));
    put(out + 32 + i / 128 * 32 + i % 32, (q & 3) << (i / 32 % 4 * 2));
  }
  for (int g = 0; g < 16; ++g) {
    const int s = a.scale[g] + 32;
    put(out + 96 + g % 8, (s & 15) << (g / 8 * 4)), put(out + 104 + g % 4, (s >> 4) << (g / 4 * 2));
  }
  write_f16(out + 108, a.d);
}
void k_scales(const Affine& a, uint8_t* out) {
  for (int g = 0; g < 8; ++g) {
    const int s = a.scale[g], m = a.minimum[g];
    if (g < 4) put(out + g, s), put(out + g + 4, m);
    else put(out + g + 4, (s & 15) | (m & 15) << 4), put(out + g - 4, (s >> 4) << 6), put(out + g, (m >> 4) << 6);
  }
}
void q4_k(const float* x, uint8_t* out) {
  const Affine a = affine(x, 32, 15, 63);
  write_f16(out, a.d), write_f16(out + 2, a.dmin), k_scales(a, out + 4);
  for (int i = 0; i < 256; ++i) put(out + 16 + i / 64 * 32 + i % 32, a.q[i] << (i / 32 % 2 * 4));
}
void q5_k(const float* x, uint8_t* out) {
  const Affine a = affine(x, 32, 31, 63);
  write_f16(out, a.d), write_f16(out + 2, a.dmin), k_scales(a, out + 4);
  for (int i = 0; i < 256; ++i) {
    put(out + 48 + i / 64 * 32 + i % 32, (a.q[i] & 15) << (i / 32 % 2 * 4));
    put(out + 16 + i % 32, (a.q[i] >> 4) << (i / 32));
  }
}
void q6_k(const float* x, uint8_t* out) {
  const Symmetric a = symmetric(x, 32, 128);
  for (int i = 0; i < 256; ++i) {
    const int q = a.q[i] + 32, half = i / 128, j = i % 128;
    put(out + half * 64 + j % 64, (q & 15) << (j / 64 * 4)), put(out + 128 + half * 32 + j % 32, (q >> 4) << (j / 32 * 2));
  }
  for (int g = 0; g < 16; ++g) out[192 + g] = static_cast<uint8_t>(static_cast<int8_t>(a.scale[g]));
  write_f16(out + 208, a.d);
}

}  // namespace

bool encode_k_blocks(BlockType type, const float* in, int64_t blocks, uint8_t* out) {
  void (*one)(const float*, uint8_t*) = nullptr;
  switch (type) {
    case BlockType::q2_k: one = q2_k; break;
    case BlockType::q3_k: one = q3_k; break;
    case BlockType::q4_k: one = q4_k; break;
    case BlockType::q5_k: one = q5_k; break;
    case BlockType::q6_k: one = q6_k; break;
    default: return false;
  }
  const int64_t bytes = block_bytes(type);
  std::memset(out, 0, static_cast<size_t>(blocks * bytes));
  for (int64_t i = 0; i < blocks; ++i) one(in + i * 256, out + i * bytes);
  return true;
}

}  // namespace transformers::kernels
