// mT5: T5 v1.1 for many languages. Reference: transformers/models/mt5/modeling_mt5.py.
#include "models/t5.h"

namespace transformers {

static T5Config mt5_config(const Json& json) {
  T5Config c(with_defaults(json, {{"vocab_size", 250112}, {"d_ff", 1024}, {"num_layers", 8}, {"num_heads", 6}, {"feed_forward_proj", "gated-gelu"},
                                  {"tie_word_embeddings", false}, {"decoder_start_token_id", 0}}));
  c.json = json;
  return c;
}

void register_mt5(ModelRegistry& r) { add_t5_family(r.family("mt5", "transformer"), "MT5", mt5_config); }

}  // namespace transformers
