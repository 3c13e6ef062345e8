// Evaluating calls, filters and tests.
#include "tokenizers/chat_template/ast.h"
#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {

Args CallArgs::eval(Runtime& rt, Frame& frame, const Keyword* extra) const {
  if (items.empty() && named.empty() && !star && !star_star && !extra) return {};
  rt.charge(items.size + named.size);
  std::vector<Value> starred;
  Span<Value> positional{rt.arena.array<Value>(items.size), items.size};
  for (size_t i = 0; i < items.size; ++i) positional[i] = items[i]->eval(rt, frame);
  if (star) {
    starred.assign(positional.begin(), positional.end());
    for (const Value& v : collect(rt, star->eval(rt, frame))) starred.push_back(v);
    positional = to_span(rt.arena, starred);
  }
  std::vector<Keyword> keywords;
  const auto add = [&](const Str* name, const Value& v) {
    rt.charge(1 + keywords.size() / 4);
    for (const Keyword& k : keywords)
      if (k.name->view() == name->view())
        fail(Kind::type, {"got multiple values for keyword argument '", name->view(), "'"});
    keywords.push_back({name, v});
  };
  for (size_t i = 0; i < named.size; ++i) add(names[i], named[i]->eval(rt, frame));
  if (star_star) {
    const Value map = star_star->eval(rt, frame);
    require_defined(rt, map);
    const Dict* d = map.is(Tag::dict) ? map.m : map.is(Tag::object) ? map.o->as_mapping() : nullptr;
    if (!d) fail(Kind::type, {"argument after ** must be a mapping, not ", type_name(map)});
    for (const Dict::Entry& e : *d) {
      if (!e.key.is_string()) fail(Kind::type, {"keywords must be strings"});
      add(e.key.s, e.value);
    }
  }
  if (extra) add(extra->name, extra->value);
  const Span<Keyword> kept = to_span(rt.arena, keywords);
  return {positional.items, positional.size, kept.items, kept.size};
}

Value Call::call(Runtime& rt, Frame& frame, const Keyword* extra) const {
  rt.check_stack(), rt.charge(2);
  if (attribute) {  // a method of a built-in type needs no bound object
    const Value self = attribute->object->eval(rt, frame);
    rt.where = attribute;
    if (const Method* m = attribute->method(self)) {
      const Args a = args.eval(rt, frame, extra);
      rt.where = this;
      return m->fn(rt, self, a);
    }
    const Value f = get_attribute(rt, self, attribute->name);
    const Args a = args.eval(rt, frame, extra);
    rt.where = this;
    return call_value(rt, f, a);
  }
  const Value f = callee->eval(rt, frame);
  const Args a = args.eval(rt, frame, extra);
  rt.where = this;
  return call_value(rt, f, a);
}

Value Filter::apply(Runtime& rt, Frame& frame, const Value& block) const {
  rt.check_stack(), rt.charge(2);
  Value in = block;
  if (input) {
    // Only the innermost of a chain in a filter block has no input of its own.
    const auto* inner = block.is_missing() ? nullptr : dynamic_cast<const Filter*>(input);
    in = inner ? inner->apply(rt, frame, block) : input->eval(rt, frame);
  }
  const Args a = args.eval(rt, frame);
  rt.where = this;
  if (!fn) fail(Kind::runtime, {"No filter named '", name->view(), "' found."});
  return fn(rt, in, a);
}
Value Test::eval(Runtime& rt, Frame& frame) const {
  rt.check_stack(), rt.charge(2);
  const Value in = input->eval(rt, frame);
  const Args a = args.eval(rt, frame);
  rt.where = this;
  if (!fn) fail(Kind::runtime, {"No test named '", name->view(), "' found."});
  return Value::of(fn(rt, in, a) != negated);
}

}  // namespace transformers::jinja
