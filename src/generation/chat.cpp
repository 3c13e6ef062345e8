// Conversations.
#include "generation/chat.h"

#include <mutex>

#include "transformers/chat_template.h"

namespace transformers {

std::string render_chat(const PreTrainedTokenizer& tokenizer, const Json& messages, bool add_generation_prompt, const Json& tools, const Json& variables) {
  const auto& templates = tokenizer.chat_template();
  auto it = templates.find(tools.is_array() ? "tool_use" : "default");
  if (it == templates.end()) it = templates.find("default");
  if (it == templates.end())
    throw ValueError("Cannot use chat template functions because tokenizer.chat_template is not set and no template argument was passed!");
  static std::mutex mutex;
  static std::map<std::string, ChatTemplate> compiled;  // by text; models use one or two
  std::optional<ChatTemplate> t;
  {
    std::lock_guard lock(mutex);
    if (compiled.size() > 32) compiled.clear();
    t = compiled.try_emplace(it->second, it->second).first->second;
  }
  ChatTemplate::RenderOptions o;
  o.messages = messages, o.tools = tools, o.add_generation_prompt = add_generation_prompt;
  o.variables = tokenizer.special_tokens_map();
  if (variables.is_object())
    for (const auto& [key, value] : variables.as_object()) o.variables.set(key, value);
  return t->render(o).text;
}

}  // namespace transformers
