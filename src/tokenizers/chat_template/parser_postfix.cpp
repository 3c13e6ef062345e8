// What may follow an operand: attributes, subscripts, slices, calls, filters and tests.
#include "tokenizers/chat_template/parser.h"

namespace transformers::jinja {

Expr* Parser::postfix(Expr* e) {
  int depth = 0;
  for (;; deepen(depth)) {
    if (current().op(".") || current().op("[")) e = subscript(e);
    else if (current().op("(")) e = call(e);
    else return e;
  }
}
Expr* Parser::filter_expr(Expr* e) {
  int depth = 0;
  for (;; deepen(depth)) {
    if (current().op("|")) e = filter(e, false);
    else if (current().is("is")) e = test(e);
    else if (current().op("(")) e = call(e);
    else return e;
  }
}
Expr* Parser::subscript(Expr* object) {
  const Token& t = next();
  if (t.text == ".") {
    const Token& attribute = next();
    if (attribute.kind == TokenKind::name) {
      GetAttr* n = node<GetAttr>(attribute);
      n->object = object, n->name = str(attribute.text);
      n->str_method = find_str_method(attribute.text), n->dict_method = find_dict_method(attribute.text);
      n->list_method = find_list_method(attribute.text);
      n->dict_key = !n->dict_method && !hidden_attribute(Value::of(static_cast<const Dict*>(nullptr)), attribute.text);
      return n;
    }
    if (attribute.kind != TokenKind::integer) error_at(attribute, {"expected name or number"});
    GetItem* n = node<GetItem>(t);
    n->object = object, n->key = number(attribute);
    return n;
  }
  std::vector<Expr*> keys;
  bool sliced = false, comma = false;
  while (!current().op("]")) {
    if (!keys.empty()) expect_op(","), comma = true;
    Expr *start = nullptr, *stop = nullptr, *step = nullptr;
    if (!current().op(":")) {
      start = expression();
      if (!current().op(":")) {
        keys.push_back(start);
        continue;
      }
    }
    next();  // ":"
    if (!current().op(":") && !current().op("]") && !current().op(",")) stop = expression();
    if (skip_op(":") && !current().op("]") && !current().op(",")) step = expression();
    GetSlice* n = node<GetSlice>(t);
    n->object = object, n->start = start, n->stop = stop, n->step = step;
    keys.push_back(n), sliced = true;
  }
  expect_op("]");
  if (keys.empty()) error({"expected subscript expression"});
  if (keys.size() == 1 && !comma) {
    if (sliced) return keys[0];
  } else {
    if (sliced) error({"slices inside of tuples are not supported"});
    Sequence* n = node<Sequence>(t);
    n->tuple = true, n->items = to_span(arena_, keys);
    keys = {n};
  }
  GetItem* n = node<GetItem>(t);
  n->object = object, n->key = keys[0];
  return n;
}
Expr* Parser::call(Expr* callee) {
  Call* n = node<Call>(current());
  n->callee = callee, n->attribute = dynamic_cast<GetAttr*>(callee);
  n->args = call_args();
  return n;
}
CallArgs Parser::call_args() {
  const Token& open = current();
  expect_op("(");
  std::vector<Expr*> items, named;
  std::vector<const Str*> names;
  CallArgs args;
  bool comma = false;
  const auto ensure = [&](bool ok) {
    if (!ok) error_at(open, {"invalid syntax for function call expression"});
  };
  while (!current().op(")")) {
    if (comma) {
      expect_op(",");
      if (current().op(")")) break;
    }
    comma = true;
    if (skip_op("*")) {
      ensure(!args.star && !args.star_star);
      args.star = expression();
    } else if (skip_op("**")) {
      ensure(!args.star_star);
      args.star_star = expression();
    } else if (current().kind == TokenKind::name && look().op("=")) {
      ensure(!args.star_star);
      const std::string_view key = next().text;
      if (names.size() > 255) error_at(open, {"more than 255 keyword arguments"});
      for (const Str* n : names)
        if (n->view() == key) error_at(open, {"keyword argument repeated: ", key});
      names.push_back(str(key));
      next();
      named.push_back(expression());
    } else {
      ensure(!args.star && !args.star_star && named.empty());
      items.push_back(expression());
    }
  }
  expect_op(")");
  args.items = to_span(arena_, items), args.names = to_span(arena_, names), args.named = to_span(arena_, named);
  return args;
}
std::string Parser::dotted_name() {
  std::string full(expect(TokenKind::name, "name").text);
  while (skip_op(".")) full += ".", full += expect(TokenKind::name, "name").text;
  return full;
}
Filter* Parser::filter(Expr* e, bool inline_start) {
  Filter* last = nullptr;
  int depth = 0;
  while (inline_start || current().op("|")) {
    deepen(depth);
    if (!inline_start) next();
    inline_start = false;
    const Token& t = current();
    const std::string full = dotted_name();
    Filter* n = node<Filter>(t);
    n->input = last ? last : e;
    n->fn = find_filter(full);
    if (!n->fn && !soft_) unknown_.push_back({t, cat({"No filter named '", full, "'."})});
    char* p = arena_.chars(full.size());
    full.copy(p, full.size());
    n->name = str({p, full.size()});
    if (current().op("(")) n->args = call_args();
    last = n;
  }
  return last;
}
Expr* Parser::test(Expr* e) {
  const Token& t = next();  // "is"
  Test* n = node<Test>(t);
  n->input = e, n->negated = skip_name("not");
  const Token& at = current();
  const std::string full = dotted_name();
  n->fn = find_test(full);
  if (!n->fn && !soft_) unknown_.push_back({at, cat({"No test named '", full, "'."})});
  char* p = arena_.chars(full.size());
  full.copy(p, full.size());
  n->name = str({p, full.size()});
  const Token& c = current();
  if (c.op("(")) {
    n->args = call_args();
  } else if ((c.kind == TokenKind::name || c.kind == TokenKind::string || c.kind == TokenKind::integer ||
              c.kind == TokenKind::real || c.op("[") || c.op("{")) &&
             !c.is("else") && !c.is("or") && !c.is("and")) {
    if (c.is("is")) error({"You cannot chain multiple tests with is"});
    n->args.items = to_span(arena_, std::vector<Expr*>{postfix(primary())});
  }
  return n;
}

}  // namespace transformers::jinja
