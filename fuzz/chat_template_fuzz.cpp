// Fuzzer of chat templates: a template, then optionally a NUL byte and a JSON object with "messages", "tools",
// "documents" and variables. Any bytes give a text or a typed error, within the limits.
#include "transformers/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace transformers;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find('\0');
  ChatTemplate::RenderOptions o;
  ChatTemplate::Limits limits;
  limits.steps = 200'000, limits.memory = size_t{1} << 25, limits.output = size_t{1} << 20;
  o.now = ChatTemplate::Clock{2026, 7, 26, 15, 4, 5};
  try {
    const char* usual = R"({"messages": [{"role": "user", "content": "Héllo"}, {"role": "assistant", "content":
        [{"type": "text", "text": "a b"}], "n": [1, -2.5, null, true]}], "tools": [{"name": "f", "x": {"y": {}}}]})";
    o.variables = Json::parse(cut == std::string_view::npos ? std::string_view(usual) : input.substr(cut + 1));
    o.messages = o.variables["messages"], o.tools = o.variables["tools"], o.documents = o.variables["documents"];
    o.add_generation_prompt = size % 2, o.return_assistant_tokens_mask = size % 3 == 0, o.continue_final_message = size % 5 == 0;
    ChatTemplate(std::string(input.substr(0, cut))).render(o, limits);
  } catch (const Error&) {
  }
  return 0;
}
