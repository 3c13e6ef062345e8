// Fused attention in bf16 on AMX tiles: queries lie across, values are transposed once per call, everything else is as
// in the f32 blocks. B batch, K key/value heads, S keys, D and Dv head sizes.
#include <cstring>
#include <functional>

#include "base/cpu.h"
#include "base/parallel.h"
#include "ops/attention_plan.h"

namespace transformers::detail {
namespace {

constexpr int64_t kKeys = 128;
int64_t up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

struct Layout {
  int64_t d, dv, s;  // padded: to 32; to 32; keys of a row of the transposed values
};

// vt [B, K, dv, s], zero beyond Dv and S.
Tensor transpose_values(const AttentionPlan& p, const Layout& l) {
  const AttentionSizes& n = p.n;
  Tensor vt = Tensor::empty({n.b, n.k, l.dv, l.s}, DType::bf16);
  constexpr int64_t step = 32;
  const int64_t blocks = l.s / step;
  parallel_for(n.b * n.k * blocks, std::max<int64_t>(1, 16384 / (step * l.dv)), [&](int64_t first, int64_t last) {
    for (int64_t task = first; task < last; ++task) {
      const int64_t s0 = task % blocks * step, kv = task / blocks % n.k, b = task / blocks / n.k, count = std::clamp<int64_t>(n.s - s0, 0, step);
      BFloat16* out = vt.mutable_data<BFloat16>() + (b * n.k + kv) * l.dv * l.s + s0;
      const auto* v = static_cast<const BFloat16*>(AttentionPlan::at(p.v, b, kv, s0));
      const int64_t stride = p.v.strides()[2];
      for (int64_t i = 0; i < l.dv; ++i) {
        BFloat16* row = out + i * l.s;
        const int64_t real = i < n.dv ? count : 0;
        for (int64_t s = 0; s < real; ++s) row[s] = v[s * stride + i];
        for (int64_t s = real; s < step; ++s) row[s] = BFloat16(0.0f);
      }
    }
  });
  return vt;
}

void block(AttentionPlan& p, const Layout& l, const Tensor& vt, int64_t b, int64_t kv, int64_t h0, int64_t h1, int64_t t0, int64_t t1, float* scratch) {
  const AttentionSizes& n = p.n;
  const int64_t width = t1 - t0, rows = (h1 - h0) * width, lanes = up(rows, 32);
  auto* q = reinterpret_cast<uint32_t*>(scratch);                        // [d / 2, lanes]
  float* scores = scratch + l.d / 2 * kAttentionRows;                    // [kKeys, lanes]
  float* extra = scores + kKeys * kAttentionRows;                        // [kKeys, lanes]
  auto* pairs = reinterpret_cast<uint32_t*>(extra + kKeys * kAttentionRows);  // [kKeys / 2, lanes]
  float* acc = extra + kKeys * kAttentionRows + kKeys / 2 * kAttentionRows;   // [dv, lanes]
  auto* keys = reinterpret_cast<BFloat16*>(acc + l.dv * kAttentionRows);      // [kKeys, d]
  float* top = acc + l.dv * kAttentionRows + kKeys * l.d / 2;            // [lanes] each
  float *sum = top + kAttentionRows, *fix = sum + kAttentionRows, *low = fix + kAttentionRows, *high = low + kAttentionRows, *row = high + kAttentionRows;

  std::memset(q, 0, static_cast<size_t>(l.d / 2 * lanes) * 4);
  for (int64_t r = 0; r < rows; ++r) {
    const auto* x = static_cast<const BFloat16*>(AttentionPlan::at(p.q, b, h0 + r / width, t0 + r % width));
    for (int64_t i = 0; i < n.d; ++i) reinterpret_cast<BFloat16*>(q + i / 2 * lanes + r)[i % 2] = x[i];
  }
  for (int64_t r = 0; r < lanes; ++r) {
    const int64_t real = std::min(r, rows - 1), position = p.position(t0 + real % width);
    const float* sinks = p.sinks.defined() ? p.sinks.data<float>() : nullptr;
    top[r] = sinks ? sinks[h0 + real / width] : kernels::kAttentionLowest;
    sum[r] = sinks ? 1 : 0;
    low[r] = p.o->window > 0 ? static_cast<float>(position - p.o->window) : -1e30f;
    high[r] = p.o->causal ? static_cast<float>(position) : 1e30f;
  }
  std::fill(acc, acc + l.dv * lanes, 0.0f);
  const BFloat16* values = vt.data<BFloat16>() + (b * n.k + kv) * l.dv * l.s;
  const auto [begin, end] = p.key_range(t0, t1);
  for (int64_t s0 = begin; s0 < end; s0 += kKeys) {
    const int64_t count = std::min(kKeys, end - s0), padded = up(count, 32);
    const auto* ks = static_cast<const BFloat16*>(AttentionPlan::at(p.k, b, kv, s0));
    int64_t k_stride = p.k.strides()[2];
    if (l.d != n.d || s0 + padded > n.s) {
      std::memset(static_cast<void*>(keys), 0, static_cast<size_t>(padded * l.d) * 2);
      for (int64_t s = 0; s < count; ++s) std::memcpy(keys + s * l.d, ks + s * k_stride, static_cast<size_t>(n.d) * 2);
      ks = keys, k_stride = l.d;
    }
    kernels::attention_amx_scores(ks, k_stride, padded, q, lanes, l.d, scores);
    kernels::AttentionSoftmax how;
    how.scale = p.scale, how.rough = true;
    how.softcap = static_cast<float>(p.o->softcap);
    how.keys = p.visible(b, s0);
    if (p.banded(t0, t1, s0, count)) how.low = low, how.high = high, how.first_key = s0;
    if (p.has_extra()) {
      p.extra_tile(b, h0, t0, width, rows, s0, count, lanes, extra);
      how.extra = extra;
    }
    kernels::attention_softmax(scores, count, lanes, how, top, sum, fix);
    std::fill(scores + count * lanes, scores + padded * lanes, 0.0f);
    kernels::attention_amx_values(values + s0, l.s, l.dv, scores, pairs, padded, lanes, fix, acc);
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < n.dv; ++i) row[i] = acc[i * lanes + r];
    p.finish(b, h0 + r / width, t0 + r % width, row, sum[r]);
  }
}

}  // namespace

bool attention_bf16_blocks(AttentionPlan& p) {
  const AttentionSizes& n = p.n;
  for (const Tensor* x : {&p.q, &p.k, &p.v})
    if (x->dtype() != DType::bf16) return false;
  // Few queries do not pay for transposing the values; a negative scale would turn the maximum.
  if (!cpu().amx_bf16 || n.h / n.k * n.t < 32 || n.s < 32 || p.scale <= 0) return false;
  const Layout l{up(n.d, 32), up(n.dv, 32), up(n.s, 32) + 32};
  const Tensor vt = transpose_values(p, l);
  const int64_t floats = l.d / 2 * kAttentionRows + 2 * kKeys * kAttentionRows + kKeys / 2 * kAttentionRows + l.dv * kAttentionRows + kKeys * l.d / 2 +
                         5 * kAttentionRows + l.dv + 64;
  for_each_block(p, floats, [&](int64_t b, int64_t kv, int64_t h0, int64_t h1, int64_t t0, int64_t t1, float* scratch) {
    block(p, l, vt, b, kv, h0, h1, t0, t1, scratch);
  });
  return true;
}

}  // namespace transformers::detail
