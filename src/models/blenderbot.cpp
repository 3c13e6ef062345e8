// Blenderbot: BART with norms before the blocks and plain learned positions. Reference: transformers/models/blenderbot/modeling_blenderbot.py.
#include "models/bart.h"

namespace transformers {

static BartConfig blenderbot_config(const Json& json) {
  BartConfig c(with_defaults(json, {{"vocab_size", 8008}, {"max_position_embeddings", 128}, {"encoder_layers", 2}, {"encoder_ffn_dim", 10240}, {"encoder_attention_heads", 32},
                                    {"decoder_layers", 24}, {"decoder_ffn_dim", 10240}, {"decoder_attention_heads", 32}, {"d_model", 2560}, {"pad_token_id", 0},
                                    {"decoder_start_token_id", 1}}));
  c.json = json;
  c.pre_norm = c.final_norm = true;
  c.embedding_norm = false;
  c.position_offset = 0;
  return c;
}

void register_blenderbot(ModelRegistry& r) {
  add_bart_family(r.family("blenderbot", "model"), {.name = "Blenderbot", .config = blenderbot_config, .generation_autos = {"AutoModelForSeq2SeqLM", "AutoModelWithLMHead"}});
}

}  // namespace transformers
