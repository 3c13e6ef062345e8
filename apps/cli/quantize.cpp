// transformers quantize: a model folder as one GGUF file with quantized matrices.
#include <cstdio>
#include <sys/stat.h>

#include "commands.h"
#include "io/gguf_model.h"
#include "io/hub.h"
#include "io/model_files.h"
#include "models/loader.h"
#include "ops/blocks.h"
#include "progress.h"
#include "tokenizers/gguf_tokenizer.h"

namespace transformers::cli {

int quantize(const QuantizeOptions& o) {
  const std::optional<BlockType> type = block_type_from_name(o.type);
  static const std::vector<std::string> names{"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K", "F16", "BF16", "F32"};
  if (!type) throw ValueError({"quantize: unknown type \"", o.type, "\".", did_you_mean(o.type, names), " Known: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q6_K, F16, BF16, F32"});
  const std::string path = resolve_model(o.model, {});
  if (!gguf_file_of(path).empty()) throw UnsupportedError({path, ": is a GGUF file already; quantize the original folder"});
  const Json config = ModelLoader::load_config(path);
  const StateDict weights = load_checkpoint(path);
  GgufContents contents = gguf_from_model(config, weights, gguf_vocabulary_of(load_tokenizer(path), config));
  Progress progress("quantize", static_cast<int64_t>(contents.tensors.size()));
  int64_t before = 0, after = 0;
  for (auto& [name, t] : contents.tensors) {
    const int64_t columns = t.shape.rank() ? t.shape.back() : 1;
    const bool matrix = t.shape.rank() == 2 && columns % block_values(*type) == 0;
    before += t.shape.numel() * 4;
    if (matrix && block_values(*type) > 1) {
      t.blocks = quantize_blocks(*type, t.tensor.to(DType::f32));
      t.block_type = *type;
      t.tensor = Tensor();
      after += t.blocks.nbytes();
    } else {
      const DType dense = matrix && *type == BlockType::f16 ? DType::f16 : matrix && *type == BlockType::bf16 ? DType::bf16 : DType::f32;
      t.tensor = t.tensor.to(dense);
      after += t.tensor.nbytes();
    }
    progress.advance();
  }
  save_gguf(o.output, contents.metadata, contents.tensors);
  progress.finish();
  std::printf("%s: %zu tensors, %.1f MB as float32, %.1f MB as %s\n", o.output.c_str(), contents.tensors.size(), static_cast<double>(before) / 1e6, static_cast<double>(after) / 1e6, block_type_name(*type));
  return 0;
}

}  // namespace transformers::cli
