// Resolves names to slots. Reference: jinja2/idtracking.py and the scoping in jinja2/compiler.py.
#include "tokenizers/chat_template/scope.h"

#include <algorithm>

namespace transformers::jinja {

void Node::declare(Scope& scope) {
  scope.step();
  children([&scope](Node* n) { n->declare(scope); });
}
void Node::resolve(Scope& scope) {
  scope.step();
  children([&scope](Node* n) { n->resolve(scope); });
}

Scope::Entry* Scope::own(uint32_t symbol) {
  const auto it = index.find(symbol);
  return it == index.end() ? nullptr : &entries[it->second];
}
uint32_t Scope::add(uint32_t symbol, bool parameter, bool conditional) {
  index.emplace(symbol, entries.size());
  entries.push_back({symbol, function->slots++, parameter, conditional});
  return entries.back().slot;
}
bool Scope::found(uint32_t symbol) const {
  for (const Scope* s = this; s; s = s->parent) {
    step();
    if (s->own(symbol)) return true;
  }
  return false;
}
Slot Scope::find(uint32_t symbol) const {
  uint32_t hops = 0;
  for (const Scope* s = this; s; s = s->parent) {
    step();
    if (const Entry* e = s->own(symbol)) return {e->slot, hops};
    if (s->parent && s->parent->function != s->function) ++hops;
  }
  fail(Kind::runtime, {"unresolved name ", program.symbols[symbol]});
}
void Scope::load(uint32_t symbol) {
  if (!found(symbol)) add(symbol, false, true);
}
void Scope::store(uint32_t symbol) {
  if (!own(symbol)) add(symbol, false, branches > 0);
}
uint32_t Scope::parameter(uint32_t symbol) {
  Entry* e = own(symbol);
  if (!e) return add(symbol, true, false);
  e->parameter = true;
  return e->slot;
}
ScopeInfo Scope::finish() const {
  std::vector<SlotInit> inits;
  for (const Entry& e : entries) {
    if (e.parameter) continue;
    if (parent && parent->found(e.symbol)) {
      const Slot outer = parent->find(e.symbol);
      inits.push_back({SlotInit::outer, e.slot, outer.index, outer.hops + (parent->function != function)});
    } else {
      if (e.conditional) program.context_symbols.push_back(e.symbol);
      inits.push_back({e.conditional ? SlotInit::context : SlotInit::undefined, e.slot, e.symbol, 0});
    }
  }
  return {to_span(program.arena, inits)};
}

void Name::declare(Scope& scope) { scope.load(symbol); }
void Name::resolve(Scope& scope) { slot = scope.find(symbol); }
void NameTarget::declare(Scope& scope) { scope.store(symbol); }
void NameTarget::resolve(Scope& scope) { slot = scope.find(symbol), exported = scope.toplevel; }

void If::declare(Scope& scope) {
  for (Branch& b : branches) {
    if (b.test) b.test->declare(scope);
    ++scope.branches;
    scope.declare(b.body);
    --scope.branches;
  }
}

namespace {
// Loop targets are parameters: always assigned before the body runs.
void declare_parameters(Target* target, Scope& scope) {
  if (auto* name = dynamic_cast<NameTarget*>(target)) scope.parameter(name->symbol);
  else target->children([&scope](Node* n) {
    if (auto* inner = dynamic_cast<Target*>(n)) declare_parameters(inner, scope);
    else n->declare(scope);
  });
}
}  // namespace

namespace {
// Whether the body reads `symbol` before it would be written there (jinja2's find_undeclared).
struct UndeclaredSearch {
  Program& program;
  uint32_t symbol;
  bool found = false, stored = false;
  void visit(Node* n) {
    if (found || stored) return;
    program.step(4);
    if (auto* name = dynamic_cast<Name*>(n)) found |= name->symbol == symbol;
    else if (auto* target = dynamic_cast<NameTarget*>(n)) stored |= target->symbol == symbol;
    else if (auto* f = dynamic_cast<For*>(n)) {
      visit(f->iterable), visit(f->target);
      if (f->test) visit(f->test);
      each(f->body), each(f->otherwise);
    } else if (auto* a = dynamic_cast<AssignBlock*>(n)) {
      visit(a->target);
      if (a->filter) visit(a->filter);
      each(a->body);
    } else if (auto* b = dynamic_cast<FilterBlock*>(n)) visit(b->filter), each(b->body);
    else if (auto* m = dynamic_cast<MacroStmt*>(n)) visit(m->function);
    else if (auto* c = dynamic_cast<CallBlock*>(n)) visit(c->call), visit(c->function);
    else if (auto* g = dynamic_cast<Generation*>(n)) visit(g->function);
    else if (auto* e = dynamic_cast<Autoescape*>(n)) visit(e->value), each(e->body);
    else if (auto* w = dynamic_cast<With*>(n)) {
      for (Target* t : w->targets) visit(t);
      for (Expr* x : w->values) visit(x);
      each(w->body);
    } else n->children([this](Node* child) { visit(child); });
  }
  void visit(const Function& f) {
    for (const Function::Parameter& p : f.parameters) {
      stored |= p.symbol == symbol;
      if (p.fallback) visit(p.fallback);
    }
    each(f.body);
  }
  void each(const Body& b) { b.each([this](Node* n) { visit(n); }); }
};
bool undeclared(Program& program, const Body& body, uint32_t symbol) {
  UndeclaredSearch search{program, symbol};
  search.each(body);
  return search.found;
}
}  // namespace

void For::declare(Scope& outer) { iterable->declare(outer); }
void For::resolve(Scope& outer) {
  iterable->resolve(outer);
  if (test) {
    Scope s = outer.inner();
    declare_parameters(test_target, s);
    test->declare(s);
    test_scope = s.finish();
    test_target->resolve(s), test->resolve(s);
  }
  FunctionScope own;
  {
    Scope s = recursive ? outer.inner(own) : outer.inner();
    uses_loop = recursive || undeclared(outer.program, body, loop_symbol);
    if (uses_loop) loop_slot = {s.parameter(loop_symbol), 0};
    declare_parameters(target, s);
    s.declare(body);
    scope = s.finish();
    target->resolve(s);
    s.resolve(body);
  }
  if (has_else) {
    Scope s = recursive ? outer.inner(own) : outer.inner();
    s.declare(otherwise);
    else_scope = s.finish();
    s.resolve(otherwise);
  }
  slot_count = own.slots;
}

void AssignBlock::declare(Scope& outer) {
  target->declare(outer);
}
void AssignBlock::resolve(Scope& outer) {
  target->resolve(outer);
  Scope s = outer.inner();
  s.declare(body);
  if (filter) filter->declare(s);
  scope = s.finish();
  s.resolve(body);
  if (filter) filter->resolve(s);
}
void FilterBlock::declare(Scope& outer) { filter->declare(outer); }
void FilterBlock::resolve(Scope& outer) {
  filter->resolve(outer);
  Scope s = outer.inner();
  s.declare(body);
  scope = s.finish();
  s.resolve(body);
}
void With::declare(Scope& outer) {
  for (Expr* e : values) e->declare(outer);
}
void With::resolve(Scope& outer) {
  for (Expr* e : values) e->resolve(outer);
  Scope s = outer.inner();
  for (Target* t : targets) declare_parameters(t, s);
  s.declare(body);
  scope = s.finish();
  for (Target* t : targets) t->resolve(s);
  s.resolve(body);
}
void Autoescape::resolve(Scope& outer) {
  value->resolve(outer);
  Scope s = outer.inner();
  s.declare(body);
  scope = s.finish();
  s.resolve(body);
}

void Function::resolve(Scope& outer) {
  FunctionScope own;
  Scope s = outer.inner(own);
  for (Parameter& p : parameters) {
    explicit_caller |= p.symbol == caller_symbol;
    p.slot = {s.parameter(p.symbol), 0};
  }
  uses_caller = undeclared(outer.program, body, caller_symbol), uses_kwargs = undeclared(outer.program, body, kwargs_symbol);
  uses_varargs = undeclared(outer.program, body, varargs_symbol);
  if (uses_caller) caller = {s.parameter(caller_symbol), 0};
  if (uses_kwargs) kwargs = {s.parameter(kwargs_symbol), 0};
  if (uses_varargs) varargs = {s.parameter(varargs_symbol), 0};
  for (Parameter& p : parameters)
    if (p.fallback) p.fallback->declare(s);
  s.declare(body);
  scope = s.finish();
  for (Parameter& p : parameters)
    if (p.fallback) p.fallback->resolve(s);
  s.resolve(body);
  slot_count = own.slots;
}

void Block::resolve(Scope& outer) {
  FunctionScope own;
  Scope s{outer.program, nullptr, &own};  // a block sees the context only
  s.declare(body);
  scope = s.finish();
  s.resolve(body);
  slot_count = own.slots;
}

void resolve_program(Program& program) {
  FunctionScope own;
  Scope s{program, nullptr, &own, true};
  s.declare(program.body);
  program.scope = s.finish();
  s.resolve(program.body);
  program.slot_count = own.slots;
  std::vector<uint32_t>& wanted = program.context_symbols;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (const std::string& name : program.symbols) program.globals.push_back(make_global(program.arena, name));
}

}  // namespace transformers::jinja
