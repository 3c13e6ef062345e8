// The syntax tree. Nodes evaluate themselves; names are resolved to slots once, after parsing, with the scoping rules
// of jinja2's idtracking.py: loops, macros, call, filter, set and with blocks open scopes, `if` does not.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/chat_template/runtime.h"

namespace transformers::jinja {

/// Variables of one running function (the template, a block, a macro, a recursive loop); `parent` encloses it.
struct Frame {
  Value* slots;
  Frame* parent;
};
struct Scope;

struct Node {
  uint32_t line = 0, column = 0;
  virtual void children(const std::function<void(Node*)>&) {}
  /// First pass: tells the scope which names are read and written in it, outside nested scopes.
  virtual void declare(Scope& scope);
  /// Second pass: gives names their slots.
  virtual void resolve(Scope& scope);
};

struct Expr : Node {
  virtual Value eval(Runtime& rt, Frame& frame) const = 0;
  virtual bool constant() const { return false; }
};

enum class Flow : uint8_t { normal, loop_break, loop_continue };
struct Stmt : Node {
  virtual Flow exec(Runtime& rt, Frame& frame) const = 0;
};
struct Target : Node {
  virtual void assign(Runtime& rt, Frame& frame, const Value& value) const = 0;
};

/// How a scope's slot gets its first value when the scope is entered.
struct SlotInit {
  enum How : uint8_t { undefined, context, outer } how;
  uint32_t slot, source, hops;  // source: symbol or slot
};
struct ScopeInfo {
  Span<SlotInit> inits;
  void enter(Runtime& rt, Frame& frame) const {
    for (const SlotInit& s : inits) {
      if (s.how == SlotInit::outer) {
        const Frame* f = &frame;
        for (uint32_t h = s.hops; h; --h) f = f->parent;
        frame.slots[s.slot] = f->slots[s.source];
      } else {
        frame.slots[s.slot] = s.how == SlotInit::context ? rt.context[s.source] : Value();
      }
    }
  }
};
struct Body {
  Span<Stmt*> items;
  Flow exec(Runtime& rt, Frame& frame) const {
    for (const Stmt* s : items) {
      rt.charge(1);
      const Flow flow = s->exec(rt, frame);
      if (flow != Flow::normal) return flow;
    }
    return Flow::normal;
  }
  void each(const std::function<void(Node*)>& f) const {
    for (Stmt* s : items) f(s);
  }
};

struct Slot {
  uint32_t index = 0, hops = 0;
  Value& in(Frame& frame) const {
    Frame* f = &frame;
    for (uint32_t h = hops; h; --h) f = f->parent;
    return f->slots[index];
  }
};

// ---- expressions (eval_expr.cpp, eval_call.cpp)

struct Constant final : Expr {
  Value value;
  Value eval(Runtime&, Frame&) const override { return value; }
  bool constant() const override { return true; }
};
struct Name final : Expr {
  uint32_t symbol = 0;
  Slot slot;
  const Undefined* undefined = nullptr;
  void declare(Scope& scope) override;
  void resolve(Scope& scope) override;
  Value eval(Runtime&, Frame& frame) const override {
    const Value& v = slot.in(frame);
    return v.is_missing() ? Value::of(undefined) : v;
  }
};
struct Sequence final : Expr {  // [a, b] or (a, b)
  Span<Expr*> items;
  bool tuple = false;
  void children(const std::function<void(Node*)>& f) override { for (Expr* e : items) f(e); }
  Value eval(Runtime& rt, Frame& frame) const override;
};
struct DictLiteral final : Expr {
  Span<Expr*> keys, values;
  void children(const std::function<void(Node*)>& f) override {
    for (size_t i = 0; i < keys.size; ++i) f(keys[i]), f(values[i]);
  }
  Value eval(Runtime& rt, Frame& frame) const override;
};
struct GetAttr final : Expr {
  Expr* object = nullptr;
  const Str* name = nullptr;
  const Method *str_method = nullptr, *dict_method = nullptr, *list_method = nullptr;  // of that name
  bool dict_key = false;  // of a dictionary it can only be a key
  void children(const std::function<void(Node*)>& f) override { f(object); }
  Value eval(Runtime& rt, Frame& frame) const override;
  const Method* method(const Value& v) const;
};
struct GetItem final : Expr {
  Expr *object = nullptr, *key = nullptr;
  void children(const std::function<void(Node*)>& f) override { f(object), f(key); }
  Value eval(Runtime& rt, Frame& frame) const override;
};
struct GetSlice final : Expr {
  Expr *object = nullptr, *start = nullptr, *stop = nullptr, *step = nullptr;  // absent ones are null
  void children(const std::function<void(Node*)>& f) override {
    for (Expr* e : {object, start, stop, step})
      if (e) f(e);
  }
  Value eval(Runtime& rt, Frame& frame) const override;
};
struct CallArgs {
  Span<Expr*> items;
  Span<const Str*> names;
  Span<Expr*> named;
  Expr *star = nullptr, *star_star = nullptr;
  void each(const std::function<void(Node*)>& f) const {
    for (Expr* e : items) f(e);
    for (Expr* e : named) f(e);
    if (star) f(star);
    if (star_star) f(star_star);
  }
  /// `first`: room kept before the positional ones for the caller; `extra`: a keyword to add.
  Args eval(Runtime& rt, Frame& frame, const Keyword* extra = nullptr) const;
};
struct Call final : Expr {
  Expr* callee = nullptr;
  GetAttr* attribute = nullptr;  // the callee, when it is obj.name
  CallArgs args;
  void children(const std::function<void(Node*)>& f) override { f(callee), args.each(f); }
  Value eval(Runtime& rt, Frame& frame) const override { return call(rt, frame, nullptr); }
  Value call(Runtime& rt, Frame& frame, const Keyword* extra) const;
};
struct Filter final : Expr {
  Expr* input = nullptr;  // null: the text of a filter or set block
  const Str* name = nullptr;
  FilterFn fn = nullptr;  // null: unknown, an error when it runs (only inside conditions)
  CallArgs args;
  void children(const std::function<void(Node*)>& f) override {
    if (input) f(input);
    args.each(f);
  }
  Value eval(Runtime& rt, Frame& frame) const override { return apply(rt, frame, Value()); }
  Value apply(Runtime& rt, Frame& frame, const Value& block) const;  // block: given to the innermost filter
};
struct Test final : Expr {
  Expr* input = nullptr;
  const Str* name = nullptr;
  TestFn fn = nullptr;
  bool negated = false;
  CallArgs args;
  void children(const std::function<void(Node*)>& f) override { f(input), args.each(f); }
  Value eval(Runtime& rt, Frame& frame) const override;
};
struct Binary final : Expr {
  BinaryOp op{};
  Expr *left = nullptr, *right = nullptr;
  void children(const std::function<void(Node*)>& f) override { f(left), f(right); }
  Value eval(Runtime& rt, Frame& frame) const override;
};
enum class UnaryOp : uint8_t { negate, positive, logical_not };
struct Unary final : Expr {
  UnaryOp op{};
  Expr* operand = nullptr;
  void children(const std::function<void(Node*)>& f) override { f(operand); }
  Value eval(Runtime& rt, Frame& frame) const override;
};
struct Logic final : Expr {  // and, or
  bool is_and = false;
  Expr *left = nullptr, *right = nullptr;
  void children(const std::function<void(Node*)>& f) override { f(left), f(right); }
  Value eval(Runtime& rt, Frame& frame) const override;
};
enum class CompareOp : uint8_t { eq, ne, lt, le, gt, ge, in, not_in };
struct Compare final : Expr {  // a < b < c
  Expr* first = nullptr;
  Span<CompareOp> ops;
  Span<Expr*> rest;
  void children(const std::function<void(Node*)>& f) override {
    f(first);
    for (Expr* e : rest) f(e);
  }
  Value eval(Runtime& rt, Frame& frame) const override;
};
struct Concat final : Expr {  // a ~ b
  Span<Expr*> items;
  void children(const std::function<void(Node*)>& f) override { for (Expr* e : items) f(e); }
  Value eval(Runtime& rt, Frame& frame) const override;
};
struct Conditional final : Expr {
  Expr *test = nullptr, *yes = nullptr, *no = nullptr;  // no: may be null
  void children(const std::function<void(Node*)>& f) override {
    f(test), f(yes);
    if (no) f(no);
  }
  Value eval(Runtime& rt, Frame& frame) const override;
};

struct Block;
/// A compiled template.
struct Program {
  Arena arena{size_t{1} << 28};
  std::string source;
  std::vector<std::string> symbols;       // names of variables, by symbol
  std::vector<Value> globals;             // by symbol: what a rendering's context starts with
  std::vector<uint32_t> context_symbols;  // those that are read from the context
  std::vector<Block*> blocks;
  Body body;
  ScopeInfo scope;
  uint32_t slot_count = 0;
  const StackGuard* guard = nullptr;  // while compiling
  int64_t work = 20'000'000;          // steps left for compiling
  void step(size_t n) {
    guard->check();
    if ((work -= static_cast<int64_t>(n)) < 0) fail(Kind::limit, {"the template is too complicated"});
  }
};

/// Parses and resolves program.source. On Failure, line and column say where.
void compile(Program& program, uint32_t& line, uint32_t& column);
void resolve_program(Program& program);

}  // namespace transformers::jinja
