// Until the block kernels land: every use says so.
#include "ops/blocks.h"
namespace transformers {
class BlockMatrix {};
static const char* kMessage = "GGUF block products are not built yet";
__attribute__((weak)) Tensor dequantize_blocks(BlockType, const Tensor&, int64_t) { throw UnsupportedError(kMessage); }
__attribute__((weak)) std::shared_ptr<const BlockMatrix> make_block_matrix(BlockType, const Tensor&, int64_t, int64_t) { throw UnsupportedError(kMessage); }
__attribute__((weak)) Shape block_matrix_shape(const BlockMatrix&) { throw UnsupportedError(kMessage); }
__attribute__((weak)) int64_t block_matrix_bytes(const BlockMatrix&) { throw UnsupportedError(kMessage); }
__attribute__((weak)) Tensor block_matrix_values(const BlockMatrix&) { throw UnsupportedError(kMessage); }
__attribute__((weak)) Tensor block_matrix_rows(const BlockMatrix&, const Tensor&) { throw UnsupportedError(kMessage); }
__attribute__((weak)) Tensor linear_blocks(const Tensor&, const std::shared_ptr<const BlockMatrix>&, const Tensor&) { throw UnsupportedError(kMessage); }
}  // namespace transformers
