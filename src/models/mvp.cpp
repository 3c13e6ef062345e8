// MVP: BART trained on many generation tasks. Reference: transformers/models/mvp/modeling_mvp.py.
#include "models/bart.h"

namespace transformers {

static BartConfig mvp_config(const Json& json) {
  BartConfig c(with_defaults(json, {{"vocab_size", 50267}}));
  c.json = json;
  if (c.get("use_prompt", false)) throw UnsupportedError("mvp: layer-wise prompts (use_prompt) are not supported");
  return c;
}

void register_mvp(ModelRegistry& r) {
  add_bart_family(r.family("mvp", "model"), {.name = "Mvp",
                                             .config = mvp_config,
                                             .generation_autos = {"AutoModelForSeq2SeqLM", "AutoModelForMaskedLM",
                                                                  "AutoModelForPreTraining", "AutoModelWithLMHead"},
                                             .sequence_classification = true,
                                             .question_answering = true});
}

}  // namespace transformers
