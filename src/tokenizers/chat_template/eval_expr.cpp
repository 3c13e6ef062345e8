// Evaluating expressions other than calls.
#include "tokenizers/chat_template/ast.h"
#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {

Value Sequence::eval(Runtime& rt, Frame& frame) const {
  rt.check_stack(), rt.charge(1 + items.size);
  Span<Value> out{rt.arena.array<Value>(items.size), items.size};
  for (size_t i = 0; i < items.size; ++i) out[i] = items[i]->eval(rt, frame);
  const List* l = rt.arena.make<List>(out.items, out.size);
  return tuple ? Value::tuple(l) : Value::list(l);
}
Value DictLiteral::eval(Runtime& rt, Frame& frame) const {
  rt.check_stack(), rt.charge(1 + keys.size);
  Dict* d = rt.arena.make<Dict>();
  for (size_t i = 0; i < keys.size; ++i) {
    const Value key = keys[i]->eval(rt, frame), value = values[i]->eval(rt, frame);
    rt.where = this;
    d->set(rt, key, value);
  }
  return Value::of(static_cast<const Dict*>(d));
}
const Method* GetAttr::method(const Value& v) const {
  switch (v.tag) {
    case Tag::string: return str_method;
    case Tag::dict: return dict_method;
    case Tag::list: case Tag::tuple: return v.l->group ? nullptr : list_method;
    default: return nullptr;
  }
}
Value GetAttr::eval(Runtime& rt, Frame& frame) const {
  rt.check_stack(), rt.charge(1);
  const Value v = object->eval(rt, frame);
  if (v.is(Tag::dict) && dict_key) {
    const Value* found = v.m->find(name->view());
    return found ? *found : rt.undefined(v, Value::of(name));
  }
  rt.where = this;
  return get_attribute(rt, v, name);
}
Value GetItem::eval(Runtime& rt, Frame& frame) const {
  rt.check_stack(), rt.charge(1);
  const Value v = object->eval(rt, frame), k = key->eval(rt, frame);
  rt.where = this;
  return get_item(rt, v, k);
}
Value GetSlice::eval(Runtime& rt, Frame& frame) const {
  rt.check_stack(), rt.charge(1);
  const Value v = object->eval(rt, frame);
  const auto part = [&](const Expr* e) { return e ? e->eval(rt, frame) : Value::none(); };
  const Value a = part(start), b = part(stop), c = part(step);
  rt.where = this;
  return get_slice(rt, v, a, b, c);
}
Value Binary::eval(Runtime& rt, Frame& frame) const {
  rt.check_stack(), rt.charge(1);
  const Value a = left->eval(rt, frame), b = right->eval(rt, frame);
  rt.where = this;
  return binary(rt, op, a, b);
}
Value Unary::eval(Runtime& rt, Frame& frame) const {
  rt.check_stack(), rt.charge(1);
  const Value v = operand->eval(rt, frame);
  rt.where = this;
  if (op == UnaryOp::logical_not) return Value::of(!truthy(rt, v));
  return op == UnaryOp::negate ? negate(rt, v) : positive(rt, v);
}
Value Logic::eval(Runtime& rt, Frame& frame) const {
  rt.check_stack(), rt.charge(1);
  const Value v = left->eval(rt, frame);
  rt.where = this;
  return truthy(rt, v) == is_and ? right->eval(rt, frame) : v;
}
Value Compare::eval(Runtime& rt, Frame& frame) const {
  rt.check_stack(), rt.charge(1);
  Value a = first->eval(rt, frame);
  for (size_t i = 0; i < ops.size; ++i) {
    const Value b = rest[i]->eval(rt, frame);
    rt.where = this;
    bool ok = false;
    switch (ops[i]) {
      case CompareOp::eq: ok = equal(rt, a, b); break;
      case CompareOp::ne: ok = !equal(rt, a, b); break;
      case CompareOp::lt: ok = ordered(rt, "<", a, b); break;
      case CompareOp::le: ok = ordered(rt, "<=", a, b); break;
      case CompareOp::gt: ok = ordered(rt, ">", a, b); break;
      case CompareOp::ge: ok = ordered(rt, ">=", a, b); break;
      case CompareOp::in: ok = contains(rt, b, a); break;
      case CompareOp::not_in: ok = !contains(rt, b, a); break;
    }
    if (!ok) return Value::of(false);
    a = b;
  }
  return Value::of(true);
}
Value Concat::eval(Runtime& rt, Frame& frame) const {
  rt.check_stack(), rt.charge(items.size);
  Span<Value> values{rt.arena.array<Value>(items.size), items.size};
  bool markup = rt.autoescape;
  for (size_t i = 0; i < items.size; ++i) {
    values[i] = items[i]->eval(rt, frame);
    markup |= values[i].is_string() && values[i].s->markup;
  }
  rt.where = this;
  const auto part = [&](const Value& v) { return markup ? escape(rt, v) : to_str(rt, v); };
  const Str* out = part(values[0]);
  for (size_t i = 1; i < values.size; ++i) out = rt.concat(out, part(values[i]));
  return Value::of(out);
}
Value Conditional::eval(Runtime& rt, Frame& frame) const {
  rt.check_stack(), rt.charge(1);
  const bool chosen = truthy(rt, test->eval(rt, frame));
  if (chosen) return yes->eval(rt, frame);
  if (no) return no->eval(rt, frame);
  rt.where = this;
  return rt.undefined_hint("the inline if-expression evaluated to false and no else section was defined.");
}

}  // namespace transformers::jinja
