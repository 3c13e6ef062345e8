// GGUF's quantized block types: numbers of the format, block sizes and names.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace transformers {

/// GGUF block types, by the numbers of the format.
enum class BlockType : uint8_t {
  f32 = 0, f16 = 1, q4_0 = 2, q4_1 = 3, q5_0 = 6, q5_1 = 7, q8_0 = 8, q8_1 = 9, q2_k = 10, q3_k = 11, q4_k = 12, q5_k = 13, q6_k = 14,
  q8_k = 15, iq2_xxs = 16, iq2_xs = 17, iq3_xxs = 18, iq1_s = 19, iq4_nl = 20, iq3_s = 21, iq2_s = 22, iq4_xs = 23, i8 = 24, i16 = 25,
  i32 = 26, i64 = 27, f64 = 28, iq1_m = 29, bf16 = 30, tq1_0 = 34, tq2_0 = 35, mxfp4 = 39, nvfp4 = 40,
};

int64_t block_values(BlockType type);         ///< Values per block (1 for plain types).
int64_t block_bytes(BlockType type);          ///< Bytes per block.
const char* block_type_name(BlockType type);  ///< "Q4_0", "F16", ...
std::optional<BlockType> block_type_from_name(std::string_view name);   ///< Case does not matter.
std::optional<BlockType> block_type_from_number(uint32_t number);       ///< nullopt when the format has no such type.

}  // namespace transformers
