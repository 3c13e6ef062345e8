// The parser's token stream, errors and symbols.
#include "tokenizers/chat_template/parser.h"

#include "tokenizers/chat_template/scope.h"

namespace transformers::jinja {

const Token& Parser::next() {
  const Token& t = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return t;
}
bool Parser::skip_name(std::string_view name) {
  if (!current().is(name)) return false;
  next();
  return true;
}
bool Parser::skip_op(std::string_view symbol) {
  if (!current().op(symbol)) return false;
  next();
  return true;
}
std::string Parser::describe(const Token& t) {
  switch (t.kind) {
    case TokenKind::end: return "end of template";
    case TokenKind::data: return "template data / text";
    case TokenKind::variable_begin: return "begin of print statement";
    case TokenKind::variable_end: return "end of print statement";
    case TokenKind::block_begin: return "begin of statement block";
    case TokenKind::block_end: return "end of statement block";
    case TokenKind::string: return "string";
    case TokenKind::integer: return "integer";
    case TokenKind::real: return "float";
    default: return std::string(t.text);
  }
}
void Parser::error_at(const Token& t, std::initializer_list<Piece> message) {
  line_ = t.line, column_ = t.column;
  fail(Kind::syntax, message);
}
void Parser::error(std::initializer_list<Piece> message) { error_at(current(), message); }
const Token& Parser::expect(TokenKind kind, const char* description) {
  if (current().kind == kind) return next();
  if (current().kind == TokenKind::end)
    error({"unexpected end of template, expected '", description, "'."});
  error({"expected token '", description, "', got '", describe(current()), "'"});
}
void Parser::expect_op(std::string_view symbol) {
  if (skip_op(symbol)) return;
  if (current().kind == TokenKind::end) error({"unexpected end of template, expected '", symbol, "'."});
  error({"expected token '", symbol, "', got '", describe(current()), "'"});
}
void Parser::expect_name(std::string_view name) {
  if (!skip_name(name)) error({"expected token '", name, "', got '", describe(current()), "'"});
}
uint32_t Parser::symbol(std::string_view name) {
  const auto [it, is_new] = symbols_.emplace(std::string(name), static_cast<uint32_t>(program_.symbols.size()));
  if (is_new) program_.symbols.emplace_back(name);
  return it->second;
}
void Parser::deepen(int& depth) {
  if (++depth > 800) {
    line_ = current().line, column_ = current().column;
    fail(Kind::limit, {"the expression is nested too deeply"});
  }
}

void compile(Program& program, uint32_t& line, uint32_t& column) {
  if (!valid_utf8(program.source)) fail(Kind::syntax, {"the template is not valid UTF-8"});
  if (program.source.size() > (size_t{1} << 22)) fail(Kind::limit, {"the template is longer than 4 MiB"});
  program.source = normalize_newlines(program.source);
  Parser parser(program, tokenize(program.arena, program.source, line, column), line, column);
  program.body = parser.parse_template();
  line = column = 0;
  const StackGuard guard;
  program.guard = &guard;
  resolve_program(program);
  program.guard = nullptr;
}

}  // namespace transformers::jinja
