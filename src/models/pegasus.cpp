// Pegasus: BART with fixed positions and norms before the blocks, for summaries. Reference: transformers/models/pegasus/modeling_pegasus.py.
#include "models/bart.h"

namespace transformers {

static BartConfig pegasus_config(const Json& json) {
  BartConfig c(with_defaults(json, {{"pad_token_id", 0}, {"decoder_start_token_id", 0}, {"eos_token_id", 1}}));
  c.json = json;
  c.pre_norm = c.final_norm = c.scale_given_embeds = true;
  c.embedding_norm = false;
  c.positions = BartConfig::Positions::sinusoidal;
  return c;
}

void register_pegasus(ModelRegistry& r) {
  add_bart_family(r.family("pegasus", "model"), {.name = "Pegasus", .config = pegasus_config, .generation_autos = {"AutoModelForSeq2SeqLM", "AutoModelWithLMHead"}});
}

}  // namespace transformers
