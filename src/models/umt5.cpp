// UMT5: mT5 with a relative position bias in every block. Reference: transformers/models/umt5/modeling_umt5.py.
#include "models/t5.h"

namespace transformers {

static T5Config umt5_config(const Json& json) {
  T5Config c(with_defaults(json, {{"vocab_size", 250112}, {"d_ff", 1024}, {"num_layers", 8}, {"num_heads", 6}, {"feed_forward_proj", "gated-gelu"}, {"decoder_start_token_id", 0}}));
  c.json = json;
  c.bias_everywhere = true;
  return c;
}

void register_umt5(ModelRegistry& r) { add_t5_family(r.family("umt5", "transformer"), "UMT5", umt5_config); }

}  // namespace transformers
