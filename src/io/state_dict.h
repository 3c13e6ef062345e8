// What checkpoint files are read into: tensors by name, not copied from the memory map until used.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transformers/json.h"
#include "transformers/tensor.h"

namespace transformers {

/// GGUF block types, by the numbers of the format.
enum class BlockType : uint8_t {
  f32 = 0, f16 = 1, q4_0 = 2, q4_1 = 3, q5_0 = 6, q5_1 = 7, q8_0 = 8, q8_1 = 9, q2_k = 10, q3_k = 11, q4_k = 12, q5_k = 13, q6_k = 14,
  q8_k = 15, iq2_xxs = 16, iq2_xs = 17, iq3_xxs = 18, iq1_s = 19, iq4_nl = 20, iq3_s = 21, iq2_s = 22, iq4_xs = 23, i8 = 24, i16 = 25,
  i32 = 26, i64 = 27, f64 = 28, iq1_m = 29, bf16 = 30, tq1_0 = 34, tq2_0 = 35, mxfp4 = 39,
};

/// One tensor as stored: dense in `tensor` (a view of the mapped file where the format allows), or GGUF blocks.
struct StoredTensor {
  Shape shape;                                ///< Row-major, PyTorch order.
  Tensor tensor;                              ///< Dense value; undefined when `blocks` is set.
  std::optional<BlockType> block_type;        ///< Set for GGUF quantized blocks:
  Tensor blocks;                              ///< u8 [rows, bytes of a row]
};

/// A checkpoint: names in file order and their tensors, and metadata. Reading a tensor is cheap; nothing is copied.
class StateDict {
 public:
  std::map<std::string, StoredTensor> tensors;
  std::vector<std::string> order;                         ///< Names as they came.
  std::map<std::string, std::string> metadata;            ///< safetensors' __metadata__.
  Json gguf;                                              ///< GGUF key/values (arrays included), null otherwise.
  void add(const std::string& name, StoredTensor t);      ///< Throws CheckpointError on a repeated name.
  void add(const std::string& name, const Tensor& t);
};

/// One file each. Throw IoError, CheckpointError, UnsupportedError; sizes are checked before they are believed.
StateDict load_safetensors(const std::string& path);
StateDict load_torch(const std::string& path);  ///< zip or legacy pickle, allow-listed: executes nothing.
StateDict load_gguf(const std::string& path);   ///< Names as in the file; gguf_model.h maps them.
StateDict load_flax_msgpack(const std::string& path);
StateDict load_tf_h5(const std::string& path);

/// The weights of a model folder in the reference's order of preference: model.safetensors, its index, pytorch_model.bin,
/// its index, then TF and Flax. A file path is taken as that file. Shard names that leave the folder are refused.
/// Throws IoError listing what was looked for.
StateDict load_checkpoint(const std::string& folder, const std::string& variant = "");

/// Writes a safetensors file (tensors in the given order, 8-byte aligned header, metadata {"format": "pt"}).
void save_safetensors(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
/// Writes model.safetensors, or shards of at most max_shard_bytes with model.safetensors.index.json. Returns file names.
std::vector<std::string> save_checkpoint(const std::string& folder, const std::vector<std::pair<std::string, Tensor>>& tensors, int64_t max_shard_bytes);

/// Values of GGUF blocks as f32 [rows, columns]. Any block type the format defines.
Tensor dequantize_blocks(BlockType type, const Tensor& blocks, int64_t columns);
/// Blocks of f32 values [rows, columns], as the format's reference quantizer (q4_0 q4_1 q5_0 q5_1 q8_0 q4_k q6_k ...).
Tensor quantize_blocks(BlockType type, const Tensor& values);
int64_t block_values(BlockType type);  ///< Values per block.
int64_t block_bytes(BlockType type);   ///< Bytes per block.
const char* block_type_name(BlockType type);

}  // namespace transformers
