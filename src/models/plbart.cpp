// PLBART: BART for program and natural language. Reference: transformers/models/plbart/modeling_plbart.py.
#include "models/bart.h"

namespace transformers {

static BartConfig plbart_config(const Json& json) {
  BartConfig c(with_defaults(json, {{"vocab_size", 50005}, {"encoder_layers", 6}, {"encoder_ffn_dim", 3072}, {"encoder_attention_heads", 12}, {"decoder_layers", 6},
                                    {"decoder_ffn_dim", 3072}, {"decoder_attention_heads", 12}, {"d_model", 768}, {"attention_dropout", 0.1}, {"scale_embedding", true}}));
  c.json = json;
  c.wraps_labels = true;
  return c;
}

void register_plbart(ModelRegistry& r) {
  add_bart_family(r.family("plbart", "model"), {.name = "PLBart", .config = plbart_config, .generation_autos = {"AutoModelForSeq2SeqLM", "AutoModelWithLMHead"},
                                                .sequence_classification = true});
}

}  // namespace transformers
