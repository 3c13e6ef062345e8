// GGUF blocks: quantizers' error, lossless repacking, and products on blocks against dequantize + double product, for each
// block type and instruction set. Decoding itself is checked against stored data by the conformance area.
#include "ops/blocks.h"

#include "base/cpu.h"
#include "gtest/gtest.h"
#include "ops/matmul.h"
#include "support/gradient_check.h"

namespace transformers {
namespace {
using testing::nmse;
using testing::noise;

const BlockType kTypes[] = {BlockType::q4_0, BlockType::q4_1, BlockType::q5_0, BlockType::q5_1, BlockType::q8_0, BlockType::q2_k, BlockType::q3_k,
                            BlockType::q4_k, BlockType::q5_k, BlockType::q6_k, BlockType::iq4_nl, BlockType::iq4_xs, BlockType::mxfp4,
                            BlockType::iq2_s, BlockType::f32, BlockType::f16, BlockType::bf16};

// Blocks of any type: quantized where there is a quantizer, else random bytes under sane scales.
Tensor some_blocks(BlockType t, int64_t out, int64_t in) {
  try {
    return quantize_blocks(t, noise({out, in}, 7, DType::f32, 0.1));
  } catch (const UnsupportedError&) {
  }
  const int64_t bytes = block_bytes(t), blocks = in / block_values(t);
  Tensor y = Tensor::empty({out, blocks * bytes}, DType::u8);
  const Tensor r = noise({out * blocks * bytes}, 5, DType::f64, 128, 128);
  uint8_t* p = y.mutable_data<uint8_t>();
  for (int64_t i = 0; i < y.numel(); ++i) p[i] = static_cast<uint8_t>(r.data<double>()[i]);
  for (int64_t i = 0; i < out * blocks; ++i) {
    if (t == BlockType::mxfp4) p[i * bytes] = static_cast<uint8_t>(120 + i % 5);
    else p[i * bytes] = static_cast<uint8_t>(i * 37), p[i * bytes + 1] = 0x1c;  // about 0.004
  }
  return y;
}

TEST(Blocks, QuantizersStayWithinTheirTypicalError) {
  struct Row { BlockType type; double nmse; };
  const Tensor x = noise({8, 512}, 3, DType::f32);
  for (const Row& r : {Row{BlockType::q4_0, 7e-3}, {BlockType::q4_1, 4.5e-3}, {BlockType::q5_0, 1.8e-3}, {BlockType::q5_1, 1.1e-3}, {BlockType::q8_0, 3e-5},
                       {BlockType::q2_k, 8e-2}, {BlockType::q3_k, 3e-2}, {BlockType::q4_k, 4.5e-3}, {BlockType::q5_k, 1.1e-3}, {BlockType::q6_k, 4e-4},
                       {BlockType::f16, 1e-7}, {BlockType::bf16, 5e-6}, {BlockType::f32, 0}})
    EXPECT_LE(nmse(dequantize_blocks(r.type, quantize_blocks(r.type, x), 512), x), r.nmse) << block_type_name(r.type);
}
TEST(Blocks, ConstantAndZeroRowsSurvive) {
  for (BlockType t : kTypes) {
    if (t == BlockType::iq4_nl || t == BlockType::iq4_xs || t == BlockType::mxfp4 || t == BlockType::iq2_s) continue;
    EXPECT_LE(nmse(dequantize_blocks(t, quantize_blocks(t, Tensor::zeros({2, 256})), 256), Tensor::zeros({2, 256})), 0) << block_type_name(t);
    EXPECT_LE(nmse(dequantize_blocks(t, quantize_blocks(t, Tensor::full({2, 256}, 3)), 256), Tensor::full({2, 256}, 3)), 1e-3) << block_type_name(t);
  }
}

class BlockProducts : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override { before_ = isa_limit(), set_isa_limit(GetParam()); }
  void TearDown() override { set_isa_limit(before_), set_exact_block_products(false); }
  Isa before_;
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, BlockProducts, ::testing::Values(Isa::scalar, Isa::avx2, Isa::avx2_vnni, Isa::avx512, Isa::avx512_vnni, Isa::amx));

TEST_P(BlockProducts, MatchTheDequantizedProduct) {
  for (BlockType t : kTypes)
    for (int64_t out : {37, 130}) {
      const int64_t in = 512;
      const Tensor blocks = some_blocks(t, out, in), values = dequantize_blocks(t, blocks, in);
      const auto matrix = make_block_matrix(t, blocks, out, in);
      EXPECT_TRUE(block_matrix_shape(*matrix) == Shape({out, in}));
      EXPECT_EQ(nmse(block_matrix_values(*matrix), values), 0) << block_type_name(t);
      for (int64_t rows : {1, 7, 33}) {
        const Tensor x = noise({rows, in}, 11, DType::f32), bias = noise({out}, 12, DType::f32);
        const Tensor want = linear(x.to(DType::f64), values.to(DType::f64), bias.to(DType::f64));
        // 8-bit activations of 32 share a scale: error about (1/127)^2 / 12 * 3 of the energy; bf16 tiles 2^-16 / 3.
        EXPECT_NMSE(linear_blocks(x, matrix, bias), want, 1.2e-4) << block_type_name(t) << " rows " << rows << " out " << out;
        set_exact_block_products(true);
        EXPECT_NMSE(linear_blocks(x, matrix, bias), want, 1e-11) << block_type_name(t) << " rows " << rows;
        set_exact_block_products(false);
      }
    }
}

// The vector kernels sum the same integers as the plain loop: only float rounding may differ.
TEST_P(BlockProducts, AgreeWithThePlainLoopExactlyUpToRounding) {
  for (BlockType t : kTypes) {
    const Tensor blocks = some_blocks(t, 48, 512), x = noise({3, 512}, 11, DType::f32);
    const auto matrix = make_block_matrix(t, blocks, 48, 512);
    const Tensor ours = linear_blocks(x, matrix);
    if (block_values(t) == 1 || t == BlockType::q2_k || t == BlockType::q3_k || t == BlockType::iq2_s) continue;  // no 8-bit activations
    set_isa_limit(Isa::scalar);
    EXPECT_NMSE(ours, linear_blocks(x, matrix), 1e-11) << block_type_name(t);
    set_isa_limit(GetParam());
  }
}

TEST(Blocks, RowsLookUpAndErrors) {
  const Tensor blocks = some_blocks(BlockType::q6_k, 20, 256), values = dequantize_blocks(BlockType::q6_k, blocks, 256);
  const auto m = make_block_matrix(BlockType::q6_k, blocks, 20, 256);
  const Tensor rows = block_matrix_rows(*m, Tensor::from(std::vector<int64_t>{19, 0, 3, 3}, {2, 2}));
  EXPECT_TRUE(rows.shape() == Shape({2, 2, 256}));
  EXPECT_NMSE(rows.select(0, 0).select(0, 0), values.select(0, 19), 0);
  EXPECT_THROW(block_matrix_rows(*m, Tensor::ids({20})), ValueError);
  EXPECT_THROW(block_matrix_rows(*m, Tensor::ids({-1})), ValueError);
  EXPECT_THROW(make_block_matrix(BlockType::q6_k, blocks, 21, 256), ShapeError);
  EXPECT_THROW(dequantize_blocks(BlockType::q4_0, blocks, 250), ShapeError);
  EXPECT_THROW(quantize_blocks(BlockType::iq2_s, Tensor::zeros({1, 256})), UnsupportedError);
  EXPECT_THROW(linear_blocks(Tensor::zeros({1, 255}), m), ShapeError);
}
TEST(Blocks, GradientGoesThroughToX) {
  const Tensor blocks = some_blocks(BlockType::q4_0, 6, 64), values = dequantize_blocks(BlockType::q4_0, blocks, 64);
  Tensor x = noise({3, 64}, 1, DType::f32);
  x.set_requires_grad();
  const Tensor g = noise({3, 6}, 2, DType::f32);
  linear_blocks(x, make_block_matrix(BlockType::q4_0, blocks, 6, 64)).backward(g);
  EXPECT_NMSE(x.grad(), matmul(g, values), 1e-12);
}

}  // namespace
}  // namespace transformers
