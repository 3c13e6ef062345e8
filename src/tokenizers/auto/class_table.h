// Defaults of the reference's tokenizer classes.
#pragma once
#include <cstddef>

namespace transformers::tokenizers {

struct ClassInfo {
  const char* name;
  const char* specials;  ///< "bos_token=<s>|eos_token=</s>"
  const char* inputs;
  char side;             ///< 'r' or 'l'
  bool fast;
};
struct ModelClass {
  const char* model_type;
  const char* class_name;
};
extern const ClassInfo kClasses[];
extern const size_t kClassCount;
extern const ModelClass kModelClasses[];
extern const size_t kModelClassCount;

}  // namespace transformers::tokenizers
