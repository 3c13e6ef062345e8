// The syntax tree's assignment targets and statements.
#pragma once
#include "tokenizers/chat_template/ast.h"

namespace transformers::jinja {

// ---- assignment targets

struct NameTarget final : Target {
  uint32_t symbol = 0;
  Slot slot;
  bool exported = false;  // at the template's top level: blocks see it too
  void declare(Scope& scope) override;
  void resolve(Scope& scope) override;
  void assign(Runtime& rt, Frame& frame, const Value& value) const override {
    slot.in(frame) = value;
    if (exported) rt.context[symbol] = value;
  }
};
struct TupleTarget final : Target {
  Span<Target*> items;
  void children(const std::function<void(Node*)>& f) override { for (Target* t : items) f(t); }
  void assign(Runtime& rt, Frame& frame, const Value& value) const override;
};
struct NamespaceTarget final : Target {
  Name* object = nullptr;
  const Str* attribute = nullptr;
  void children(const std::function<void(Node*)>& f) override { f(object); }
  void assign(Runtime& rt, Frame& frame, const Value& value) const override;
};

// ---- statements (exec_*.cpp)

struct Text final : Stmt {
  std::string_view text;
  Flow exec(Runtime& rt, Frame&) const override { rt.write(text); return Flow::normal; }
};
struct Print final : Stmt {
  Expr* value = nullptr;
  void children(const std::function<void(Node*)>& f) override { f(value); }
  Flow exec(Runtime& rt, Frame& frame) const override { rt.print(value->eval(rt, frame)); return Flow::normal; }
};
struct If final : Stmt {
  struct Branch { Expr* test; Body body; };  // test null: else
  Span<Branch> branches;
  void children(const std::function<void(Node*)>& f) override {
    for (Branch& b : branches) {
      if (b.test) f(b.test);
      b.body.each(f);
    }
  }
  void declare(Scope& scope) override;
  Flow exec(Runtime& rt, Frame& frame) const override;
};
struct For final : Stmt {
  Target* target = nullptr;       // in the loop's scope
  Target* test_target = nullptr;  // the same names, in the scope of the `if` part
  Expr *iterable = nullptr, *test = nullptr;
  Body body, otherwise;
  bool recursive = false, has_else = false, uses_loop = false;
  uint32_t loop_symbol = 0;
  Slot loop_slot;
  ScopeInfo scope, test_scope, else_scope;
  uint32_t slot_count = 0;  // of a recursive loop's own frame
  void declare(Scope& scope) override;
  void resolve(Scope& scope) override;
  Flow exec(Runtime& rt, Frame& frame) const override;
  void run(Runtime& rt, Frame& frame, const Value& over, int64_t depth) const;
};
struct Assign final : Stmt {
  Target* target = nullptr;
  Expr* value = nullptr;
  void children(const std::function<void(Node*)>& f) override { f(value), f(target); }
  Flow exec(Runtime& rt, Frame& frame) const override {
    target->assign(rt, frame, value->eval(rt, frame));
    return Flow::normal;
  }
};
struct AssignBlock final : Stmt {
  Target* target = nullptr;
  Filter* filter = nullptr;  // may be null
  Body body;
  ScopeInfo scope;
  void declare(Scope& scope) override;
  void resolve(Scope& scope) override;
  Flow exec(Runtime& rt, Frame& frame) const override;
};
struct FilterBlock final : Stmt {
  Filter* filter = nullptr;
  Body body;
  ScopeInfo scope;
  void declare(Scope& scope) override;
  void resolve(Scope& scope) override;
  Flow exec(Runtime& rt, Frame& frame) const override;
};
/// A macro's signature and body; also the body of a call block.
struct Function {
  const Str* name = nullptr;  // null: the caller of a call block
  struct Parameter { uint32_t symbol; const Str* name; Expr* fallback; Slot slot; };
  Span<Parameter> parameters;
  Body body;
  bool uses_caller = false, uses_kwargs = false, uses_varargs = false, explicit_caller = false;
  uint32_t caller_symbol = 0, kwargs_symbol = 0, varargs_symbol = 0;
  Slot caller, kwargs, varargs;
  ScopeInfo scope;
  uint32_t slot_count = 0;
  void resolve(Scope& outer);
};
struct MacroStmt final : Stmt {
  Target* target = nullptr;
  Function function;
  void declare(Scope& scope) override { target->declare(scope); }
  void resolve(Scope& scope) override { target->resolve(scope), function.resolve(scope); }
  Flow exec(Runtime& rt, Frame& frame) const override;
};
struct CallBlock final : Stmt {
  Call* call = nullptr;
  Function function;
  void declare(Scope& scope) override { call->declare(scope); }
  void resolve(Scope& scope) override { call->resolve(scope), function.resolve(scope); }
  Flow exec(Runtime& rt, Frame& frame) const override;
};
struct Generation final : Stmt {  // {% generation %}: a call block whose text's place is recorded
  Function function;
  void declare(Scope&) override {}
  void resolve(Scope& scope) override { function.resolve(scope); }
  Flow exec(Runtime& rt, Frame& frame) const override;
};
struct With final : Stmt {
  Span<Target*> targets;
  Span<Expr*> values;
  Body body;
  ScopeInfo scope;
  void declare(Scope& scope) override;
  void resolve(Scope& scope) override;
  Flow exec(Runtime& rt, Frame& frame) const override;
};
struct Autoescape final : Stmt {
  Expr* value = nullptr;
  Body body;
  ScopeInfo scope;
  void declare(Scope& scope) override { value->declare(scope); }
  void resolve(Scope& scope) override;
  Flow exec(Runtime& rt, Frame& frame) const override;
};
struct Block final : Stmt {
  const Str* name = nullptr;
  Body body;
  bool scoped = false, required = false;
  ScopeInfo scope;
  uint32_t slot_count = 0;
  void declare(Scope&) override {}
  void resolve(Scope& scope) override;
  Flow exec(Runtime& rt, Frame& frame) const override;
  void run(Runtime& rt) const;
};
struct Jump final : Stmt {  // break, continue
  Flow flow{};
  Flow exec(Runtime&, Frame&) const override { return flow; }
};
struct NoLoader final : Stmt {  // include, import, from, extends: there is nothing to load templates from
  Expr* name = nullptr;
  Span<Target*> targets;
  void children(const std::function<void(Node*)>& f) override {
    f(name);
    for (Target* t : targets) f(t);
  }
  Flow exec(Runtime& rt, Frame& frame) const override;
};

}  // namespace transformers::jinja
