// GGUF files as models: metadata <-> config.json, tensor names <-> the reference's names, the vocabulary.
// Architectures: llama, mistral, qwen2, qwen3, bert, gpt2. Reference: transformers/integrations/ggml.py (keys),
// modeling_gguf_pytorch_utils.py (names, permutations); llama.cpp's converter for bert.
#pragma once
#include "base/gguf_vocabulary.h"
#include "io/gguf_format.h"
#include "io/state_dict.h"

namespace transformers {

/// The config.json that the metadata of `file` describes; architectures[0] is the class the weights fit best.
/// Throws CheckpointError without general.architecture, UnsupportedError for an architecture not listed above.
Json gguf_config(const StateDict& file);

/// The vocabulary. Lists that contradict each other throw CheckpointError; a file without tokens gives an empty one.
GgufVocabulary gguf_vocabulary(const StateDict& file);

/// The tensors under the reference's names and in its layouts. Rows of llama's q and k, which the file interleaves per
/// head, are put back in order (blocks move as whole rows). Names without a counterpart are left out with a warning.
StateDict gguf_weights(const StateDict& file, const Json& config);

/// What save_gguf writes.
struct GgufContents {
  Json metadata;
  std::vector<std::pair<std::string, StoredTensor>> tensors;
};
/// The way back, for `transformers quantize`: a llama, mistral, qwen2, qwen3, bert or gpt2 model as GGUF metadata and
/// tensors, still dense; the caller may turn any matrix into blocks before saving. Throws UnsupportedError.
GgufContents gguf_from_model(const Json& config, const StateDict& weights, const GgufVocabulary& vocabulary);

}  // namespace transformers
