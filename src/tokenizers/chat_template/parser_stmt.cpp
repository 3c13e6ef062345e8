// Statements. Reference: jinja2/parser.py, jinja2/ext.py (loop controls), transformers' {% generation %} extension.
#include "tokenizers/chat_template/parser.h"

namespace transformers::jinja {

Body Parser::parse_template() {
  Body body = subparse({});
  if (!unknown_.empty()) error_at(unknown_[0].token, {unknown_[0].message});
  return body;
}

Body Parser::statements(std::initializer_list<std::string_view> ends, bool drop, bool soft) {
  skip_op(":");  // after a tag, as in Python
  expect(TokenKind::block_end, "end of statement block");
  std::string wanted;
  for (const std::string_view end : ends) {
    if (!wanted.empty()) wanted += " or ";
    wanted += "'", wanted += end, wanted += "'";
  }
  wanted_ends_.push_back(wanted);
  const bool outer_soft = std::exchange(soft_, soft);  // a new scope is not soft, even inside an `if`
  Body body = subparse(ends);
  soft_ = outer_soft;
  wanted_ends_.pop_back();
  if (current().kind == TokenKind::end)
    error({"Unexpected end of template. Jinja was looking for the following tags: ", wanted,
           ". The innermost block that needs to be closed is '", open_tags_.back(), "'."});
  if (drop) next();
  return body;
}

Body Parser::subparse(std::initializer_list<std::string_view> ends) {
  guard_.check();
  std::vector<Stmt*> out;
  for (;;) {
    const Token& t = current();
    if (t.kind == TokenKind::end) break;
    if (t.kind == TokenKind::data) {
      Text* n = node<Text>(next());
      n->text = t.text;
      out.push_back(n);
    } else if (t.kind == TokenKind::variable_begin) {
      Print* n = node<Print>(next());
      n->value = tuple();
      expect(TokenKind::variable_end, "end of print statement");
      out.push_back(n);
    } else if (t.kind == TokenKind::block_begin) {
      next();
      for (const std::string_view end : ends)
        if (current().is(end)) return {to_span(arena_, out)};
      if (current().is("print")) {
        parse_print(out);
      } else {
        Stmt* s = statement();
        if (s) out.push_back(s);
      }
      expect(TokenKind::block_end, "end of statement block");
    } else {
      error({"unexpected '", describe(t), "'"});
    }
  }
  return {to_span(arena_, out)};
}

Stmt* Parser::statement() {
  const Token& t = current();
  if (t.kind != TokenKind::name) error({"tag name expected"});
  open_tags_.emplace_back(t.text);
  struct Closer {
    std::vector<std::string>& tags;
    ~Closer() { tags.pop_back(); }
  } closer{open_tags_};
  const std::string_view tag = t.text;
  if (tag == "for") return parse_for();
  if (tag == "if") return parse_if();
  if (tag == "set") return parse_set();
  if (tag == "macro") return parse_macro();
  if (tag == "call") return parse_call();
  if (tag == "filter") return parse_filter_block();
  if (tag == "with") return parse_with();
  if (tag == "autoescape") return parse_autoescape();
  if (tag == "block") return parse_block();
  if (tag == "generation") return parse_generation();
  if (tag == "break") return parse_jump(Flow::loop_break);
  if (tag == "continue") return parse_jump(Flow::loop_continue);
  if (tag == "include" || tag == "import" || tag == "from" || tag == "extends") return parse_no_loader(tag);
  std::string message = cat({"Encountered unknown tag '", tag, "'."});
  if (!wanted_ends_.empty()) {
    message += cat({" Jinja was looking for the following tags: ", wanted_ends_.back(), "."});
    if (open_tags_.size() > 1)
      message += cat({" The innermost block that needs to be closed is '", open_tags_[open_tags_.size() - 2], "'."});
  }
  error({message});
}

void Parser::parse_print(std::vector<Stmt*>& out) {
  next();
  bool first = true;
  while (current().kind != TokenKind::block_end) {
    if (!first) expect_op(",");
    first = false;
    Print* n = node<Print>(current());
    n->value = expression();
    out.push_back(n);
  }
}

Target* Parser::name_target() {
  const Token& t = expect(TokenKind::name, "name");
  for (const std::string_view reserved : {"true", "false", "none", "True", "False", "None"})
    if (t.text == reserved) error_at(t, {"can't assign to 'const'"});
  NameTarget* n = node<NameTarget>(t);
  n->symbol = symbol(t.text);
  return n;
}
Target* Parser::target_item(bool with_namespace) {
  const Token& t = current();
  if (with_namespace && t.kind == TokenKind::name && look().op(".")) {
    NamespaceTarget* n = node<NamespaceTarget>(t);
    n->object = name(next());
    next();
    n->attribute = str(expect(TokenKind::name, "name").text);
    return n;
  }
  if (t.kind == TokenKind::name) return name_target();
  if (t.op("(") || t.op("[")) {
    guard_.check();
    const std::string close = t.op("(") ? ")" : "]";
    if (t.op("[")) error({"can't assign to 'list'"});
    next();
    std::vector<Target*> items;
    bool comma = false;
    while (!current().op(close)) {
      if (!items.empty()) expect_op(","), comma = true;
      if (current().op(close)) break;
      items.push_back(target_item(with_namespace));
    }
    expect_op(close);
    if (items.size() == 1 && !comma) return items[0];
    TupleTarget* n = node<TupleTarget>(t);
    n->items = to_span(arena_, items);
    return n;
  }
  if (t.kind == TokenKind::string || t.kind == TokenKind::integer || t.kind == TokenKind::real)
    error({"can't assign to 'const'"});
  error({"unexpected '", describe(t), "'"});
}
Target* Parser::target(std::string_view end_name, bool with_namespace, bool with_tuple) {
  const Token& start = current();
  std::vector<Target*> items;
  bool is_tuple = false;
  for (;;) {
    if (!items.empty()) expect_op(",");
    if (tuple_end(end_name) || (is_tuple && current().op("="))) break;
    items.push_back(target_item(with_namespace));
    if (!with_tuple || !current().op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !items.empty()) return items[0];
  if (items.empty()) error({"Expected an expression, got '", describe(current()), "'"});
  TupleTarget* n = node<TupleTarget>(start);
  n->items = to_span(arena_, items);
  return n;
}

Stmt* Parser::parse_for() {
  For* n = node<For>(next());
  const size_t at = at_;
  n->target = target("in", false);
  expect_name("in");
  n->iterable = tuple(false, "recursive");
  if (skip_name("if")) n->test = expression();
  if (n->test) {  // the condition has its own copies of the loop's variables
    const size_t after = at_;
    at_ = at;
    n->test_target = target("in", false);
    at_ = after;
  }
  n->recursive = skip_name("recursive");
  n->loop_symbol = symbol("loop");
  ++loops_;
  n->body = statements({"endfor", "else"}, false);
  --loops_;
  n->has_else = current().is("else");
  next();
  if (n->has_else) n->otherwise = statements({"endfor"}, true);
  return n;
}
Stmt* Parser::parse_if() {
  If* n = node<If>(current());
  std::vector<If::Branch> branches;
  const bool outer_soft = std::exchange(soft_, true);
  do {
    next();
    If::Branch b{tuple(false), {}};
    b.body = statements({"elif", "else", "endif"}, false, true);
    branches.push_back(b);
  } while (current().is("elif"));
  if (next().text == "else") branches.push_back({nullptr, statements({"endif"}, true, true)});
  soft_ = outer_soft;
  n->branches = to_span(arena_, branches);
  return n;
}
Stmt* Parser::parse_set() {
  const Token& t = next();
  Target* into = target({}, true);
  if (skip_op("=")) {
    Assign* n = node<Assign>(t);
    n->target = into, n->value = tuple();
    return n;
  }
  AssignBlock* n = node<AssignBlock>(t);
  n->target = into, n->filter = filter(nullptr, false);
  n->body = statements({"endset"}, true);
  return n;
}
void Parser::function_symbols(Function& f) {
  f.caller_symbol = symbol("caller"), f.kwargs_symbol = symbol("kwargs"), f.varargs_symbol = symbol("varargs");
}
void Parser::signature(Function& f) {
  std::vector<Function::Parameter> parameters;
  expect_op("(");
  while (!current().op(")")) {
    if (parameters.size() > 255) error({"more than 255 parameters"});
    if (!parameters.empty()) expect_op(",");
    const Token& t = current();
    auto* p = static_cast<NameTarget*>(name_target());
    Expr* fallback = nullptr;
    if (skip_op("=")) fallback = expression();
    else if (!parameters.empty() && parameters.back().fallback) error({"non-default argument follows default argument"});
    for (const Function::Parameter& other : parameters)
      if (other.symbol == p->symbol) error_at(t, {"duplicate argument '", t.text, "' in function definition"});
    parameters.push_back({p->symbol, str(t.text), fallback, {}});
  }
  expect_op(")");
  f.parameters = to_span(arena_, parameters);
}
Stmt* Parser::parse_macro() {
  MacroStmt* n = node<MacroStmt>(next());
  const Token& t = current();
  n->target = name_target();
  n->function.name = str(t.text);
  signature(n->function), function_symbols(n->function);
  const int loops = std::exchange(loops_, 0);
  n->function.body = statements({"endmacro"}, true);
  loops_ = loops;
  return n;
}
Stmt* Parser::parse_call() {
  CallBlock* n = node<CallBlock>(next());
  if (current().op("(")) signature(n->function);
  function_symbols(n->function);
  n->call = dynamic_cast<Call*>(expression());
  if (!n->call) error({"expected call"});
  const int loops = std::exchange(loops_, 0);
  n->function.body = statements({"endcall"}, true);
  loops_ = loops;
  return n;
}
Stmt* Parser::parse_generation() {
  Generation* n = node<Generation>(next());
  function_symbols(n->function);
  const int loops = std::exchange(loops_, 0);
  n->function.body = statements({"endgeneration"}, true);
  loops_ = loops;
  return n;
}
Stmt* Parser::parse_filter_block() {
  FilterBlock* n = node<FilterBlock>(next());
  n->filter = filter(nullptr, true);
  n->body = statements({"endfilter"}, true);
  return n;
}
Stmt* Parser::parse_with() {
  With* n = node<With>(next());
  std::vector<Target*> targets;
  std::vector<Expr*> values;
  while (current().kind != TokenKind::block_end) {
    if (!targets.empty()) expect_op(",");
    targets.push_back(target({}, false, false));
    expect_op("=");
    values.push_back(expression());
  }
  n->targets = to_span(arena_, targets), n->values = to_span(arena_, values);
  n->body = statements({"endwith"}, true);
  return n;
}
Stmt* Parser::parse_autoescape() {
  Autoescape* n = node<Autoescape>(next());
  n->value = expression();
  n->body = statements({"endautoescape"}, true);
  return n;
}
Stmt* Parser::parse_block() {
  Block* n = node<Block>(next());
  const Token& t = expect(TokenKind::name, "name");
  n->name = str(t.text);
  n->scoped = skip_name("scoped"), n->required = skip_name("required");
  if (current().op("-"))
    error({"Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore "
           "instead."});
  if (!block_names_.insert(std::string(t.text)).second) error_at(t, {"block '", t.text, "' defined twice"});
  program_.blocks.push_back(n);
  const int loops = std::exchange(loops_, 0);
  n->body = statements({"endblock"}, true);
  loops_ = loops;
  if (current().kind == TokenKind::name && current().text == n->name->view()) next();
  return n;
}
Stmt* Parser::parse_jump(Flow flow) {
  const Token& t = next();
  if (loops_ == 0) error_at(t, {"'", t.text, "' outside loop"});
  Jump* n = node<Jump>(t);
  n->flow = flow;
  return n;
}
Stmt* Parser::parse_no_loader(std::string_view kind) {
  NoLoader* n = node<NoLoader>(next());
  n->name = expression();
  std::vector<Target*> targets;
  const auto context = [this] {
    if ((current().is("with") || current().is("without")) && look().is("context")) next(), next();
  };
  if (kind == "include") {
    if (current().is("ignore") && look().is("missing")) next(), next();
    context();
  } else if (kind == "import") {
    expect_name("as");
    targets.push_back(name_target());
    context();
  } else if (kind == "from") {
    expect_name("import");
    while (current().kind == TokenKind::name) {
      if ((current().is("with") || current().is("without")) && look().is("context")) break;
      if (current().text[0] == '_') error({"names starting with an underline can not be imported"});
      targets.push_back(name_target());
      if (skip_name("as")) targets.push_back(name_target());
      if (!skip_op(",")) break;
    }
    if (targets.empty()) error({"expected token 'name', got '", describe(current()), "'"});
    context();
  }
  n->targets = to_span(arena_, targets);
  return n;
}

}  // namespace transformers::jinja
