// Expressions. Precedence as in jinja2/parser.py: or, and, not, comparisons, + -, ~, * / // %, ** (left to right),
// unary, then subscripts, calls, filters and tests.
#include <charconv>

#include "tokenizers/chat_template/bigint.h"
#include "tokenizers/chat_template/parser.h"

namespace transformers::jinja {

Expr* Parser::expression(bool conditional) {
  guard_.check();
  if (!conditional) return parse_or();
  const size_t mark = unknown_.size();
  Expr* e = parse_or();
  int depth = 0;
  while (current().is("if")) {
    deepen(depth);
    Conditional* c = node<Conditional>(next());
    c->yes = e;
    c->test = parse_or();
    if (skip_name("else")) c->no = expression();
    unknown_.resize(mark);  // what stands in a condition fails only when it runs
    e = c;
  }
  return e;
}
Expr* Parser::parse_or() {
  Expr* e = parse_and();
  int depth = 0;
  while (current().is("or")) {
    deepen(depth);
    Logic* n = node<Logic>(next());
    n->left = e, n->right = parse_and();
    e = n;
  }
  return e;
}
Expr* Parser::parse_and() {
  Expr* e = parse_not();
  int depth = 0;
  while (current().is("and")) {
    deepen(depth);
    Logic* n = node<Logic>(next());
    n->is_and = true, n->left = e, n->right = parse_not();
    e = n;
  }
  return e;
}
Expr* Parser::parse_not() {
  guard_.check();
  if (!current().is("not")) return compare();
  Unary* n = node<Unary>(next());
  n->op = UnaryOp::logical_not, n->operand = parse_not();
  return n;
}
Expr* Parser::compare() {
  const Token& start = current();
  Expr* first = math1();
  std::vector<CompareOp> ops;
  std::vector<Expr*> rest;
  for (;;) {
    const Token& t = current();
    CompareOp op;
    if (t.op("==")) op = CompareOp::eq;
    else if (t.op("!=")) op = CompareOp::ne;
    else if (t.op("<")) op = CompareOp::lt;
    else if (t.op("<=")) op = CompareOp::le;
    else if (t.op(">")) op = CompareOp::gt;
    else if (t.op(">=")) op = CompareOp::ge;
    else if (t.is("in")) op = CompareOp::in;
    else if (t.is("not") && look().is("in")) op = CompareOp::not_in, next();
    else break;
    next();
    ops.push_back(op), rest.push_back(math1());
  }
  if (ops.empty()) return first;
  Compare* n = node<Compare>(start);
  n->first = first, n->ops = to_span(arena_, ops), n->rest = to_span(arena_, rest);
  return n;
}
Expr* Parser::math1() {
  Expr* e = concat();
  int depth = 0;
  while (current().op("+") || current().op("-")) {
    deepen(depth);
    Binary* n = node<Binary>(next());
    n->op = tokens_[at_ - 1].text == "+" ? BinaryOp::add : BinaryOp::sub;
    n->left = e, n->right = concat();
    e = n;
  }
  return e;
}
Expr* Parser::concat() {
  const Token& start = current();
  std::vector<Expr*> items{math2()};
  while (skip_op("~")) items.push_back(math2());
  if (items.size() == 1) return items[0];
  Concat* n = node<Concat>(start);
  n->items = to_span(arena_, items);
  return n;
}
Expr* Parser::math2() {
  Expr* e = power();
  int depth = 0;
  for (;;) {
    const Token& t = current();
    BinaryOp op;
    if (t.op("*")) op = BinaryOp::mul;
    else if (t.op("/")) op = BinaryOp::div;
    else if (t.op("//")) op = BinaryOp::floordiv;
    else if (t.op("%")) op = BinaryOp::mod;
    else return e;
    deepen(depth);
    Binary* n = node<Binary>(next());
    n->op = op, n->left = e, n->right = power();
    e = n;
  }
}
Expr* Parser::power() {
  Expr* e = unary();
  int depth = 0;
  while (current().op("**")) {
    deepen(depth);
    Binary* n = node<Binary>(next());
    n->op = BinaryOp::pow, n->left = e, n->right = unary();
    e = n;
  }
  return e;
}
Expr* Parser::unary(bool with_filter) {
  guard_.check();
  Expr* e;
  if (current().op("-") || current().op("+")) {
    Unary* n = node<Unary>(current());
    n->op = next().text == "-" ? UnaryOp::negate : UnaryOp::positive;
    n->operand = unary(false);
    e = n;
  } else {
    e = primary();
  }
  e = postfix(e);
  return with_filter ? filter_expr(e) : e;
}

Constant* Parser::constant(const Token& t, Value v) {
  Constant* c = node<Constant>(t);
  c->value = v;
  return c;
}
Name* Parser::name(const Token& t) {
  Name* n = node<Name>(t);
  n->symbol = symbol(t.text);
  n->undefined = arena_.make<Undefined>(Value(), Value::of(str(t.text)));
  return n;
}
Expr* Parser::number(const Token& t) {
  std::string digits;
  for (const char c : t.text)
    if (c != '_') digits += c;
  if (t.kind == TokenKind::real) {
    double d = 0;
    parse_float(digits, d);
    return constant(t, Value::of(d));
  }
  int base = 10;
  size_t from = 0;
  if (digits.size() > 2 && digits[0] == '0' && digits[1] > '9') {
    const char x = static_cast<char>(digits[1] | 32);
    base = x == 'x' ? 16 : x == 'o' ? 8 : 2, from = 2;
  }
  int64_t small = 0;
  const char *begin = digits.data() + from, *end = digits.data() + digits.size();
  if (std::from_chars(begin, end, small, base).ec == std::errc()) return constant(t, Value::of(small));
  if (base == 10 && digits.size() > 4300) error_at(t, {"an integer of more than 4300 digits"});
  if (digits.size() > 8192) error_at(t, {"the integer is too long"});
  Big big;
  const Big factor(static_cast<int64_t>(base));
  for (const char* p = begin; p < end; ++p) {
    const int d = *p <= '9' ? *p - '0' : (*p | 32) - 'a' + 10;
    big = add(multiply(big, factor), Big(static_cast<int64_t>(d)));
  }
  const Span<uint32_t> limbs = to_span(arena_, big.limbs);
  return constant(t, Value::of(static_cast<const BigInt*>(arena_.make<BigInt>(false, limbs.items, limbs.size))));
}
Expr* Parser::primary() {
  const Token& t = current();
  switch (t.kind) {
    case TokenKind::name:
      next();
      if (t.text == "true" || t.text == "True") return constant(t, Value::of(true));
      if (t.text == "false" || t.text == "False") return constant(t, Value::of(false));
      if (t.text == "none" || t.text == "None") return constant(t, Value::none());
      return name(t);
    case TokenKind::string: {
      std::string joined(next().text);
      if (current().kind != TokenKind::string) return constant(t, Value::of(str(t.text)));
      while (current().kind == TokenKind::string) joined += next().text;
      char* p = arena_.chars(joined.size());
      joined.copy(p, joined.size());
      return constant(t, Value::of(str({p, joined.size()})));
    }
    case TokenKind::integer: case TokenKind::real: next(); return number(t);
    case TokenKind::op:
      if (t.text == "(") {
        next();
        Expr* e = tuple(true, {}, true);
        expect_op(")");
        return e;
      }
      if (t.text == "[") return list_literal();
      if (t.text == "{") return dict_literal();
      [[fallthrough]];
    default: error({"unexpected '", describe(t), "'"});
  }
}
bool Parser::tuple_end(std::string_view end_name) const {
  const Token& t = current();
  return t.kind == TokenKind::variable_end || t.kind == TokenKind::block_end || t.op(")") ||
         (!end_name.empty() && t.is(end_name));
}
Expr* Parser::tuple(bool conditional, std::string_view end_name, bool parentheses) {
  const Token& start = current();
  std::vector<Expr*> items;
  bool is_tuple = false;
  for (;;) {
    if (!items.empty()) expect_op(",");
    if (tuple_end(end_name)) break;
    items.push_back(expression(conditional));
    if (!current().op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return items[0];
    if (!parentheses) error({"Expected an expression, got '", describe(current()), "'"});
  }
  Sequence* n = node<Sequence>(start);
  n->tuple = true, n->items = to_span(arena_, items);
  return n;
}
Expr* Parser::list_literal() {
  Sequence* n = node<Sequence>(next());
  std::vector<Expr*> items;
  while (!current().op("]")) {
    if (!items.empty()) expect_op(",");
    if (current().op("]")) break;
    items.push_back(expression());
  }
  expect_op("]");
  n->items = to_span(arena_, items);
  return n;
}
Expr* Parser::dict_literal() {
  DictLiteral* n = node<DictLiteral>(next());
  std::vector<Expr*> keys, values;
  while (!current().op("}")) {
    if (!keys.empty()) expect_op(",");
    if (current().op("}")) break;
    keys.push_back(expression());
    expect_op(":");
    values.push_back(expression());
  }
  expect_op("}");
  n->keys = to_span(arena_, keys), n->values = to_span(arena_, values);
  return n;
}

}  // namespace transformers::jinja
