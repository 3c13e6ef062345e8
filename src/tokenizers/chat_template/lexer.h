// Splits a template into tokens. Reference: jinja2/lexer.py with trim_blocks and lstrip_blocks on.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/chat_template/arena.h"

namespace transformers::jinja {

enum class TokenKind : uint8_t {
  end, data, variable_begin, variable_end, block_begin, block_end, name, string, integer, real, op
};
struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view text;  // of the source, or in the arena (data, decoded strings)
  uint32_t line = 0, column = 0;
  bool is(std::string_view name) const { return kind == TokenKind::name && text == name; }
  bool op(std::string_view symbol) const { return kind == TokenKind::op && text == symbol; }
};

/// Tokens of `source` (its line ends already normalized, valid UTF-8), closed by TokenKind::end. On Failure the place is
/// left in line and column.
std::vector<Token> tokenize(Arena& arena, std::string_view source, uint32_t& line, uint32_t& column);

/// CRLF and CR become LF, and one trailing newline is dropped.
std::string normalize_newlines(std::string_view source);

}  // namespace transformers::jinja
