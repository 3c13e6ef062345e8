// One table per architecture: keys of the metadata and names of the tensors, used in both directions.
#pragma once
#include <cstddef>
#include <string_view>

namespace transformers {

struct GgufKey { const char* gguf; const char* config; };  ///< "context_length" (below "<architecture>.") and its config field.
/// `gguf` without ".weight" / ".bias"; layers stand as "blk.N." there and as `layers` + "N." in the reference.
struct GgufName { const char* gguf; const char* reference; bool transposed = false; };

struct GgufArchitecture {
  const char* name;        ///< general.architecture and model_type
  const char* class_name;  ///< architectures[0]
  const char* layers;      ///< "model.layers."
  const GgufKey* keys;
  size_t key_count;
  const GgufName* outer;   ///< Names outside of the layers.
  size_t outer_count;
  const GgufName* inner;   ///< Names of one layer, behind "blk.N.".
  size_t inner_count;
  bool permuted;           ///< Rows of q and k are interleaved per head.
};

/// nullptr when unknown.
const GgufArchitecture* find_gguf_architecture(std::string_view name);

}  // namespace transformers
