// Data2VecText: RoBERTa's shape with other weights. Reference: transformers/models/data2vec/modeling_data2vec_text.py.
#include "models/roberta.h"

namespace transformers {

void register_data2vec_text(ModelRegistry& r) {
  add_roberta_classes(r.family("data2vec-text", "data2vec_text"), "Data2VecText", "data2vec_text",
                      {"AutoModelForMaskedLM", "AutoModelForPreTraining", "AutoModelWithLMHead"});
}

}  // namespace transformers
