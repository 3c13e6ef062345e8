// Mistral: Llama with grouped keys and a sliding window. Reference: transformers/models/mistral/modeling_mistral.py.
#include "models/llama.h"

namespace transformers {
namespace {

struct MistralConfig : LlamaConfig {
  explicit MistralConfig(const Json& j)
      : LlamaConfig(with_defaults(j, {{"intermediate_size", 14336},
                                      {"num_key_value_heads", 8},
                                      {"max_position_embeddings", 131072},
                                      {"sliding_window", 4096}})) {
    sliding_window = get("sliding_window", 0);
  }
};

}  // namespace

void register_mistral(ModelRegistry& r) {
  add_decoder_classes(r.family("mistral", "model"), "Mistral", make<DecoderModel<MistralConfig, LlamaLayer>>(), "cstq");
}

}  // namespace transformers
