// XLM-RoBERTa: RoBERTa for a hundred languages. Reference: transformers/models/xlm_roberta/modeling_xlm_roberta.py.
#include "models/roberta.h"

namespace transformers {

void register_xlm_roberta(ModelRegistry& r) {
  add_roberta_classes(r.family("xlm-roberta", "roberta"), "XLMRoberta", "roberta",
                      {"AutoModelForMaskedLM", "AutoModelForPreTraining", "AutoModelWithLMHead"});
}

}  // namespace transformers
