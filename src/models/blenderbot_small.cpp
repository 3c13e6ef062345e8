// Blenderbot small: BART with plain learned positions. Reference: transformers/models/blenderbot_small/modeling_blenderbot_small.py.
#include "models/bart.h"

namespace transformers {

static BartConfig blenderbot_small_config(const Json& json) {
  BartConfig c(with_defaults(json, {{"max_position_embeddings", 512}, {"encoder_layers", 8}, {"encoder_ffn_dim", 2048}, {"decoder_layers", 8}, {"decoder_ffn_dim", 2048},
                                    {"d_model", 512}, {"pad_token_id", 0}, {"decoder_start_token_id", 1}}));
  c.json = json;
  c.norm_before_positions = true;
  c.position_offset = 0;
  return c;
}

void register_blenderbot_small(ModelRegistry& r) {
  add_bart_family(r.family("blenderbot-small", "model"), {.name = "BlenderbotSmall", .config = blenderbot_small_config, .generation_autos = {"AutoModelForSeq2SeqLM", "AutoModelWithLMHead"}});
}

}  // namespace transformers
