// Statements other than for. Reference: the code that jinja2/compiler.py writes, and Macro of jinja2/runtime.py.
#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {

void TupleTarget::assign(Runtime& rt, Frame& frame, const Value& value) const {
  const std::vector<Value> values = collect(rt, value);
  if (values.size() > items.size) fail(Kind::value, {"too many values to unpack (expected ", items.size, ")"});
  if (values.size() < items.size)
    fail(Kind::value, {"not enough values to unpack (expected ", items.size, ", got ", values.size(), ")"});
  for (size_t i = 0; i < items.size; ++i) items[i]->assign(rt, frame, values[i]);
}
void NamespaceTarget::assign(Runtime& rt, Frame& frame, const Value& value) const {
  const Value ns = object->eval(rt, frame);
  rt.where = this;
  if (!ns.is(Tag::object) || !ns.o->set_attribute(rt, Value::of(attribute), value))
    fail(Kind::runtime, {"cannot assign attribute on non-namespace object"});
}

Flow If::exec(Runtime& rt, Frame& frame) const {
  for (const Branch& b : branches) {
    if (!b.test) return b.body.exec(rt, frame);
    rt.charge(1);
    if (truthy(rt, b.test->eval(rt, frame))) return b.body.exec(rt, frame);
  }
  return Flow::normal;
}
Flow AssignBlock::exec(Runtime& rt, Frame& frame) const {
  rt.check_stack();
  scope.enter(rt, frame);
  const size_t start = rt.begin_capture();
  body.exec(rt, frame);
  Value v = rt.end_capture(start, rt.autoescape);
  if (filter) v = filter->apply(rt, frame, v);
  target->assign(rt, frame, v);
  return Flow::normal;
}
Flow FilterBlock::exec(Runtime& rt, Frame& frame) const {
  rt.check_stack();
  scope.enter(rt, frame);
  const size_t start = rt.begin_capture();
  const Flow flow = body.exec(rt, frame);
  const Value text = rt.end_capture(start, rt.autoescape);
  if (flow != Flow::normal) return flow;  // as in the reference, break and continue lose the text
  rt.print(filter->apply(rt, frame, text));
  return Flow::normal;
}
Flow With::exec(Runtime& rt, Frame& frame) const {
  rt.check_stack();
  std::vector<Value> given;
  for (const Expr* e : values) given.push_back(e->eval(rt, frame));
  scope.enter(rt, frame);
  for (size_t i = 0; i < targets.size; ++i) targets[i]->assign(rt, frame, given[i]);
  return body.exec(rt, frame);
}
Flow Autoescape::exec(Runtime& rt, Frame& frame) const {
  rt.check_stack();
  const bool before = rt.autoescape;
  rt.autoescape = truthy(rt, value->eval(rt, frame));
  scope.enter(rt, frame);
  const Flow flow = body.exec(rt, frame);
  rt.autoescape = before;
  return flow;
}

void Block::run(Runtime& rt) const {
  rt.check_stack();
  Frame& own = *rt.arena.make<Frame>(rt.arena.array<Value>(slot_count), nullptr);
  scope.enter(rt, own);
  body.exec(rt, own);
}
Flow Block::exec(Runtime& rt, Frame&) const {
  rt.where = this;
  if (required) fail(Kind::runtime, {"Required block '", name->view(), "' not found"});
  run(rt);
  return Flow::normal;
}
Value BlockReference::call(Runtime& rt, const Args& args) {
  positional("block", args, 0, 0);
  const size_t start = rt.begin_capture();
  block_->run(rt);
  return rt.end_capture(start, rt.autoescape);
}
bool TemplateReference::item(Runtime& rt, const Value& key, Value& out) {
  if (!key.is_string()) return false;
  for (const Block* b : rt.program.blocks)
    if (b->name->view() == key.s->view()) {
      out = Value::of(static_cast<Object*>(rt.arena.make<BlockReference>(b)));
      return true;
    }
  return false;
}

Flow MacroStmt::exec(Runtime& rt, Frame& frame) const {
  target->assign(rt, frame, Value::of(static_cast<Object*>(rt.arena.make<Macro>(function, &frame))));
  return Flow::normal;
}
Flow CallBlock::exec(Runtime& rt, Frame& frame) const {
  static constexpr Str kCaller{"caller", 6, 6};
  const Keyword caller{&kCaller, Value::of(static_cast<Object*>(rt.arena.make<Macro>(function, &frame)))};
  rt.print(call->call(rt, frame, &caller));
  return Flow::normal;
}
Flow Generation::exec(Runtime& rt, Frame& frame) const {
  Macro body(function, &frame);
  const Value text = body.call(rt, {});
  rt.record_span(text.s->length);
  rt.print(text);
  return Flow::normal;
}
Flow NoLoader::exec(Runtime& rt, Frame& frame) const {
  name->eval(rt, frame);
  rt.where = this;
  fail(Kind::type, {"no loader for this environment specified"});
}

void Macro::repr(Runtime&, std::string& out) const {
  if (function_.name) out += "<Macro ", append_string_repr(out, function_.name->view()), out += ">";
  else out += "<Macro anonymous>";
}
bool Macro::attribute(Runtime& rt, std::string_view name, Value& out) {
  if (name == "name") out = function_.name ? Value::of(function_.name) : Value::none();
  else if (name == "catch_kwargs") out = Value::of(function_.uses_kwargs);
  else if (name == "catch_varargs") out = Value::of(function_.uses_varargs);
  else if (name == "caller") out = Value::of(function_.uses_caller);
  else if (name == "explicit_caller") out = Value::of(function_.explicit_caller);
  else if (name == "arguments") {
    std::vector<Value> names;
    for (const Function::Parameter& p : function_.parameters) names.push_back(Value::of(p.name));
    out = rt.tuple(names);
  } else return false;
  return true;
}
Value Macro::call(Runtime& rt, const Args& args) {
  rt.check_stack(), rt.charge(4);
  const Function& f = function_;
  const std::string_view name = f.name ? f.name->view() : "None";
  // In the arena: a macro defined in there may outlive the call.
  Frame& frame = *rt.arena.make<Frame>(rt.arena.array<Value>(f.slot_count), outer_);
  f.scope.enter(rt, frame);
  std::vector<bool> used(args.keyword_count, false);
  const auto keyword = [&](std::string_view key) {
    for (size_t k = 0; k < args.keyword_count; ++k)
      if (!used[k] && args.keywords[k].name->view() == key) {
        used[k] = true;
        return args.keywords[k].value;
      }
    return Value();
  };
  const size_t count = f.parameters.size;
  for (size_t i = 0; i < count; ++i)
    f.parameters[i].slot.in(frame) = i < args.size ? args.items[i] : keyword(f.parameters[i].name->view());
  if (f.uses_caller && !f.explicit_caller) {
    const Value caller = keyword("caller");
    f.caller.in(frame) = caller.is_missing() || caller.is_none() ? rt.undefined_hint("No caller defined") : caller;
  }
  if (f.uses_kwargs) {
    Dict* rest = rt.arena.make<Dict>();
    for (size_t k = 0; k < args.keyword_count; ++k)
      if (!used[k]) rest->set(rt, Value::of(args.keywords[k].name), args.keywords[k].value);
    f.kwargs.in(frame) = Value::of(static_cast<const Dict*>(rest));
  } else {
    for (size_t k = 0; k < args.keyword_count; ++k)
      if (!used[k])
        fail(Kind::type, {"macro '", name, "' takes no keyword argument '", args.keywords[k].name->view(), "'"});
  }
  if (f.uses_varargs) {
    const size_t from = std::min(count, args.size);
    f.varargs.in(frame) = Value::tuple(rt.arena.make<List>(args.items + from, args.size - from));
  } else if (args.size > count) {
    fail(Kind::type, {"macro '", name, "' takes not more than ", count, " argument(s)"});
  }
  for (const Function::Parameter& p : f.parameters) {
    if (!p.slot.in(frame).is_missing()) continue;
    p.slot.in(frame) = p.fallback ? p.fallback->eval(rt, frame)
                                  : rt.undefined_hint(rt.copy(cat({"parameter '", p.name->view(), "' was not provided", std::string(1, '\0')}))->data);
  }
  const size_t start = rt.begin_capture();
  f.body.exec(rt, frame);
  return rt.end_capture(start, rt.autoescape);
}

}  // namespace transformers::jinja
