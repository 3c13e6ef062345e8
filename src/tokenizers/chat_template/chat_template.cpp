// ChatTemplate: compiling, giving variables, continue_final_message. Reference: transformers/utils/chat_template_utils.py.
#include "transformers/chat_template.h"

#include <algorithm>

#include "tokenizers/chat_template/ast.h"
#include "tokenizers/chat_template/convert.h"

namespace transformers {

const char* to_string(TemplateErrorKind kind) {
  switch (kind) {
    case TemplateErrorKind::raised: return "TemplateError";
    case TemplateErrorKind::syntax: return "TemplateSyntaxError";
    case TemplateErrorKind::runtime: return "TemplateRuntimeError";
    case TemplateErrorKind::undefined: return "UndefinedError";
    case TemplateErrorKind::security: return "SecurityError";
    case TemplateErrorKind::type: return "TypeError";
    case TemplateErrorKind::value: return "ValueError";
    case TemplateErrorKind::lookup: return "LookupError";
    case TemplateErrorKind::zero_division: return "ZeroDivisionError";
    case TemplateErrorKind::overflow: return "OverflowError";
    case TemplateErrorKind::limit: return "LimitError";
  }
  return "TemplateError";
}

namespace {
std::string describe(TemplateErrorKind kind, const std::string& detail, int64_t line, int64_t column) {
  const std::string place = line ? cat({" (line ", line, ", column ", column, ")"}) : "";
  return cat({"chat template: ", to_string(kind), ": ", detail, place});
}
}  // namespace

ChatTemplateError::ChatTemplateError(TemplateErrorKind kind, std::string detail, int64_t line, int64_t column)
    : TemplateError(describe(kind, detail, line, column)), kind_(kind), detail_(std::move(detail)), line_(line),
      column_(column) {}

struct ChatTemplate::Impl {
  jinja::Program program;
  std::string source;
};

ChatTemplate::ChatTemplate(std::string source) {
  auto impl = std::make_shared<Impl>();
  impl->source = source;
  impl->program.source = std::move(source);
  uint32_t line = 0, column = 0;
  try {
    jinja::compile(impl->program, line, column);
  } catch (jinja::Failure& f) {
    throw ChatTemplateError(f.kind, std::move(f.message), line, column);
  }
  impl_ = std::move(impl);
}
const std::string& ChatTemplate::source() const { return impl_->source; }

namespace {

constexpr std::string_view kContinueTag = "CONTINUE_FINAL_MESSAGE_TAG ";

[[noreturn]] void bad_argument(const std::string& message, TemplateErrorKind kind = TemplateErrorKind::value) {
  throw ChatTemplateError(kind, message, 0, 0);
}
// Marks the end of the last message's text; returns that text.
std::string mark_final_message(Json& messages) {
  if (!messages.is_array() || messages.size() == 0) bad_argument("continue_final_message is set but there are no messages");
  Json& last = messages.as_array().back();
  const Json content = last.is_object() ? last["content"] : Json();
  if (content.is_string()) {
    last.set("content", Json(cat({content.as_string(), kContinueTag})));
    return content.as_string();
  }
  if (!content.is_array())
    bad_argument("continue_final_message needs text in the final message's \"content\"", TemplateErrorKind::type);
  Json blocks = content;
  for (size_t i = blocks.size(); i-- > 0;) {
    Json& block = blocks.as_array()[i];
    const Json* found = block.find("text");
    if (!found) continue;
    if (!found->is_string()) bad_argument("the final message's \"text\" is not a string", TemplateErrorKind::type);
    const std::string text = found->as_string();
    block.set("text", Json(cat({text, kContinueTag})));
    last.set("content", blocks);
    return text;
  }
  bad_argument("continue_final_message is set but we could not find any text to continue in the final message!");
}
void cut_final_message(std::string& text, const std::string& final_message) {
  const std::string_view tag = kContinueTag.substr(0, kContinueTag.size() - 1);
  const size_t at = text.rfind(tag);
  if (at == std::string::npos || text.find(jinja::strip(final_message)) == std::string::npos)
    bad_argument(
        "continue_final_message is set but the final message does not appear in the chat after applying the chat "
        "template! This can happen if the chat template deletes portions of the final message. Please verify the chat "
        "template and final message in your chat to ensure they are compatible.");
  const bool kept_space = std::string_view(text).substr(at, kContinueTag.size()) == kContinueTag;
  text.resize(at);
  if (!kept_space) text.resize(jinja::strip(text, false, true).size());  // the template trimmed the message
}

}  // namespace

ChatTemplate::Rendered ChatTemplate::render(const RenderOptions& options) const { return render(options, Limits()); }

ChatTemplate::Rendered ChatTemplate::render(const RenderOptions& options, const Limits& limits) const {
  const jinja::Program& program = impl_->program;
  Json messages = options.messages;
  std::string final_message;
  if (options.continue_final_message) final_message = mark_final_message(messages);

  jinja::Runtime rt(program, limits);
  rt.now = options.now, rt.recording = options.return_assistant_tokens_mask;
  Rendered out;
  try {
    rt.context = program.globals;
    for (const uint32_t i : program.context_symbols) {
      const std::string& name = program.symbols[i];
      if (name == "messages") rt.context[i] = to_value(rt, messages);
      else if (name == "tools") rt.context[i] = to_value(rt, options.tools);
      else if (name == "documents") rt.context[i] = to_value(rt, options.documents);
      else if (name == "add_generation_prompt") rt.context[i] = jinja::Value::of(options.add_generation_prompt);
      else if (const Json* v = options.variables.find(name)) rt.context[i] = to_value(rt, *v);
    }
    jinja::Frame& frame = *rt.arena.make<jinja::Frame>(rt.arena.array<jinja::Value>(program.slot_count), nullptr);
    program.scope.enter(rt, frame);
    program.body.exec(rt, frame);
  } catch (jinja::Failure& f) {
    throw ChatTemplateError(f.kind, std::move(f.message), rt.where ? rt.where->line : 0, rt.where ? rt.where->column : 0);
  }
  out.text = std::move(rt.output());
  out.generation_spans = std::move(rt.spans);
  if (options.continue_final_message) cut_final_message(out.text, final_message);
  return out;
}

}  // namespace transformers
