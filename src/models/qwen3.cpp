// Qwen 3: Llama with norms on every head's queries and keys. Reference: transformers/models/qwen3/modeling_qwen3.py.
#include "models/heads.h"
#include "models/qwen2.h"

namespace transformers {
namespace {

struct Qwen3Config : QwenConfig {
  explicit Qwen3Config(const Json& j) : QwenConfig(with_defaults(j, {{"head_dim", 128}})) { qk_norm = true; }
};

}  // namespace

void register_qwen3(ModelRegistry& r) {
  const Factory backbone = make<DecoderModel<Qwen3Config, LlamaLayer>>();
  ModelFamily& family = r.family("qwen3", "model");
  add_decoder_classes(family, "Qwen3", backbone, "cst");
  family.add("Qwen3ForQuestionAnswering", question_answering_head(backbone, {"transformer", "qa_outputs"}),
             {"AutoModelForQuestionAnswering"}, "transformer");
}

}  // namespace transformers
