// mBART: BART with norms before the blocks and language tokens. Reference: transformers/models/mbart/modeling_mbart.py.
#include "models/bart.h"

namespace transformers {

static BartConfig mbart_config(const Json& json) {
  BartConfig c(json);
  c.pre_norm = c.final_norm = c.wraps_labels = true;
  return c;
}

void register_mbart(ModelRegistry& r) {
  add_bart_family(r.family("mbart", "model"), {.name = "MBart", .config = mbart_config,
                                               .generation_autos = {"AutoModelForSeq2SeqLM", "AutoModelForMaskedLM", "AutoModelForPreTraining", "AutoModelWithLMHead"},
                                               .sequence_classification = true, .question_answering = true});
}

}  // namespace transformers
