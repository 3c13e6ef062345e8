// GGUF blocks as tensors: checks and threads around the kernels.
#include "ops/blocks.h"

#include "base/parallel.h"
#include "kernels/blocks/blocks.h"

namespace transformers {

Tensor dequantize_blocks(BlockType type, const Tensor& blocks_in, int64_t columns) {
  const int64_t values = block_values(type), bytes = block_bytes(type);
  if (columns < 0 || columns % values != 0)
    throw ShapeError({"dequantize_blocks: ", block_type_name(type), " rows are multiples of ", values, " values, got ", columns});
  if (blocks_in.dtype() != DType::u8 || blocks_in.rank() != 2 || blocks_in.dim(1) != columns / values * bytes)
    throw ShapeError({"dequantize_blocks: expected uint8 [rows, ", columns / values * bytes, "], got ", name_of(blocks_in.dtype()), " ", blocks_in.shape().str()});
  const Tensor blocks = blocks_in.contiguous();
  const int64_t rows = blocks.dim(0), row_bytes = blocks.dim(1);
  Tensor y = Tensor::empty({rows, columns});
  const uint8_t* in = blocks.data<uint8_t>();
  float* out = y.mutable_data<float>();
  parallel_for(rows, std::max<int64_t>(1, 65536 / (columns + 1)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) kernels::decode_blocks(type, in + i * row_bytes, columns / values, out + i * columns);
  });
  return y;
}

Tensor quantize_blocks(BlockType type, const Tensor& values_in) {
  if (!kernels::has_encoder(type)) throw UnsupportedError({"quantize_blocks: no quantizer for ", block_type_name(type)});
  if (values_in.rank() != 2 || values_in.dim(1) % block_values(type) != 0)
    throw ShapeError({"quantize_blocks: ", block_type_name(type), " expects [rows, a multiple of ", block_values(type), "], got ", values_in.shape().str()});
  const Tensor values = values_in.detach().to(DType::f32).contiguous();
  const int64_t rows = values.dim(0), columns = values.dim(1), blocks = columns / block_values(type);
  Tensor y = Tensor::empty({rows, blocks * block_bytes(type)}, DType::u8);
  const float* in = values.data<float>();
  uint8_t* out = y.mutable_data<uint8_t>();
  parallel_for(rows, std::max<int64_t>(1, 16384 / (columns + 1)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) kernels::encode_blocks(type, in + i * columns, blocks, out + i * y.dim(1));
  });
  return y;
}

}  // namespace transformers
