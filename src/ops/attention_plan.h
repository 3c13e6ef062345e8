// Private to the fused attention: what all blocks of one call share, and how a block's results leave it.
// B batch, H query heads, K key/value heads, T queries, S keys, D and Dv head sizes.
#pragma once
#include <algorithm>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/attention.h"
#include "ops/attention_detail.h"

namespace transformers::detail {

inline constexpr int64_t kAttentionRows = 64;  // query rows of a block: its transposed queries and scores stay in L2

struct AttentionPlan {
  Tensor q, k, v, out, mask, bias, sinks, key_mask;
  Shape mask_st, bias_st;
  AttentionSizes n;
  float scale;
  const AttentionOptions* o;

  template <class T> void load(const T* x, int64_t count, float* y) const {
    for (int64_t i = 0; i < count; ++i) y[i] = static_cast<float>(x[i]) * scale;
  }
  void load_query(int64_t b, int64_t h, int64_t t, float* y) const {
    TRANSFORMERS_FLOAT_SWITCH("attention", q.dtype(), load(q.data<T>() + b * q.strides()[0] + h * q.strides()[1] + t * q.strides()[2], n.d, y))
  }
  template <class T> void put(const float* y, int64_t count, T* out_row) const {
    for (int64_t i = 0; i < count; ++i) out_row[i] = T(y[i]);
  }
  /// Writes out / sum, or the mean of all values when nothing was seen. out lies as [B, T, H, Dv].
  void finish(int64_t b, int64_t h, int64_t t, float* row, float sum) {
    if (sum > 0) {
      const float inverse = 1 / sum;
      for (int64_t i = 0; i < n.dv; ++i) row[i] *= inverse;
    } else {
      std::vector<float> value(static_cast<size_t>(n.dv));
      std::fill(row, row + n.dv, 0.0f);
      for (int64_t s = 0; s < n.s; ++s) {
        kernels::widen_rows(v.dtype(), at(v, b, h / (n.h / n.k), s), n.dv, 1, n.dv, value.data(), n.dv);
        for (int64_t i = 0; i < n.dv; ++i) row[i] += value[static_cast<size_t>(i)] / static_cast<float>(n.s);
      }
    }
    const int64_t offset = ((b * n.t + t) * n.h + h) * n.dv;
    TRANSFORMERS_FLOAT_SWITCH("attention", out.dtype(), put(row, n.dv, out.mutable_data<T>() + offset))
  }
  static const void* at(const Tensor& x, int64_t b, int64_t k, int64_t s) {
    return static_cast<const char*>(x.raw()) + (b * x.strides()[0] + k * x.strides()[1] + s * x.strides()[2]) * size_of(x.dtype());
  }
  /// bias + mask for keys [s0, s0 + count) of one query row, written with a stride.
  void extra_row(int64_t b, int64_t h, int64_t t, int64_t s0, int64_t count, float* y, int64_t step) const {
    const float* add = bias.defined() ? bias.data<float>() + b * bias_st[0] + h * bias_st[1] + t * bias_st[2] + s0 * bias_st[3] : nullptr;
    const bool* see = mask.defined() ? mask.data<bool>() + b * mask_st[0] + h * mask_st[1] + t * mask_st[2] + s0 * mask_st[3] : nullptr;
    for (int64_t s = 0; s < count; ++s) {
      const float value = add ? add[s * bias_st[3]] : 0;
      y[s * step] = see && !see[s * mask_st[3]] ? -std::numeric_limits<float>::infinity() : value;
    }
  }
  bool has_extra() const { return mask.defined() || bias.defined(); }
  const uint8_t* visible(int64_t b, int64_t s) const {
    return key_mask.defined() ? reinterpret_cast<const uint8_t*>(key_mask.data<bool>()) + b * n.s + s : nullptr;
  }
  int64_t position(int64_t t) const { return n.s - n.t + t; }
  /// Keys that any query of [t0, t1) may see.
  std::pair<int64_t, int64_t> key_range(int64_t t0, int64_t t1) const {
    return {o->window > 0 ? std::max<int64_t>(0, position(t0) - o->window + 1) : 0, o->causal ? std::min(n.s, position(t1 - 1) + 1) : n.s};
  }
  /// Whether causality or the window hide a key of the tile from a query of [t0, t1).
  bool banded(int64_t t0, int64_t t1, int64_t s0, int64_t count) const {
    return (o->causal && s0 + count - 1 > position(t0)) || (o->window > 0 && s0 <= position(t1 - 1) - o->window);
  }
  /// bias + mask of a tile, [count, lanes]; lanes beyond rows repeat the last row.
  void extra_tile(int64_t b, int64_t h0, int64_t t0, int64_t width, int64_t rows, int64_t s0, int64_t count, int64_t lanes, float* y) const {
    for (int64_t r = 0; r < lanes; ++r) {
      const int64_t real = std::min(r, rows - 1);
      extra_row(b, h0 + real / width, t0 + real % width, s0, count, y + r, lanes);
    }
  }
};

/// bf16 blocks on AMX tiles: false when this machine or these shapes do not suit them (nothing was written then).
bool attention_bf16_blocks(AttentionPlan& p);
/// Runs f(b, kv, h0, h1, t0, t1, scratch) over all blocks of queries on the thread pool, costly causal ones first.
/// floats: scratch of a worker, handed to f.
void for_each_block(const AttentionPlan& p, int64_t floats, const std::function<void(int64_t b, int64_t kv, int64_t h0, int64_t h1, int64_t t0, int64_t t1, float* scratch)>& f);

}  // namespace transformers::detail
