// CamemBERT: RoBERTa for French. Reference: transformers/models/camembert/modeling_camembert.py.
#include "models/roberta.h"

namespace transformers {

void register_camembert(ModelRegistry& r) {
  add_roberta_classes(r.family("camembert", "roberta"), "Camembert", "roberta",
                      {"AutoModelForMaskedLM", "AutoModelForPreTraining", "AutoModelWithLMHead"});
}

}  // namespace transformers
