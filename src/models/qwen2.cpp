// Qwen 2 and 2.5: Llama with biases on q, k, v. Reference: transformers/models/qwen2/modeling_qwen2.py.
#include "models/qwen2.h"

#include "models/heads.h"

namespace transformers {

QwenConfig::QwenConfig(const Json& j)
    : LlamaConfig(with_defaults(j, {{"vocab_size", 151936},
                                    {"intermediate_size", 22016},
                                    {"num_key_value_heads", 32},
                                    {"max_position_embeddings", 32768},
                                    {"sliding_window", 4096}})) {
  if (get("use_sliding_window", false)) sliding_window = get("sliding_window", 0);
  layer_types = get("layer_types", std::vector<std::string>{});
  if (layer_types.empty())
    for (int64_t i = 0; i < num_hidden_layers; ++i)
      layer_types.push_back(sliding_window > 0 && i >= get("max_window_layers", 28) ? "sliding_attention"
                                                                                    : "full_attention");
}

namespace {
struct Qwen2Config : QwenConfig {
  explicit Qwen2Config(const Json& j) : QwenConfig(j) { attention_bias = false, qkv_only_bias = true; }
};
}  // namespace

void register_qwen2(ModelRegistry& r) {
  const Factory backbone = make<DecoderModel<Qwen2Config, LlamaLayer>>();
  ModelFamily& family = r.family("qwen2", "model");
  add_decoder_classes(family, "Qwen2", backbone, "cst");
  family.add("Qwen2ForQuestionAnswering", question_answering_head(backbone, {"transformer", "qa_outputs"}),
             {"AutoModelForQuestionAnswering"}, "transformer");
}

}  // namespace transformers
