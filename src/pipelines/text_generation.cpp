// Task text-generation: continues a prompt or a chat. Reference: pipelines/text_generation.py.
#include "generation/chat.h"
#include "pipelines/task.h"
#include "transformers/generation.h"

namespace transformers {
namespace {

struct TextGeneration final : Pipeline::Impl {
  std::shared_ptr<Model> model;
  PreTrainedTokenizer tokenizer;
  explicit TextGeneration(const TaskContext& c) : model(c.model("AutoModelForCausalLM")), tokenizer(c.tokenizer()) {}

  Json run(const Json& input, const Json& parameters) const override {
    Json fields = parameters;
    const bool full = fields.get("return_full_text", true);
    const std::string prefix = fields.get("prefix", "");
    fields.erase("return_full_text"), fields.erase("prefix"), fields.erase("clean_up_tokenization_spaces"), fields.erase("return_text");
    GenerationConfig options = GenerationConfig::from_json(fields);
    if (!options.max_new_tokens && !options.max_length) options.max_new_tokens = 256;
    const bool chat = input.is_array();
    std::string prompt = chat ? render_chat(tokenizer, input, true) : prefix + text_of(input, "text-generation");
    const std::vector<int64_t> ids = tokenizer.encode(prompt, !chat);
    Inputs in;
    in.set("input_ids", Tensor::from(ids, {1, static_cast<int64_t>(ids.size())}));
    const Tensor out = generate(*model, in, options).sequences;
    Json list = Json::array();
    for (int64_t r = 0; r < out.dim(0); ++r) {
      const std::vector<int64_t> row = out.select(0, r).to_ints();
      const std::vector<int64_t> fresh(row.begin() + static_cast<int64_t>(ids.size()), row.end());
      const std::string answer = tokenizer.decode(row, true).substr(tokenizer.decode(ids, true).size());
      if (chat && full) {
        Json messages = input;
        messages.push_back(Json::object({{"role", "assistant"}, {"content", answer}}));
        list.push_back(Json::object({{"generated_text", messages}}));
      } else {
        list.push_back(Json::object({{"generated_text", full && !chat ? prompt.substr(prefix.size()) + answer : answer}}));
      }
    }
    return list;
  }
};

}  // namespace

std::shared_ptr<const Pipeline::Impl> make_text_generation(const TaskContext& c) { return std::make_shared<TextGeneration>(c); }

}  // namespace transformers
