// GGUF blocks: dequantize, quantize, and products computed on the stored blocks.
#pragma once
#include "base/block_type.h"
#include "transformers/tensor.h"

namespace transformers {

/// Values of blocks u8 [rows, row bytes] as f32 [rows, columns]. Any block type the format defines. Throws ShapeError.
Tensor dequantize_blocks(BlockType type, const Tensor& blocks, int64_t columns);
/// Blocks of f32 values [rows, columns], as the format's reference quantizer makes them (Q4_0 Q4_1 Q5_0 Q5_1 Q8_0, K types).
/// Throws ShapeError when columns is no multiple of block_values(type), UnsupportedError for types without a quantizer.
Tensor quantize_blocks(BlockType type, const Tensor& values);

/// A weight matrix [out, in] kept as GGUF blocks, in the layout that the kernels of this machine like best. Built once,
/// shared; the mapped file's pages are not needed afterwards when a repacked copy was made.
class BlockMatrix;
std::shared_ptr<const BlockMatrix> make_block_matrix(BlockType type, const Tensor& blocks, int64_t out, int64_t in);
Shape block_matrix_shape(const BlockMatrix& m);
int64_t block_matrix_bytes(const BlockMatrix& m);
Tensor block_matrix_values(const BlockMatrix& m);                           ///< f32 [out, in]
Tensor block_matrix_rows(const BlockMatrix& m, const Tensor& ids);          ///< Embedding look-up: ids [...] -> f32 [..., in]
/// x f32 [..., in] -> [..., out]: activations quantized to 8 bit per block where the type's kernel does so. No gradient to
/// the weight; the gradient to x goes through the dequantized weight (LoRA on quantized bases).
Tensor linear_blocks(const Tensor& x, const std::shared_ptr<const BlockMatrix>& weight, const Tensor& bias = {});
/// When true (`--dtype float32`), block products are computed on dequantized float32 values instead. Default false.
void set_exact_block_products(bool exact);

}  // namespace transformers
