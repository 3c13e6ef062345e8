// Interleaving of GGUF rows into panels and back, activation quantization, plain-loop products and the choice of kernel.
#include "kernels/blocks/panels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/cpu.h"
#include "base/parallel.h"
#include "kernels/blocks/blocks.h"

namespace transformers::kernels {
namespace {

// One group of 32 stored numbers of a row, and the bytes of its headers.
struct Group {
  uint8_t q[32];
  uint8_t head[4];  // d, m (f16) | scale, min | two scales | scale | exponent
};

// Where group g of a block keeps its numbers. `super` receives the super-header bytes (d, dmin).
void read_group(BlockType t, const uint8_t* b, int g, Group* out, uint8_t* super) {
  uint8_t* q = out->q;
  const auto nibbles = [&](const uint8_t* p) {
    for (int i = 0; i < 16; ++i) q[i] = p[i] & 15, q[i + 16] = p[i] >> 4;
  };
  const auto fifth = [&](const uint8_t* p) {
    for (int i = 0; i < 32; ++i) q[i] = static_cast<uint8_t>(q[i] | (p[i / 8] >> (i % 8) & 1) << 4);
  };
  int scale, minimum;
  switch (t) {
    case BlockType::q4_0: case BlockType::iq4_nl: std::memcpy(out->head, b, 2), nibbles(b + 2); break;
    case BlockType::q4_1: std::memcpy(out->head, b, 4), nibbles(b + 4); break;
    case BlockType::q5_0: std::memcpy(out->head, b, 2), nibbles(b + 6), fifth(b + 2); break;
    case BlockType::q5_1: std::memcpy(out->head, b, 4), nibbles(b + 8), fifth(b + 4); break;
    case BlockType::mxfp4: out->head[0] = b[0], nibbles(b + 1); break;
    case BlockType::q8_0:
      std::memcpy(out->head, b, 2);
      for (int i = 0; i < 32; ++i) q[i] = b[2 + i] ^ 0x80;
      break;
    case BlockType::q4_k: case BlockType::q5_k: {
      const uint8_t* low = b + (t == BlockType::q4_k ? 16 : 48) + g / 2 * 32;
      for (int i = 0; i < 32; ++i) q[i] = low[i] >> (g % 2 * 4) & 15;
      if (t == BlockType::q5_k)
        for (int i = 0; i < 32; ++i) q[i] = static_cast<uint8_t>(q[i] | (b[16 + i] >> g & 1) << 4);
      read_k_scale(b + 4, g, &scale, &minimum);
      out->head[0] = static_cast<uint8_t>(scale), out->head[1] = static_cast<uint8_t>(minimum);
      std::memcpy(super, b, 4);
      break;
    }
    case BlockType::q6_k: {
      const int half = g / 4, j = g % 4;
      for (int i = 0; i < 32; ++i)
        q[i] = static_cast<uint8_t>((b[half * 64 + j % 2 * 32 + i] >> (j / 2 * 4) & 15) | (b[128 + half * 32 + i] >> (j * 2) & 3) << 4);
      out->head[0] = b[192 + g * 2], out->head[1] = b[193 + g * 2];
      std::memcpy(super, b + 208, 2);
      break;
    }
    default:  // iq4_xs
      nibbles(b + 8 + g * 16);
      out->head[0] = static_cast<uint8_t>(((b[4 + g / 2] >> (g % 2 * 4) & 15) | (read_u16(b + 2) >> (2 * g) & 3) << 4) - 32);
      std::memcpy(super, b, 2);
  }
}

// The inverse: b is zeroed before its first group.
void write_group(BlockType t, uint8_t* b, int g, const Group& in, const uint8_t* super) {
  const uint8_t* q = in.q;
  const auto put = [](uint8_t* p, int v) { *p = static_cast<uint8_t>(*p | v); };
  const auto nibbles = [&](uint8_t* p) {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<uint8_t>((q[i] & 15) | (q[i + 16] & 15) << 4);
  };
  const auto fifth = [&](uint8_t* p) {
    for (int i = 0; i < 32; ++i) put(p + i / 8, (q[i] >> 4) << (i % 8));
  };
  const int s = in.head[0], m = in.head[1];
  switch (t) {
    case BlockType::q4_0: case BlockType::iq4_nl: std::memcpy(b, in.head, 2), nibbles(b + 2); break;
    case BlockType::q4_1: std::memcpy(b, in.head, 4), nibbles(b + 4); break;
    case BlockType::q5_0: std::memcpy(b, in.head, 2), fifth(b + 2), nibbles(b + 6); break;
    case BlockType::q5_1: std::memcpy(b, in.head, 4), fifth(b + 4), nibbles(b + 8); break;
    case BlockType::mxfp4: b[0] = in.head[0], nibbles(b + 1); break;
    case BlockType::q8_0:
      std::memcpy(b, in.head, 2);
      for (int i = 0; i < 32; ++i) b[2 + i] = q[i] ^ 0x80;
      break;
    case BlockType::q4_k: case BlockType::q5_k:
      std::memcpy(b, super, 4);
      for (int i = 0; i < 32; ++i) put(b + (t == BlockType::q4_k ? 16 : 48) + g / 2 * 32 + i, (q[i] & 15) << (g % 2 * 4));
      if (t == BlockType::q5_k)
        for (int i = 0; i < 32; ++i) put(b + 16 + i, (q[i] >> 4) << g);
      if (g < 4) put(b + 4 + g, s), put(b + 8 + g, m);
      else put(b + 8 + g, (s & 15) | (m & 15) << 4), put(b + g, (s >> 4) << 6), put(b + 4 + g, (m >> 4) << 6);
      break;
    case BlockType::q6_k: {
      const int half = g / 4, j = g % 4;
      for (int i = 0; i < 32; ++i)
        put(b + half * 64 + j % 2 * 32 + i, (q[i] & 15) << (j / 2 * 4)), put(b + 128 + half * 32 + i, (q[i] >> 4) << (j * 2));
      b[192 + g * 2] = in.head[0], b[193 + g * 2] = in.head[1];
      std::memcpy(b + 208, super, 2);
      break;
    }
    default: {  // iq4_xs
      std::memcpy(b, super, 2), nibbles(b + 8 + g * 16);
      const int v = static_cast<int8_t>(in.head[0]) + 32;
      put(b + 4 + g / 2, (v & 15) << (g % 2 * 4)), put(b + 2 + g / 4, (v >> 4) << (g % 4 * 2));
    }
  }
}

// A row's number 4s + b and header bytes inside a panel's group.
void place(const PanelForm& f, uint8_t* group, int c, const Group& in) {
  uint8_t* head = group;
  uint8_t* quants = group + f.group_header;
  switch (f.header) {
    case kScale: std::memcpy(head + c * 2, in.head, 2); break;
    case kScaleMin: std::memcpy(head + c * 2, in.head, 2), std::memcpy(head + 32 + c * 2, in.head + 2, 2); break;
    case kSuperScaleMin: case kSuperScale16: head[c] = in.head[0], head[16 + c] = in.head[1]; break;
    default: head[c] = in.head[0];
  }
  for (int k = 0; k < 32; ++k) {
    const int s = k / 4, lane = c * 4 + k % 4, v = in.q[k];
    if (f.quants == kByte) { quants[s * 64 + lane] = static_cast<uint8_t>(v); continue; }
    uint8_t* nibble = quants + s % 4 * 64 + lane;
    *nibble = static_cast<uint8_t>(*nibble | (v & 15) << (s / 4 * 4));
    if (f.quants == kNibble5) quants[256 + lane] = static_cast<uint8_t>(quants[256 + lane] | (v >> 4) << s);
    if (f.quants == kNibble6) quants[256 + s / 4 * 64 + lane] = static_cast<uint8_t>(quants[256 + s / 4 * 64 + lane] | (v >> 4) << (s % 4 * 2));
  }
}
void take(const PanelForm& f, const uint8_t* group, int c, Group* out) {
  const uint8_t *head = group, *quants = group + f.group_header;
  switch (f.header) {
    case kScale: std::memcpy(out->head, head + c * 2, 2); break;
    case kScaleMin: std::memcpy(out->head, head + c * 2, 2), std::memcpy(out->head + 2, head + 32 + c * 2, 2); break;
    case kSuperScaleMin: case kSuperScale16: out->head[0] = head[c], out->head[1] = head[16 + c]; break;
    default: out->head[0] = head[c];
  }
  for (int k = 0; k < 32; ++k) {
    const int s = k / 4, lane = c * 4 + k % 4;
    if (f.quants == kByte) { out->q[k] = quants[s * 64 + lane]; continue; }
    int v = quants[s % 4 * 64 + lane] >> (s / 4 * 4) & 15;
    if (f.quants == kNibble5) v |= (quants[256 + lane] >> s & 1) << 4;
    if (f.quants == kNibble6) v |= (quants[256 + s / 4 * 64 + lane] >> (s % 4 * 2) & 3) << 4;
    out->q[k] = static_cast<uint8_t>(v);
  }
}

// The plain product of one row of x with one panel: the definition of what the vector kernels compute.
template <BlockType T>
void product_scalar(const uint8_t* panel, const int8_t* x, const float* x_scale, const int32_t*, int64_t k, float* out) {
  constexpr PanelForm f = panel_form(T);
  float sums[kBlockPanel] = {};
  for (int64_t super = 0; super < k / (32 * f.groups); ++super, panel += panel_super_bytes(T)) {
    for (int g = 0; g < f.groups; ++g) {
      const uint8_t* group = panel + f.super_header + g * (f.group_header + f.quant_bytes);
      const int64_t at = super * f.groups + g;
      for (int c = 0; c < kBlockPanel; ++c) {
        Group v;
        take(f, group, c, &v);
        int dot[2] = {0, 0}, total = 0;
        for (int i = 0; i < 32; ++i) {
          const int a = x[at * 32 + i];
          const int w = f.quants == kTable ? (f.header == kExponent ? kMxfp4[v.q[i]] : kIq4[v.q[i]]) : v.q[i] - f.offset;
          dot[i / 16] += w * a, total += a;
        }
        const float xs = x_scale[at], d = f.super_header ? read_f16(panel + c * 2) : f.header == kExponent ? half_power(v.head[0]) : read_f16(v.head);
        if (f.header == kSuperScale16)
          sums[c] += xs * d * (static_cast<float>(static_cast<int8_t>(v.head[0]) * dot[0] + static_cast<int8_t>(v.head[1]) * dot[1]));
        else if (f.header == kSuperScale) sums[c] += xs * d * static_cast<float>(static_cast<int8_t>(v.head[0]) * (dot[0] + dot[1]));
        else if (f.header == kSuperScaleMin)
          sums[c] += xs * (d * static_cast<float>(v.head[0] * (dot[0] + dot[1])) - read_f16(panel + 32 + c * 2) * static_cast<float>(v.head[1] * total));
        else if (f.header == kScaleMin) sums[c] += xs * (d * static_cast<float>(dot[0] + dot[1]) + read_f16(v.head + 2) * static_cast<float>(total));
        else sums[c] += xs * d * static_cast<float>(dot[0] + dot[1]);
      }
    }
  }
  std::memcpy(out, sums, sizeof(sums));
}

}  // namespace

PanelFn panel_scalar(BlockType t) {
  switch (t) {
    case BlockType::q4_0: return product_scalar<BlockType::q4_0>;
    case BlockType::q4_1: return product_scalar<BlockType::q4_1>;
    case BlockType::q5_0: return product_scalar<BlockType::q5_0>;
    case BlockType::q5_1: return product_scalar<BlockType::q5_1>;
    case BlockType::q8_0: return product_scalar<BlockType::q8_0>;
    case BlockType::q4_k: return product_scalar<BlockType::q4_k>;
    case BlockType::q5_k: return product_scalar<BlockType::q5_k>;
    case BlockType::q6_k: return product_scalar<BlockType::q6_k>;
    case BlockType::iq4_nl: return product_scalar<BlockType::iq4_nl>;
    case BlockType::iq4_xs: return product_scalar<BlockType::iq4_xs>;
    default: return product_scalar<BlockType::mxfp4>;
  }
}

void pack_panels(BlockType t, const uint8_t* blocks, int64_t out, int64_t in, uint8_t* panels) {
  const PanelForm f = panel_form(t);
  const int64_t bytes = panel_bytes(t, in), row_bytes = in / block_values(t) * block_bytes(t), supers = in / (32 * f.groups);
  parallel_for((out + kBlockPanel - 1) / kBlockPanel, 1, [&](int64_t begin, int64_t end) {
    std::memset(panels + begin * bytes, 0, static_cast<size_t>((end - begin) * bytes));
    for (int64_t p = begin; p < end; ++p)
      for (int64_t s = 0; s < supers; ++s) {
        uint8_t* super = panels + p * bytes + s * panel_super_bytes(t);
        for (int64_t c = 0; c < std::min(kBlockPanel, out - p * kBlockPanel); ++c) {
          uint8_t head[4] = {};
          const uint8_t* block = blocks + (p * kBlockPanel + c) * row_bytes + s * block_bytes(t);
          for (int g = 0; g < f.groups; ++g) {
            Group v;
            read_group(t, block, g, &v, head);
            place(f, super + f.super_header + g * (f.group_header + f.quant_bytes), static_cast<int>(c), v);
          }
          if (f.super_header) std::memcpy(super + c * 2, head, 2);
          if (f.super_header == 64) std::memcpy(super + 32 + c * 2, head + 2, 2);
        }
      }
  });
}

void unpack_panel_row(BlockType t, const uint8_t* panels, int64_t in, int64_t row, uint8_t* blocks) {
  const PanelForm f = panel_form(t);
  const int64_t supers = in / (32 * f.groups), c = row % kBlockPanel;
  const uint8_t* panel = panels + row / kBlockPanel * panel_bytes(t, in);
  std::memset(blocks, 0, static_cast<size_t>(supers * block_bytes(t)));
  for (int64_t s = 0; s < supers; ++s) {
    const uint8_t* super = panel + s * panel_super_bytes(t);
    uint8_t head[4] = {};
    if (f.super_header) std::memcpy(head, super + c * 2, 2);
    if (f.super_header == 64) std::memcpy(head + 2, super + 32 + c * 2, 2);
    for (int g = 0; g < f.groups; ++g) {
      Group v;
      take(f, super + f.super_header + g * (f.group_header + f.quant_bytes), static_cast<int>(c), &v);
      write_group(t, blocks + s * block_bytes(t), g, v, head);
    }
  }
}

int64_t quantized_rows_bytes(int64_t m, int64_t k) { return (m * k + 63) / 64 * 64 + m * (k / 32) * 4 + m * (k / 16) * 4 + 64; }
QuantizedRows quantized_rows_at(void* memory, int64_t m, int64_t k) {
  auto* base = static_cast<char*>(memory);
  float* scale = reinterpret_cast<float*>(base + (m * k + 63) / 64 * 64);
  return {reinterpret_cast<int8_t*>(base), scale, reinterpret_cast<int32_t*>(scale + m * (k / 32)), k};
}
void quantize_row(const float* x, int64_t row, const QuantizedRows& out) {
  const int64_t groups = out.k / 32;
  for (int64_t g = 0; g < groups; ++g) {
    const float* v = x + g * 32;
    int8_t* q = out.q + row * out.k + g * 32;
    float top = 0;
    for (int i = 0; i < 32; ++i) top = std::max(top, std::fabs(v[i]));
    const float inverse = top > 0 ? 127 / top : 0;
    out.scale[row * groups + g] = top / 127;
    int32_t half[2] = {0, 0};
    for (int i = 0; i < 32; ++i) {
      // Adding 1.5 * 2^23 rounds to nearest even in the low bits; vectorizes everywhere.
      const float shifted = v[i] * inverse + 12582912.0f;
      int32_t bits;
      std::memcpy(&bits, &shifted, 4);
      const int32_t n = bits - 0x4b400000;
      q[i] = static_cast<int8_t>(n), half[i / 16] += n;
    }
    out.sums[row * groups * 2 + g * 2] = half[0], out.sums[row * groups * 2 + g * 2 + 1] = half[1];
  }
}

void panel_products(BlockType t, const uint8_t* panels, int64_t begin, int64_t end, int64_t out, const QuantizedRows& x, int64_t m, const float* bias, float* y) {
  const int64_t bytes = panel_bytes(t, x.k), groups = x.k / 32;
  const CpuFeatures& c = cpu();
  PanelFn fn[5] = {};
  if (c.avx512_vnni) fn[1] = panel_avx512(t, 1), fn[2] = panel_avx512(t, 2), fn[4] = panel_avx512(t, 4);
  else if (c.avx2) fn[1] = panel_avx2(t, 1, c.avx_vnni), fn[2] = panel_avx2(t, 2, c.avx_vnni);
  else fn[1] = panel_scalar(t);
  for (int64_t p = begin; p < end; ++p)
    for (int64_t r = 0; r < m;) {
      alignas(64) float sums[4 * kBlockPanel];
      int n = fn[4] && m - r >= 4 ? 4 : fn[2] && m - r >= 2 ? 2 : 1;
      fn[n](panels + p * bytes, x.q + r * x.k, x.scale + r * groups, x.sums + r * groups * 2, x.k, sums);
      const int64_t cols = std::min(kBlockPanel, out - p * kBlockPanel);
      for (; n > 0; --n, ++r) {
        const float* s = sums;
        float* to = y + r * out + p * kBlockPanel;
        for (int64_t i = 0; i < cols; ++i) to[i] = bias ? s[i] + bias[p * kBlockPanel + i] : s[i];
        if (n > 1) std::memmove(sums, sums + kBlockPanel, sizeof(float) * static_cast<size_t>((n - 1) * kBlockPanel));
      }
    }
}

}  // namespace transformers::kernels
