// Marian: BART with fixed positions and no embedding norm, for translation. Reference: transformers/models/marian/modeling_marian.py.
#include "models/bart.h"

namespace transformers {

static BartConfig marian_config(const Json& json) {
  BartConfig c(with_defaults(json, {{"vocab_size", 58101}, {"pad_token_id", 58100}, {"decoder_start_token_id", 58100}, {"eos_token_id", 0}}));
  c.json = json;
  c.embedding_norm = false, c.scale_given_embeds = true;
  c.positions = BartConfig::Positions::sinusoidal;
  if (!c.get("share_encoder_decoder_embeddings", true)) c.decoder_vocab_size = c.size("decoder_vocab_size", c.vocab_size);
  return c;
}

void register_marian(ModelRegistry& r) {
  add_bart_family(r.family("marian", "model"), {.name = "Marian", .config = marian_config, .generation_autos = {"AutoModelForSeq2SeqLM", "AutoModelWithLMHead"}, .generation = "MTModel"});
}

}  // namespace transformers
