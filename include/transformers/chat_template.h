// Chat templates: the Jinja dialect that transformers gives its tokenizers (utils/chat_template_utils.py), rendered in
// a sandbox. A template is compiled once and may be rendered by many threads at a time.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transformers/error.h"
#include "transformers/json.h"

namespace transformers {

/// What went wrong in a template, named after the Python exception that the reference raises.
enum class TemplateErrorKind : uint8_t {
  raised,         ///< The template called raise_exception (jinja2's TemplateError).
  syntax,         ///< The template does not compile (TemplateSyntaxError, TemplateAssertionError).
  runtime,        ///< TemplateRuntimeError, FilterArgumentError.
  undefined,      ///< UndefinedError.
  security,       ///< SecurityError.
  type,           ///< TypeError.
  value,          ///< ValueError.
  lookup,         ///< KeyError, IndexError.
  zero_division,  ///< ZeroDivisionError.
  overflow,       ///< OverflowError.
  limit,          ///< Too many steps, too deep, or too much output: our own bounds.
};

/// The name of a kind as the reference's exception, such as "UndefinedError".
const char* to_string(TemplateErrorKind kind);

/// The only error that compiling and rendering throw. what() names the kind, the message, the line and the column.
class ChatTemplateError : public TemplateError {
 public:
  ChatTemplateError(TemplateErrorKind kind, std::string detail, int64_t line, int64_t column);
  TemplateErrorKind kind() const { return kind_; }
  /// The bare message: what the template passed to raise_exception, or what the reference would say.
  const std::string& detail() const { return detail_; }
  int64_t line() const { return line_; }      ///< Counted from 1; 0 when no place in the template is to blame.
  int64_t column() const { return column_; }  ///< In code points, counted from 1.

 private:
  TemplateErrorKind kind_;
  std::string detail_;
  int64_t line_, column_;
};

class ChatTemplate {
 public:
  /// Year, month 1-12, day 1-31, hour, minute, second.
  using Clock = std::array<int, 6>;

  struct RenderOptions {
    Json messages;                              ///< List of objects with "role" and "content".
    Json tools;                                 ///< List of JSON schemas; null: none.
    Json documents;                             ///< List of objects; null: none.
    bool add_generation_prompt = false;         ///< Passed to the template.
    bool continue_final_message = false;        ///< End the text right after the last message's content.
    bool return_assistant_tokens_mask = false;  ///< Record generation_spans.
    Json variables;                             ///< Object: special tokens (bos_token, ...) and any other variable.
    std::optional<Clock> now;                   ///< What strftime_now sees; the local time when absent.
  };

  struct Rendered {
    std::string text;
    /// [start, end) in code points of `text` for each {% generation %} block, in the order of their ends.
    std::vector<std::pair<int64_t, int64_t>> generation_spans;
  };

  /// Bounds on one rendering, so that no template can hold the process.
  struct Limits {
    int64_t steps = 30'000'000;        ///< Evaluated nodes and, roughly, 64-byte pieces of text worked through.
    size_t memory = size_t{1} << 28;   ///< Bytes of values made.
    size_t output = size_t{1} << 27;   ///< Bytes of text.
  };

  /// Compiles. Throws ChatTemplateError (kind syntax, or limit when nested too deeply).
  explicit ChatTemplate(std::string source);
  /// Renders one conversation. Const and safe to call from many threads. Throws ChatTemplateError.
  Rendered render(const RenderOptions& options) const;
  Rendered render(const RenderOptions& options, const Limits& limits) const;
  /// The template's text.
  const std::string& source() const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace transformers
