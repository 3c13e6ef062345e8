// Numbers of the GGUF format, and its writer.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/state_dict.h"

namespace transformers {

/// Types of GGUF values, by the numbers of the format.
enum class GgufType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

/// The element type of a plain (unquantized) block type; nullopt for blocks.
std::optional<DType> dense_type(BlockType type);

/// Writes a GGUF version 3 file. Whole numbers become u32 (i32 when negative, u64 / i64 beyond 32 bits), other numbers
/// f32; arrays take i32, f32, bool or string by their elements. Tensors keep their types; f8 and bool are refused.
/// Throws IoError, ValueError, UnsupportedError.
void save_gguf(const std::string& path, const Json& metadata, const std::vector<std::pair<std::string, StoredTensor>>& tensors);

}  // namespace transformers
