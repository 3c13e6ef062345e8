// GGUF blocks of 16 weight rows interleaved into panels, and products with 8-bit activations computed on them.
// Repacking loses nothing: a row's blocks can be had back bit for bit.
//
// A panel holds 16 rows (columns c of the product). Per super-block (256 values for K types, else 32): its header, then per
// group of 32 values a group header and the quants. A dot step s covers values k = 4s .. 4s+3, one 32-bit lane per column:
//   nibble quants  4 x 64 bytes: byte (j, c, b) holds value 4j + b in its low half and 16 + 4j + b in its high half
//   5th bit        64 bytes: bit s of byte (c, b) belongs to value 4s + b;   6 bit: 2 x 64 bytes, two bits per step
//   byte quants    8 x 64 bytes, sign bit flipped
// Headers are f16 scales [16] (and minima [16]), or 8-bit scales under f16 super-scales.
#pragma once
#include <cstdint>

#include "base/block_type.h"

namespace transformers::kernels {

constexpr int64_t kBlockPanel = 16;

enum Quants { kNibble, kNibble5, kNibble6, kByte, kTable };
enum Header { kScale, kScaleMin, kSuperScaleMin, kSuperScale16, kSuperScale, kExponent };
/// How a block type lies in a panel. offset: what is subtracted from the stored unsigned number.
struct PanelForm { int quants, header, offset, quant_bytes, group_header, super_header, groups; };
constexpr PanelForm panel_form(BlockType t) {
  switch (t) {
    case BlockType::q4_0: return {kNibble, kScale, 8, 256, 32, 0, 1};
    case BlockType::q4_1: return {kNibble, kScaleMin, 0, 256, 64, 0, 1};
    case BlockType::q5_0: return {kNibble5, kScale, 16, 320, 32, 0, 1};
    case BlockType::q5_1: return {kNibble5, kScaleMin, 0, 320, 64, 0, 1};
    case BlockType::q8_0: return {kByte, kScale, 128, 512, 32, 0, 1};
    case BlockType::q4_k: return {kNibble, kSuperScaleMin, 0, 256, 32, 64, 8};
    case BlockType::q5_k: return {kNibble5, kSuperScaleMin, 0, 320, 32, 64, 8};
    case BlockType::q6_k: return {kNibble6, kSuperScale16, 32, 384, 32, 32, 8};
    case BlockType::iq4_nl: return {kTable, kScale, 128, 256, 32, 0, 1};
    case BlockType::iq4_xs: return {kTable, kSuperScale, 128, 256, 16, 32, 8};
    case BlockType::mxfp4: return {kTable, kExponent, 128, 256, 16, 0, 1};
    default: return {};
  }
}
constexpr bool has_panels(BlockType t) { return panel_form(t).groups > 0; }
constexpr int64_t panel_super_bytes(BlockType t) {
  const PanelForm f = panel_form(t);
  return f.super_header + f.groups * (f.group_header + f.quant_bytes);
}
constexpr int64_t panel_bytes(BlockType t, int64_t in) { return in / (panel_form(t).groups * 32) * panel_super_bytes(t); }

/// blocks [out, row bytes] -> ceil(out / 16) panels, missing rows zero.
void pack_panels(BlockType t, const uint8_t* blocks, int64_t out, int64_t in, uint8_t* panels);
/// The blocks of one row again.
void unpack_panel_row(BlockType t, const uint8_t* panels, int64_t in, int64_t row, uint8_t* blocks);

/// Activation rows as 8-bit numbers: values q [m][k], per group of 32 a scale, and the sums of q over each half group.
struct QuantizedRows {
  int8_t* q;
  float* scale;   ///< [m][k / 32]
  int32_t* sums;  ///< [m][k / 16]
  int64_t k;
};
int64_t quantized_rows_bytes(int64_t m, int64_t k);
QuantizedRows quantized_rows_at(void* memory, int64_t m, int64_t k);
/// Row r of x into r's place. One row at a time, so that rows can be shared out over threads.
void quantize_row(const float* x, int64_t row, const QuantizedRows& out);

/// y[m, out] = x W^T + bias over panels [begin, end).
void panel_products(BlockType t, const uint8_t* panels, int64_t begin, int64_t end, int64_t out, const QuantizedRows& x, int64_t m, const float* bias, float* y);

/// One block of four panels (64 rows) as bf16 in the layout of packed weights, [k/2][64][2]. AVX-512 only.
void panels_to_bf16(BlockType t, const uint8_t* panels, int64_t count, int64_t in, uint16_t* out);

/// For each instruction set: `rows` rows of x (1, 2 or 4; AVX2: 1 or 2) against one panel, sums [rows][16].
using PanelFn = void (*)(const uint8_t* panel, const int8_t* q, const float* scale, const int32_t* sums, int64_t k, float* out);
PanelFn panel_avx512(BlockType t, int rows);
PanelFn panel_avx2(BlockType t, int rows, bool vnni);
PanelFn panel_scalar(BlockType t);

}  // namespace transformers::kernels
