// Tiled attention for inference: scores never leave the cache. Work is split over batch, key/value heads and blocks of
// queries (all query heads of a group share the tiles of their key/value head), or over the keys when decoding.
// B batch, H query heads, K key/value heads, G = H / K, T queries, S keys, D and Dv head sizes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "kernels/attention.h"
#include "ops/attention_detail.h"
#include "ops/rows.h"

namespace transformers::detail {
namespace {

constexpr int64_t kRows = 64;  // query rows of a block: its transposed queries and scores stay in L2
constexpr int64_t kKeys = 96;   // keys of a tile

bool has_rows(const Tensor& x) { return x.strides()[3] == 1 || x.dim(3) == 1; }

struct Plan {
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
};

// One block: queries [t0, t1) of the heads [h0, h1) that share key/value head `kv` of batch b.
void block(Plan& p, int64_t b, int64_t kv, int64_t h0, int64_t h1, int64_t t0, int64_t t1, float* scratch) {
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
  const bool banded = p.o->causal || p.o->window > 0;
  for (int64_t r = 0; r < lanes; ++r) {
    const int64_t position = p.position(t0 + std::min(r, rows - 1) % width);
    top[r] = sinks ? sinks[h0 + std::min(r, rows - 1) / width] : kernels::kAttentionLowest;
    sum[r] = sinks ? 1 : 0;
    low[r] = p.o->window > 0 ? static_cast<float>(position - p.o->window) : -1e30f;
    high[r] = p.o->causal ? static_cast<float>(position) : 1e30f;
  }
  std::fill(acc, acc + lanes * dvp, 0.0f);
  const int64_t begin = p.o->window > 0 ? std::max<int64_t>(0, p.position(t0) - p.o->window + 1) : 0;
  const int64_t end = p.o->causal ? std::min(n.s, p.position(t1 - 1) + 1) : n.s;
  for (int64_t s0 = begin; s0 < end; s0 += kKeys) {
    const int64_t count = std::min(kKeys, end - s0);
    const float* ks = static_cast<const float*>(Plan::at(p.k, b, kv, s0));
    int64_t k_stride = p.k.strides()[2];
    if (p.k.dtype() != DType::f32) kernels::widen_rows(p.k.dtype(), ks, k_stride, count, n.d, keys, n.d), ks = keys, k_stride = n.d;
    kernels::attention_product(ks, k_stride, 1, qt, lanes, scores, lanes, count, lanes, n.d, nullptr);
    if (p.has_extra())
      for (int64_t r = 0; r < lanes; ++r) {
        const int64_t real = std::min(r, rows - 1);
        p.extra_row(b, h0 + real / width, t0 + real % width, s0, count, extra + r, lanes);
      }
    const bool inside = (!p.o->causal || s0 + count - 1 <= p.position(t0)) && (p.o->window <= 0 || s0 > p.position(t1 - 1) - p.o->window);
    kernels::AttentionSoftmax how;
    how.softcap = static_cast<float>(p.o->softcap);
    how.keys = p.visible(b, s0);
    if (banded && !inside) how.low = low, how.high = high, how.first_key = s0;
    if (p.has_extra()) how.extra = extra;
    kernels::attention_softmax(scores, count, lanes, how, top, sum, fix);
    const float* vs = static_cast<const float*>(Plan::at(p.v, b, kv, s0));
    int64_t v_stride = p.v.strides()[2];
    if (p.v.dtype() != DType::f32 || dvp != n.dv) kernels::widen_rows(p.v.dtype(), vs, v_stride, count, n.dv, values, dvp), vs = values, v_stride = dvp;
    kernels::attention_product(scores, 1, lanes, vs, v_stride, acc, dvp, rows, dvp, count, fix);
  }
  for (int64_t r = 0; r < rows; ++r) p.finish(b, h0 + r / width, t0 + r % width, acc + r * dvp, sum[r]);
}

void run_blocks(Plan& p) {
  const AttentionSizes& n = p.n;
  const int64_t g = n.h / n.k, dvp = (n.dv + 15) / 16 * 16;
  // Few queries per head: a block takes several heads of the group; many: one head's queries at a time.
  const int64_t heads = std::clamp<int64_t>(kRows / std::max<int64_t>(1, n.t), 1, g), step = std::min(n.t, kRows / heads);
  const int64_t head_blocks = (g + heads - 1) / heads, query_blocks = (n.t + step - 1) / step, tasks = n.b * n.k * head_blocks * query_blocks;
  const int64_t floats = n.d * kRows + 2 * kKeys * kRows + kRows * dvp + kKeys * (n.d + dvp) + 5 * kRows + n.d + 64;
  const int64_t work = n.b * n.h * n.t * n.s * (n.d + n.dv);  // below about 50 us, threads cost more than they give
  const int threads = work < 2000000 ? 1 : static_cast<int>(std::min<int64_t>(num_threads(), tasks));
  Tensor scratch = Tensor::empty({threads, floats});
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
        block(p, b, kv, h0, std::min(h0 + heads, (kv + 1) * g), qb * step, std::min(n.t, (qb + 1) * step), memory + w * floats);
      }
  });
}

// T = 1: each task takes one key/value head and a range of keys; ranges are merged at the end.
void run_decode(Plan& p) {
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
        kernels::AttentionDecode a{q, g, n.d, n.dv, count, p.k.dtype(), Plan::at(p.k, b, kv, s0), Plan::at(p.v, b, kv, s0), p.k.strides()[2], p.v.strides()[2]};
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

Tensor attention_fused(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o, const AttentionSizes& n) {
  Plan p;
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
