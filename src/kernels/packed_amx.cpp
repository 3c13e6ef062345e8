// bf16 products on AMX tiles: 32 rows by 32 columns of sums per step, two row tiles against two column tiles.
// M rows, N columns, K depth (a multiple of 32).
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "kernels/packed.h"
#include "kernels/target.h"

namespace transformers::kernels {
namespace {

struct alignas(64) TileConfig {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes_per_row[16] = {};
  uint8_t rows[16] = {};
};

// Tiles 0..3 sums, 4..5 rows of x, 6..7 columns of w.
TRANSFORMERS_TARGET_AMX void configure(int top, int bottom) {
  TileConfig c;
  for (int i = 0; i < 8; ++i) c.bytes_per_row[i] = 64, c.rows[i] = 16;
  c.rows[0] = c.rows[1] = c.rows[4] = static_cast<uint8_t>(top);
  c.rows[2] = c.rows[3] = c.rows[5] = static_cast<uint8_t>(bottom > 0 ? bottom : 1);
  asm volatile("" : : "r"(&c) : "memory");  // the macro only says that it reads the first bytes
  _tile_loadconfig(&c);
}

TRANSFORMERS_TARGET_AMX void both(int64_t k, const uint16_t* x, int64_t ldx, const uint16_t* w, float* sums) {
  asm volatile("" ::: "memory");  // the tile macros do not say that they read memory
  _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
  for (int64_t p = 0; p < k; p += 32, w += 32 * kPanel) {
    _tile_loadd(4, x + p, ldx * 2);
    _tile_loadd(6, w, kPanel * 4);
    _tile_loadd(7, w + 32, kPanel * 4);
    _tile_loadd(5, x + 16 * ldx + p, ldx * 2);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, kPanel * 4); _tile_stored(1, sums + 16, kPanel * 4);
  _tile_stored(2, sums + 16 * kPanel, kPanel * 4); _tile_stored(3, sums + 16 * kPanel + 16, kPanel * 4);
}
TRANSFORMERS_TARGET_AMX void upper(int64_t k, const uint16_t* x, int64_t ldx, const uint16_t* w, float* sums) {
  asm volatile("" ::: "memory");  // the tile macros do not say that they read memory
  _tile_zero(0); _tile_zero(1);
  for (int64_t p = 0; p < k; p += 32, w += 32 * kPanel) {
    _tile_loadd(4, x + p, ldx * 2);
    _tile_loadd(6, w, kPanel * 4);
    _tile_loadd(7, w + 32, kPanel * 4);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_stored(0, sums, kPanel * 4); _tile_stored(1, sums + 16, kPanel * 4);
}
TRANSFORMERS_TARGET_AMX void release() { _tile_release(); }

}  // namespace

void amx_panels(const uint16_t* packed, int64_t begin, int64_t end, int64_t n, int64_t k, const uint16_t* x, int64_t m, int64_t ldx, const Epilogue& e) {
  alignas(64) float sums[32 * kPanel];
  const int64_t block = std::max<int64_t>(32, 384 * 1024 / (k + 1) / 32 * 32);  // rows of x that stay in the second-level cache
  const int64_t tail = m % 32;
  for (int pass = 0; pass < (tail ? 2 : 1); ++pass) {  // whole strips first: tiles are configured twice at most
    const int64_t first = pass ? m - tail : 0, end_row = pass ? m : m - tail;
    const int rows = static_cast<int>(pass ? tail : 32);
    if (first < end_row) configure(std::min(rows, 16), rows - 16);
    for (int64_t b = first; b < end_row; b += block)
      for (int64_t panel = begin; panel < end; ++panel) {
        const uint16_t* w = packed + panel * kPanel * k;
        for (int64_t i = b; i < std::min(end_row, b + block); i += 32) {
          for (int64_t half = 0; half < 2; ++half) {
            if (rows > 16) both(k, x + i * ldx, ldx, w + half * 64, sums + half * 32);
            else upper(k, x + i * ldx, ldx, w + half * 64, sums + half * 32);
          }
          finish_strip(sums, rows, std::min(kPanel, n - panel * kPanel), i, panel * kPanel, e);
        }
      }
  }
  release();
}

}  // namespace transformers::kernels
