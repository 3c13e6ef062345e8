// Tiled attention for inference: scores never leave the cache. Work is split over batch, key/value heads and blocks of
// queries (all query heads of a group share the tiles of their key/value head), or over the keys when decoding.
// B batch, H query heads, K key/value heads, G = H / K, T queries, S keys, D and Dv head sizes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "kernels/attention.h"
#include "ops/attention_plan.h"
#include "ops/rows.h"

namespace transformers::detail {
namespace {

constexpr int64_t kRows = kAttentionRows;
constexpr int64_t kKeys = 96;   // keys of a tile

bool has_rows(const Tensor& x) { return x.strides()[3] == 1 || x.dim(3) == 1; }

// One block: queries [t0, t1) of the heads [h0, h1) that share key/value head `kv` of batch b.
void block(AttentionPlan& p, int64_t b, int64_t kv, int64_t h0, int64_t h1, int64_t t0, int64_t t1, float* scratch) {
  const AttentionSizes& n = p.n;
  const int64_t width = t1 - t0, rows = (h1 - h0) * width;
  const int64_t lanes = (rows + kernels::kAttentionPad - 1) / kernels::kAttentionPad * kernels::kAttentionPad;
  const int64_t dvp = (n.dv + kernels::kAttentionPad - 1) / kernels::kAttentionPad * kernels::kAttentionPad;
  float* qt = scratch;                     // [D, lanes]
  float* scores = qt + n.d * kRows;        // [kKeys, lanes]
  float* extra = scores + kKeys * kRows;   // [kKeys, lanes]
  float* acc = extra + kKeys * kRows;      // [lanes, dvp]
  float* keys = acc + kRows * dvp;         // [kKeys, D]
  float* values = keys + kKeys * n.d;      // [kKeys, dvp]
  float* top = values + kKeys * dvp;       // [lanes] each
  float *sum = top + kRows, *fix = sum + kRows, *low = fix + kRows, *high = low + kRows, *one = high + kRows;

  std::fill(qt, qt + n.d * lanes, 0.0f);
  for (int64_t r = 0; r < rows; ++r) {
    p.load_query(b, h0 + r / width, t0 + r % width, one);
    for (int64_t i = 0; i < n.d; ++i) qt[i * lanes + r] = one[i];
  }
  const float* sinks = p.sinks.defined() ? p.sinks.data<float>() : nullptr;
  for (int64_t r = 0; r < lanes; ++r) {
    const int64_t position = p.position(t0 + std::min(r, rows - 1) % width);
    top[r] = sinks ? sinks[h0 + std::min(r, rows - 1) / width] : kernels::kAttentionLowest;
    sum[r] = sinks ? 1 : 0;
    low[r] = p.o->window > 0 ? static_cast<float>(position - p.o->window) : -1e30f;
    high[r] = p.o->causal ? static_cast<float>(position) : 1e30f;
  }
  std::fill(acc, acc + lanes * dvp, 0.0f);
  const auto [begin, end] = p.key_range(t0, t1);
  for (int64_t s0 = begin; s0 < end; s0 += kKeys) {
    const int64_t count = std::min(kKeys, end - s0);
    const float* ks = static_cast<const float*>(AttentionPlan::at(p.k, b, kv, s0));
    int64_t k_stride = p.k.strides()[2];
    if (p.k.dtype() != DType::f32) kernels::widen_rows(p.k.dtype(), ks, k_stride, count, n.d, keys, n.d), ks = keys, k_stride = n.d;
    kernels::attention_product(ks, k_stride, 1, qt, lanes, scores, lanes, count, lanes, n.d, nullptr);
    kernels::AttentionSoftmax how;
    how.softcap = static_cast<float>(p.o->softcap);
    how.keys = p.visible(b, s0);
    if (p.banded(t0, t1, s0, count)) how.low = low, how.high = high, how.first_key = s0;
    if (p.has_extra()) {
      p.extra_tile(b, h0, t0, width, rows, s0, count, lanes, extra);
      how.extra = extra;
    }
    kernels::attention_softmax(scores, count, lanes, how, top, sum, fix);
    const float* vs = static_cast<const float*>(AttentionPlan::at(p.v, b, kv, s0));
    int64_t v_stride = p.v.strides()[2];
    if (p.v.dtype() != DType::f32 || dvp != n.dv) kernels::widen_rows(p.v.dtype(), vs, v_stride, count, n.dv, values, dvp), vs = values, v_stride = dvp;
    kernels::attention_product(scores, 1, lanes, vs, v_stride, acc, dvp, rows, dvp, count, fix);
  }
  for (int64_t r = 0; r < rows; ++r) p.finish(b, h0 + r / width, t0 + r % width, acc + r * dvp, sum[r]);
}

void run_blocks(AttentionPlan& p) {
  if (attention_bf16_blocks(p)) return;
  const int64_t dvp = (p.n.dv + 15) / 16 * 16;
  const int64_t floats = p.n.d * kRows + 2 * kKeys * kRows + kRows * dvp + kKeys * (p.n.d + dvp) + 5 * kRows + p.n.d + 64;
  for_each_block(p, floats, [&p](int64_t b, int64_t kv, int64_t h0, int64_t h1, int64_t t0, int64_t t1, float* scratch) { block(p, b, kv, h0, h1, t0, t1, scratch); });
}

// T = 1: each task takes one key/value head and a range of keys; ranges are merged at the end.
void run_decode(AttentionPlan& p) {
  const AttentionSizes& n = p.n;
  constexpr int64_t chunk = 128;
  const int64_t g = n.h / n.k;
  const int64_t begin = p.o->window > 0 ? std::max<int64_t>(0, n.s - p.o->window) : 0, length = n.s - begin;
  const int64_t want = std::max<int64_t>(1, 4 * num_threads() / std::max<int64_t>(1, n.b * n.k));
  const int64_t splits = std::clamp<int64_t>(length / 256, 1, want);
  const int64_t per = g * (2 + n.dv), scratch_per = g * (n.d + 2 * chunk);
  Tensor partial = Tensor::empty({n.b * n.k * splits, per}), scratch = Tensor::empty({n.b * n.k * splits, scratch_per});
  parallel_for(n.b * n.k * splits, std::max<int64_t>(1, 131072 / std::max<int64_t>(1, length / splits * (n.d + n.dv))), [&](int64_t first, int64_t last) {
    for (int64_t task = first; task < last; ++task) {
      const int64_t part = task % splits, kv = task / splits % n.k, b = task / splits / n.k;
      float* top = partial.mutable_data<float>() + task * per;
      float *sum = top + g, *out = sum + g, *q = scratch.mutable_data<float>() + task * scratch_per, *scores = q + g * n.d, *extra = scores + g * chunk;
      std::fill(top, top + g, kernels::kAttentionLowest);
      std::fill(sum, sum + g + g * n.dv, 0.0f);
      for (int64_t h = 0; h < g; ++h) p.load_query(b, kv * g + h, 0, q + h * n.d);
      const int64_t from = begin + length * part / splits, to = begin + length * (part + 1) / splits;
      for (int64_t s0 = from; s0 < to; s0 += chunk) {
        const int64_t count = std::min(chunk, to - s0);
        kernels::AttentionDecode a{q, g, n.d, n.dv, count, p.k.dtype(), AttentionPlan::at(p.k, b, kv, s0), AttentionPlan::at(p.v, b, kv, s0), p.k.strides()[2], p.v.strides()[2]};
        a.softcap = static_cast<float>(p.o->softcap);
        a.visible = p.visible(b, s0);
        if (p.has_extra()) {
          for (int64_t h = 0; h < g; ++h) p.extra_row(b, kv * g + h, 0, s0, count, extra + h * chunk, 1);
          a.extra = extra, a.extra_stride = chunk;
        }
        kernels::attention_decode(a, scores, top, sum, out);
      }
    }
  });
  std::vector<float> row(static_cast<size_t>(n.dv));
  for (int64_t r = 0; r < n.b * n.h; ++r) {
    const int64_t h = r % n.h, b = r / n.h, kv = h / g;
    float top = p.sinks.defined() ? p.sinks.data<float>()[h] : kernels::kAttentionLowest, sum = 0;
    const float* parts = partial.data<float>() + (b * n.k + kv) * splits * per;
    for (int64_t i = 0; i < splits; ++i) top = std::max(top, parts[i * per + h % g]);
    if (p.sinks.defined()) sum = std::exp(p.sinks.data<float>()[h] - top);
    std::fill(row.begin(), row.end(), 0.0f);
    for (int64_t i = 0; i < splits; ++i) {
      const float* part = parts + i * per;
      const float weight = std::exp(part[h % g] - top);
      sum += part[g + h % g] * weight;
      for (int64_t j = 0; j < n.dv; ++j) row[static_cast<size_t>(j)] += part[2 * g + (h % g) * n.dv + j] * weight;
    }
    p.finish(b, h, 0, row.data(), sum);
  }
}

}  // namespace

void for_each_block(const AttentionPlan& p, int64_t floats, const std::function<void(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, float*)>& f) {
  const AttentionSizes& n = p.n;
  const int64_t g = n.h / n.k;
  // Few queries per head: a block takes several heads of the group; many: one head's queries at a time.
  const int64_t heads = std::clamp<int64_t>(kRows / std::max<int64_t>(1, n.t), 1, g), step = std::min(n.t, kRows / heads);
  const int64_t head_blocks = (g + heads - 1) / heads, query_blocks = (n.t + step - 1) / step, tasks = n.b * n.k * head_blocks * query_blocks;
  const int64_t work = n.b * n.h * n.t * n.s * (n.d + n.dv);  // below about 50 us, threads cost more than they give
  const int threads = work < 2000000 ? 1 : static_cast<int>(std::min<int64_t>(num_threads(), tasks));
  Tensor scratch = Tensor::empty({threads, (floats + 15) / 16 * 16});
  float* memory = scratch.mutable_data<float>();
  int64_t next = 0;
  parallel_for(threads, 1, [&](int64_t first, int64_t last) {
    for (int64_t w = first; w < last; ++w)
      for (;;) {  // late causal blocks cost more, so they go first and threads take what is left
        int64_t task;
#pragma omp atomic capture
        task = next++;
        if (task >= tasks) break;
        const int64_t qb = query_blocks - 1 - task / (n.b * n.k * head_blocks), rest = task % (n.b * n.k * head_blocks);
        const int64_t hb = rest % head_blocks, kv = rest / head_blocks % n.k, b = rest / head_blocks / n.k;
        const int64_t h0 = kv * g + hb * heads;
        f(b, kv, h0, std::min(h0 + heads, (kv + 1) * g), qb * step, std::min(n.t, (qb + 1) * step), memory + w * scratch.strides()[0]);
      }
  });
}

Tensor attention_fused(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o, const AttentionSizes& n) {
  AttentionPlan p;
  p.n = n, p.o = &o;
  p.scale = static_cast<float>(o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<double>(n.d)));
  p.q = q.detach(), p.k = k.detach(), p.v = v.detach();
  for (Tensor* x : {&p.q, &p.k, &p.v})
    if (!has_rows(*x)) *x = x->contiguous();
  const Shape full{n.b, n.h, n.t, n.s};
  if (o.mask.defined()) p.mask = o.mask.expand(full), p.mask_st = p.mask.strides();
  if (o.bias.defined()) p.bias = o.bias.detach().to(DType::f32).expand(full), p.bias_st = p.bias.strides();
  if (o.key_mask.defined()) p.key_mask = o.key_mask.contiguous();
  if (o.sinks.defined()) p.sinks = o.sinks.detach().to(DType::f32).contiguous();
  p.out = Tensor::empty({n.b, n.t, n.h, n.dv}, q.dtype());  // so that merge_heads is free
  if (n.s == 0) p.out.zero_();
  else if (p.out.numel() > 0) n.t == 1 ? run_decode(p) : run_blocks(p);
  return p.out.transpose(1, 2);
}

}  // namespace transformers::detail
