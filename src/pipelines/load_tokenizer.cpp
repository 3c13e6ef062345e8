// The tokenizer of a model folder or of a GGUF file.
#include "pipelines/task.h"

#include "io/gguf_model.h"
#include "io/model_files.h"
#include "tokenizers/gguf_tokenizer.h"

namespace transformers {

PreTrainedTokenizer load_tokenizer(const std::string& path) {
  const std::string gguf = gguf_file_of(path);
  return gguf.empty() ? AutoTokenizer::from_pretrained(path) : tokenizer_from_gguf(gguf_vocabulary(load_gguf(gguf)));
}



}  // namespace transformers
