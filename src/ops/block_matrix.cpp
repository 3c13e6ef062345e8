// Weight matrices kept as GGUF blocks, and products with them. Which way a product goes:
//   up to a few rows, or no AMX   8-bit activations on panels (kernels/blocks/panels.h)
//   many rows and AMX             64 weight rows at a time as bf16, then tiles
//   other block types, exact      64 weight rows at a time as f32, then the f32 kernel
// F32, F16 and BF16 matrices are packed dense weights; with many rows and AMX the 16-bit ones also go through bf16 tiles.
#include <algorithm>
#include <atomic>
#include <optional>

#include "base/cpu.h"
#include "base/file.h"
#include "base/parallel.h"
#include "kernels/blocks/blocks.h"
#include "kernels/blocks/panels.h"
#include "kernels/packed.h"
#include "kernels/scratch.h"
#include "ops/blocks.h"
#include "ops/matmul.h"
#include "ops/packed.h"

namespace transformers {

class BlockMatrix {
 public:
  BlockType type;
  int64_t out, in;
  Tensor data;                       // panels, or blocks [out, row bytes] for types without panels
  std::optional<PackedWeight> dense;

  bool panels() const { return kernels::has_panels(type); }
  int64_t row_bytes() const { return in / block_values(type) * block_bytes(type); }
  // Rows [first, first + count) as f32.
  void values(int64_t first, int64_t count, float* to) const {
    for (int64_t i = first; i < first + count; ++i, to += in) {
      if (dense) {
        kernels::unpack_row(dense->dtype(), dense->data(), in, i, to);
      } else if (panels()) {
        auto* blocks = static_cast<uint8_t*>(kernels::scratch(kernels::Scratch::row, row_bytes()));
        kernels::unpack_panel_row(type, data.data<uint8_t>(), in, i, blocks);
        kernels::decode_blocks(type, blocks, in / block_values(type), to);
      } else {
        kernels::decode_blocks(type, data.data<uint8_t>() + i * row_bytes(), in / block_values(type), to);
      }
    }
  }
};

namespace {

std::atomic<bool> g_exact{false};

std::optional<DType> dense_type(BlockType t) {
  if (t == BlockType::f32) return DType::f32;
  if (t == BlockType::f16) return DType::f16;
  if (t == BlockType::bf16) return DType::bf16;
  return std::nullopt;
}

constexpr int64_t kFewRows = 12;  // fewer rows of x than this do not pay for turning weights into bf16

void by_panels(const BlockMatrix& w, const float* x, int64_t m, const float* bias, float* y) {
  using namespace kernels;
  const QuantizedRows q = quantized_rows_at(scratch(Scratch::quantized, quantized_rows_bytes(m, w.in)), m, w.in);
  parallel_for(m, std::max<int64_t>(1, 32768 / (w.in + 1)), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) quantize_row(x + r * w.in, r, q);
  });
  const int64_t panels = (w.out + kBlockPanel - 1) / kBlockPanel;
  const int64_t grain = std::max<int64_t>(1, 65536 / (kBlockPanel * w.in * m + 1));
  parallel_for(panels, grain, [&](int64_t begin, int64_t end) { panel_products(w.type, w.data.data<uint8_t>(), begin, end, w.out, q, m, bias, y); });
}

// 64 weight rows at a time through bf16 tiles.
void by_tiles(const BlockMatrix& w, const float* x, int64_t m, const float* bias, float* y) {
  using namespace kernels;
  const int64_t depth = packed_depth(DType::bf16, w.in);
  auto* rows = static_cast<uint16_t*>(scratch(Scratch::gemm_a, m * depth * 2));
  rows_to_bf16(DType::f32, x, m, w.in, w.in, depth, rows);
  parallel_for((w.out + kPanel - 1) / kPanel, 1, [&](int64_t begin, int64_t end) {
    auto* panel = static_cast<uint16_t*>(scratch(Scratch::panel, kPanel * depth * 2));
    for (int64_t p = begin; p < end; ++p) {
      const int64_t first = p * kPanel, count = std::min(kPanel, w.out - first);
      if (w.dense) {  // f16 [k][64] -> bf16 [k / 2][64][2]
        auto* wide = static_cast<float*>(scratch(Scratch::gemm_c, kPanel * w.in * 4));
        widen_f16(static_cast<const uint16_t*>(w.dense->data()) + p * kPanel * w.in, kPanel * w.in, wide);
        if (depth > w.in) std::fill(panel, panel + kPanel * depth, uint16_t{0});
        for (int64_t k = 0; k < w.in; ++k)
          for (int64_t c = 0; c < kPanel; ++c) panel[(k / 2 * kPanel + c) * 2 + k % 2] = BFloat16(wide[k * kPanel + c]).bits;
      } else if (w.panels()) {
        panels_to_bf16(w.type, w.data.data<uint8_t>() + p * 4 * panel_bytes(w.type, w.in), (count + kBlockPanel - 1) / kBlockPanel, w.in, panel);
      } else {
        auto* wide = static_cast<float*>(scratch(Scratch::gemm_c, count * w.in * 4));
        auto* narrow = static_cast<uint16_t*>(scratch(Scratch::gemm_b, count * w.in * 2));
        w.values(first, count, wide);
        for (int64_t i = 0; i < count * w.in; ++i) narrow[i] = BFloat16(wide[i]).bits;
        pack_weight(DType::bf16, narrow, count, w.in, w.in, panel);
      }
      Epilogue e;
      e.bias = bias ? bias + first : nullptr;
      e.y = y + first, e.ldy = w.out;
      amx_panels(panel, 0, 1, count, depth, rows, m, depth, e);
    }
  });
}

// 64 weight rows at a time as f32.
void by_values(const BlockMatrix& w, const float* x, int64_t m, const float* bias, float* y) {
  using namespace kernels;
  parallel_for((w.out + kPanel - 1) / kPanel, 1, [&](int64_t begin, int64_t end) {
    auto* wide = static_cast<float*>(scratch(Scratch::gemm_c, kPanel * w.in * 4));
    auto* panel = static_cast<float*>(scratch(Scratch::panel, kPanel * w.in * 4));
    for (int64_t p = begin; p < end; ++p) {
      const int64_t first = p * kPanel, count = std::min(kPanel, w.out - first);
      w.values(first, count, wide);
      pack_weight(DType::f32, wide, count, w.in, w.in, panel);
      Epilogue e;
      e.bias = bias ? bias + first : nullptr;
      e.y = y + first, e.ldy = w.out;
      packed_product(DType::f32, panel, count, w.in, DType::f32, x, m, w.in, e);
    }
  });
}

}  // namespace

void set_exact_block_products(bool exact) { g_exact = exact; }

std::shared_ptr<const BlockMatrix> make_block_matrix(BlockType type, const Tensor& blocks_in, int64_t out, int64_t in) {
  auto m = std::make_shared<BlockMatrix>();
  m->type = type, m->out = out, m->in = in;
  if (out < 0 || in < 0 || in % block_values(type) != 0)
    throw ShapeError({"make_block_matrix: ", block_type_name(type), " rows are multiples of ", block_values(type), " values, got [", out, ", ", in, "]"});
  if (blocks_in.dtype() != DType::u8 || !(blocks_in.shape() == Shape{out, m->row_bytes()}))
    throw ShapeError({"make_block_matrix: expected uint8 [", out, ", ", m->row_bytes(), "], got ", name_of(blocks_in.dtype()), " ", blocks_in.shape().str()});
  const Tensor blocks = blocks_in.detach().contiguous();
  if (const auto dense = dense_type(type)) {
    const auto owner = std::make_shared<Tensor>(blocks);
    m->dense.emplace(Tensor::wrap(blocks.raw(), {out, in}, *dense, owner));
  } else if (m->panels()) {
    m->data = Tensor::empty({(out + kernels::kBlockPanel - 1) / kernels::kBlockPanel, kernels::panel_bytes(type, in)}, DType::u8);
    kernels::pack_panels(type, blocks.data<uint8_t>(), out, in, m->data.mutable_data<uint8_t>());
    release_mapped_pages(blocks.raw(), static_cast<size_t>(blocks.nbytes()));
  } else {
    m->data = blocks;
  }
  return m;
}

Shape block_matrix_shape(const BlockMatrix& m) { return {m.out, m.in}; }
int64_t block_matrix_bytes(const BlockMatrix& m) { return m.dense ? m.dense->bytes() : m.data.nbytes(); }

Tensor block_matrix_values(const BlockMatrix& m) {
  Tensor y = Tensor::empty({m.out, m.in});
  float* to = y.mutable_data<float>();
  parallel_for(m.out, std::max<int64_t>(1, 65536 / (m.in + 1)), [&](int64_t begin, int64_t end) { m.values(begin, end - begin, to + begin * m.in); });
  return y;
}

Tensor block_matrix_rows(const BlockMatrix& m, const Tensor& ids_in) {
  const Tensor ids = ids_in.to(DType::i64).contiguous();
  Shape shape = ids.shape();
  shape.push_back(m.in);
  Tensor y = Tensor::empty(shape);
  for (int64_t i = 0; i < ids.numel(); ++i) {
    const int64_t row = ids.data<int64_t>()[i];
    if (row < 0 || row >= m.out) throw ValueError({"embedding: id ", row, " is outside of [0, ", m.out, ")"});
    m.values(row, 1, y.mutable_data<float>() + i * m.in);
  }
  return y;
}

Tensor linear_blocks(const Tensor& x_in, const std::shared_ptr<const BlockMatrix>& w, const Tensor& bias_in) {
  if (x_in.rank() < 1 || x_in.dim(-1) != w->in) throw ShapeError({"linear_blocks: expected x [..., ", w->in, "], got ", x_in.shape().str()});
  if (bias_in.defined() && !(bias_in.shape() == Shape{w->out})) throw ShapeError({"linear_blocks: expected bias [", w->out, "], got ", bias_in.shape().str()});
  if (!is_floating(x_in.dtype())) throw DTypeError({"linear_blocks: expected floating point, got ", name_of(x_in.dtype())});
  const Tensor x = x_in.detach().to(DType::f32).contiguous();
  const Tensor bias = bias_in.defined() ? bias_in.detach().to(DType::f32).contiguous() : Tensor();
  Shape shape = x.shape();
  shape[shape.rank() - 1] = w->out;
  Tensor y = Tensor::empty(shape);
  const int64_t m = w->out ? y.numel() / w->out : 0;
  const float* b = bias.defined() ? bias.data<float>() : nullptr;
  const float* xp = x.data<float>();
  float* yp = y.mutable_data<float>();
  const bool exact = g_exact;
  if (m == 0 || w->out == 0) {
  } else if (w->in == 0) {
    for (int64_t i = 0; i < y.numel(); ++i) yp[i] = b ? b[i % w->out] : 0;
  } else if (!exact && w->dense && w->dense->dtype() == DType::bf16 && cpu().amx_bf16 && m >= kFewRows) {
    const int64_t depth = kernels::packed_depth(DType::bf16, w->in);
    auto* rows = static_cast<uint16_t*>(kernels::scratch(kernels::Scratch::quantized, m * depth * 2));
    kernels::rows_to_bf16(DType::f32, xp, m, w->in, w->in, depth, rows);
    kernels::Epilogue e;
    e.bias = b, e.y = yp, e.ldy = w->out;
    kernels::packed_product(DType::bf16, w->dense->data(), w->out, w->in, DType::bf16, rows, m, depth, e);
  } else if (!exact && w->dense && w->dense->dtype() == DType::f16 && cpu().amx_bf16 && m >= kFewRows) {
    by_tiles(*w, xp, m, b, yp);
  } else if (w->dense) {
    kernels::Epilogue e;
    e.bias = b, e.y = yp, e.ldy = w->out;
    kernels::packed_product(w->dense->dtype(), w->dense->data(), w->out, w->in, DType::f32, xp, m, w->in, e);
  } else if (exact || (!w->panels() && !(cpu().amx_bf16 && m >= kFewRows))) {
    by_values(*w, xp, m, b, yp);
  } else if (cpu().amx_bf16 && m >= kFewRows) {
    by_tiles(*w, xp, m, b, yp);
  } else {
    by_panels(*w, xp, m, b, yp);
  }
  std::vector<Tensor> inputs{x_in};
  if (bias_in.defined()) inputs.push_back(bias_in);
  return record(y.to(x_in.dtype()), "linear_blocks", inputs, [w, shape = x_in.shape(), bias_in](const Tensor& g) -> Grads {
    const Tensor flat = g.reshape({g.numel() / std::max<int64_t>(1, w->out), w->out});
    Grads grads{matmul(flat, block_matrix_values(*w).to(g.dtype())).reshape(shape)};
    if (bias_in.defined()) grads.push_back(sum_to(flat, bias_in.shape()));
    return grads;
  });
}

}  // namespace transformers
