// What checkpoint files are read into: tensors by name, not copied from the memory map until used.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/block_type.h"
#include "transformers/json.h"
#include "transformers/tensor.h"

namespace transformers {
struct Bytes;  // io/bytes.h

/// One tensor as stored: dense in `tensor` (a view of the mapped file where the format allows), or GGUF blocks.
struct StoredTensor {
  Shape shape;                                ///< Row-major, PyTorch order.
  Tensor tensor;                              ///< Dense value, maybe a strided view; undefined when `blocks` is set.
  std::optional<BlockType> block_type;        ///< Set for GGUF quantized blocks:
  Tensor blocks;                              ///< u8 [rows, bytes of a row]
  bool transposed = false;                    ///< The blocks hold the transpose of `shape` (GPT-2's Conv1D matrices).
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

/// The same from memory: tensors are views of it and keep its owner alive.
StateDict load_safetensors(const Bytes& bytes);
StateDict load_torch(const Bytes& bytes);
StateDict load_gguf(const Bytes& bytes);
StateDict load_flax_msgpack(const Bytes& bytes);
StateDict load_tf_h5(const Bytes& bytes);

/// The weights of a model folder in the reference's order of preference: model.safetensors, its index, pytorch_model.bin,
/// its index, then TF and Flax, those brought to PyTorch's names and layouts. A file path is taken as that file. Shard names that leave the folder are refused.
/// Throws IoError listing what was looked for.
StateDict load_checkpoint(const std::string& folder, const std::string& variant = "");

/// Writes a safetensors file, byte for byte as the format's library does: larger types first, then by name, header padded
/// to 8 bytes, metadata {"format": "pt"}. Throws IoError, CheckpointError on a repeated name.
void save_safetensors(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
/// Writes model.safetensors, or shards of at most max_shard_bytes with model.safetensors.index.json. Returns file names.
std::vector<std::string> save_checkpoint(const std::string& folder, const std::vector<std::pair<std::string, Tensor>>& tensors, int64_t max_shard_bytes);

}  // namespace transformers
