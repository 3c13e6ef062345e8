// Tokens to syntax tree. Reference: jinja2/parser.py, and the checks of jinja2/compiler.py.
#pragma once
#include <initializer_list>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "tokenizers/chat_template/statements.h"
#include "tokenizers/chat_template/lexer.h"

namespace transformers::jinja {

class Parser {
 public:
  Parser(Program& program, std::vector<Token> tokens, uint32_t& line, uint32_t& column)
      : program_(program), arena_(program.arena), tokens_(std::move(tokens)), line_(line), column_(column) {}
  Body parse_template();

 private:
  // parser.cpp: the stream
  const Token& current() const { return tokens_[at_]; }
  const Token& look() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  const Token& next();
  bool skip_name(std::string_view name);
  bool skip_op(std::string_view symbol);
  const Token& expect(TokenKind kind, const char* description);
  void expect_op(std::string_view symbol);
  void expect_name(std::string_view name);
  [[noreturn]] void error(std::initializer_list<Piece> message);
  [[noreturn]] void error_at(const Token& token, std::initializer_list<Piece> message);
  static std::string describe(const Token& token);
  template <class T> T* node(const Token& token) {
    T* n = arena_.make<T>();
    n->line = token.line, n->column = token.column;
    return n;
  }
  uint32_t symbol(std::string_view name);
  const Str* str(std::string_view text) {
    return arena_.make<Str>(text.data(), text.size(), count_points(text), false, nullptr);
  }
  /// Throws when an expression's chain of operators or subscripts makes the tree too deep to walk.
  void deepen(int& depth);

  // parser_expr.cpp
  Expr* expression(bool conditional = true);
  Expr* parse_or();
  Expr* parse_and();
  Expr* parse_not();
  Expr* compare();
  Expr* math1();
  Expr* concat();
  Expr* math2();
  Expr* power();
  Expr* unary(bool with_filter = true);
  Expr* primary();
  Expr* tuple(bool conditional = true, std::string_view end_name = {}, bool parentheses = false);
  bool tuple_end(std::string_view end_name) const;
  Expr* list_literal();
  Expr* dict_literal();
  Expr* postfix(Expr* e);
  Expr* filter_expr(Expr* e);
  Expr* subscript(Expr* e);
  Expr* call(Expr* e);
  CallArgs call_args();
  Filter* filter(Expr* e, bool inline_start);
  Expr* test(Expr* e);
  Expr* number(const Token& token);
  Name* name(const Token& token);
  Constant* constant(const Token& token, Value v);
  std::string dotted_name();

  // parser_stmt.cpp
  Body statements(std::initializer_list<std::string_view> ends, bool drop, bool soft = false);
  Body subparse(std::initializer_list<std::string_view> ends);
  Stmt* statement();
  Stmt* parse_for();
  Stmt* parse_if();
  Stmt* parse_set();
  Stmt* parse_macro();
  Stmt* parse_call();
  Stmt* parse_filter_block();
  Stmt* parse_with();
  Stmt* parse_autoescape();
  Stmt* parse_block();
  Stmt* parse_generation();
  Stmt* parse_jump(Flow flow);
  Stmt* parse_no_loader(std::string_view kind);
  void parse_print(std::vector<Stmt*>& out);
  Target* target(std::string_view end_name, bool with_namespace, bool with_tuple = true);
  Target* target_item(bool with_namespace);
  Target* name_target();
  void signature(Function& f);
  void function_symbols(Function& f);

  Program& program_;
  Arena& arena_;
  std::vector<Token> tokens_;
  uint32_t &line_, &column_;
  size_t at_ = 0;
  StackGuard guard_{size_t{1} << 19};
  std::unordered_map<std::string, uint32_t> symbols_;
  std::unordered_set<std::string> block_names_;
  std::vector<std::string> open_tags_;
  std::vector<std::string> wanted_ends_;
  struct Unknown { Token token; std::string message; };
  std::vector<Unknown> unknown_;  // filters and tests that do not exist
  bool soft_ = false;  // inside `if` blocks: unknown filters fail only when they run
  int loops_ = 0;  // loops of the current function, for break and continue
};

}  // namespace transformers::jinja
