// M2M100 and NLLB: mBART's layers with computed positions, for translation. Reference: transformers/models/m2m_100/modeling_m2m_100.py.
#include "models/bart.h"

namespace transformers {

static BartConfig m2m_100_config(const Json& json) {
  BartConfig c(with_defaults(json, {{"vocab_size", 128112}, {"activation_function", "relu"}, {"attention_dropout", 0.1}, {"scale_embedding", true},
                                    {"encoder_layerdrop", 0.05}, {"decoder_layerdrop", 0.05}}));
  c.json = json;
  c.pre_norm = c.final_norm = true;
  c.embedding_norm = c.logits_bias = false;
  c.positions = BartConfig::Positions::computed;
  if (c.d_model < 4) throw ConfigError({"config: d_model = ", c.d_model, " is too small for sinusoidal positions"});
  return c;
}

void register_m2m_100(ModelRegistry& r) {
  ModelFamily& f = r.family("m2m_100", "model");
  add_bart_family(f, {.name = "M2M100", .config = m2m_100_config, .generation_autos = {"AutoModelForSeq2SeqLM", "AutoModelWithLMHead"}, .causal_lm = false});
  f.ignore_unexpected("embed_positions.weights");
}

}  // namespace transformers
