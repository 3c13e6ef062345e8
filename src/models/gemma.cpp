// Gemma: Llama with centred norms, scaled embeddings and its own head size. Reference:
// transformers/models/gemma/modeling_gemma.py.
#include "models/gemma.h"

#include <cmath>

namespace transformers {
namespace {

struct GemmaConfig : LlamaConfig {
  explicit GemmaConfig(const Json& j)
      : LlamaConfig(with_defaults(j, {{"vocab_size", 256000},
                                      {"hidden_size", 3072},
                                      {"intermediate_size", 24576},
                                      {"num_hidden_layers", 28},
                                      {"num_attention_heads", 16},
                                      {"num_key_value_heads", 16},
                                      {"head_dim", 256},
                                      {"hidden_act", "gelu_pytorch_tanh"},
                                      {"max_position_embeddings", 8192}})) {
    embedding_scale = std::sqrt(static_cast<double>(hidden_size));
  }
};
using GemmaLayer = PreNormLayer<LlamaAttention, LlamaMlp, GemmaNorm>;

}  // namespace

void register_gemma(ModelRegistry& r) {
  add_decoder_classes(r.family("gemma", "model"), "Gemma", make<DecoderModel<GemmaConfig, GemmaLayer, GemmaNorm>>(),
                      "Cst");
}

}  // namespace transformers
