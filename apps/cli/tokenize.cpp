// transformers tokenize: tokens, ids and offsets of texts.
#include <cstdio>

#include "commands.h"
#include "pipelines/task.h"
#include "io/hub.h"
#include "tokenizers/gguf_tokenizer.h"

namespace transformers::cli {

int tokenize(const TokenizeOptions_& o) {
  const PreTrainedTokenizer tokenizer = load_tokenizer(resolve_model(o.model, {}));
  for (const std::string& text : read_inputs(o.texts)) {
    transformers::TokenizeOptions options;
    options.add_special_tokens = o.special;
    options.return_encodings = true;
    const BatchEncoding rows = tokenizer(text, options);
    for (size_t i = 0; i < rows.input_ids[0].size(); ++i) {
      if (o.ids_only) std::printf("%s%lld", i ? " " : "", static_cast<long long>(rows.input_ids[0][i]));
      else std::printf("%8lld  %-24s [%lld, %lld)\n", static_cast<long long>(rows.input_ids[0][i]), rows.encodings[0].tokens[i].c_str(),
                       static_cast<long long>(rows.encodings[0].offsets[i].first), static_cast<long long>(rows.encodings[0].offsets[i].second));
    }
    if (o.ids_only) std::printf("\n");
  }
  return 0;
}

}  // namespace transformers::cli
