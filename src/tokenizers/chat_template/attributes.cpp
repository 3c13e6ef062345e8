// v.name, v[key], v[a:b:c] and calls, under the rules of jinja2's ImmutableSandboxedEnvironment.
#include <algorithm>

#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {
namespace {

bool has(std::initializer_list<std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
// v[key] of Python; false: TypeError or LookupError.
bool subscript(Runtime& rt, const Value& v, const Value& key, Value& out) {
  switch (v.tag) {
    case Tag::dict: {
      if (!hashable(rt, key)) return false;
      const Value* found = v.m->find(rt, key);
      if (found) out = *found;
      return found;
    }
    case Tag::list: case Tag::tuple: {
      if (!key.is_int()) return false;
      const int64_t n = static_cast<int64_t>(v.l->size), i = key.as_int() < 0 ? key.as_int() + n : key.as_int();
      if (i < 0 || i >= n) return false;
      out = v.l->items[i];
      return true;
    }
    case Tag::string: {
      if (!key.is_int()) return false;
      const int64_t n = static_cast<int64_t>(v.s->length), i = key.as_int() < 0 ? key.as_int() + n : key.as_int();
      if (i < 0 || i >= n) return false;
      size_t at = static_cast<size_t>(i);
      if (!v.s->ascii()) at = byte_offset(v.s->view(), at), rt.charge_bytes(at);
      const char *start = v.s->data + at, *p = start;
      decode(p);
      out = Value::of(static_cast<const Str*>(
          rt.arena.make<Str>(start, static_cast<size_t>(p - start), size_t{1}, v.s->markup, nullptr)));
      return true;
    }
    case Tag::object: return v.o->item(rt, key, out);
    default: return false;
  }
}
// A Python attribute of v, as far as the sandbox shows it. `unsafe` when it exists but is hidden.
bool attribute(Runtime& rt, const Value& v, std::string_view name, Value& out, bool& unsafe) {
  const bool group = v.is(Tag::tuple) && v.l->group;
  if (group && (name == "grouper" || name == "list")) {
    out = v.l->items[name == "list"];
    return true;
  }
  if (const Method* m = find_method(v.tag, name)) {
    out = Value::of(static_cast<Object*>(rt.arena.make<BoundMethod>(v, m)));
    return true;
  }
  if (v.is_number()) {
    const bool real = v.is(Tag::real);
    if (name == "real") return out = v.is(Tag::boolean) ? Value::of(v.as_int()) : v, true;
    if (name == "imag") return out = real ? Value::of(0.0) : Value::of(0), true;
    if (!real && name == "numerator") return out = v.is(Tag::boolean) ? Value::of(v.as_int()) : v, true;
    if (!real && name == "denominator") return out = Value::of(1), true;
  }
  if (v.is(Tag::object) && v.o->attribute(rt, name, out)) return true;
  unsafe = hidden_attribute(v, name);
  return unsafe;
}

}  // namespace

bool hidden_attribute(const Value& v, std::string_view name) {
  if (v.is(Tag::list))
    if (has({"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"}, name)) return true;
  if (v.is(Tag::dict))
    if (has({"clear", "pop", "popitem", "setdefault", "update"}, name)) return true;
  if (name.size() < 5 || name.substr(0, 2) != "__" || name.substr(name.size() - 2) != "__") return false;
  if (has({"__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__", "__getattribute__",
           "__getstate__", "__gt__", "__hash__", "__init__", "__init_subclass__", "__le__", "__lt__", "__ne__",
           "__new__", "__reduce__", "__reduce_ex__", "__repr__", "__setattr__", "__sizeof__", "__str__",
           "__subclasshook__"}, name))
    return true;
  const bool sized = v.is_string() || v.is_sequence() || v.is(Tag::dict) || v.is_undefined();
  if (sized && has({"__len__", "__iter__", "__contains__", "__getitem__", "__add__", "__mul__", "__rmul__"}, name))
    return !(v.is(Tag::dict) && has({"__add__", "__mul__", "__rmul__"}, name));
  if (v.is(Tag::list) && has({"__setitem__", "__delitem__", "__iadd__", "__imul__", "__reversed__"}, name)) return true;
  if (v.is(Tag::dict) && has({"__setitem__", "__delitem__", "__or__", "__ior__", "__ror__", "__reversed__"}, name))
    return true;
  if (v.is_number())
    return has({"__add__", "__sub__", "__mul__", "__truediv__", "__floordiv__", "__mod__", "__pow__", "__neg__",
                "__abs__", "__int__", "__float__", "__bool__", "__round__", "__pos__"}, name);
  if (v.is(Tag::object) && v.o->callable())
    return has({"__call__", "__globals__", "__code__", "__closure__", "__func__", "__self__", "__name__",
                "__qualname__", "__module__", "__dict__", "__defaults__", "__wrapped__"}, name);
  return v.is(Tag::object) && has({"__dict__", "__module__", "__iter__", "__next__", "__len__", "__getitem__"}, name);
}

Value get_attribute(Runtime& rt, const Value& v, const Str* name) {
  Value out;
  if (v.is_undefined()) {
    if (!v.u->security && hidden_attribute(v, name->view())) return rt.unsafe(v, Value::of(name));
    fail_undefined(rt, *v.u);
  }
  bool unsafe = false;
  if (attribute(rt, v, name->view(), out, unsafe)) return unsafe ? rt.unsafe(v, Value::of(name)) : out;
  if (subscript(rt, v, Value::of(name), out)) return out;
  return rt.undefined(v, Value::of(name));
}
Value get_item(Runtime& rt, const Value& v, const Value& key) {
  require_defined(rt, v);
  Value out;
  if (subscript(rt, v, key, out)) return out;
  bool unsafe = false;
  if (key.is_string() && attribute(rt, v, key.s->view(), out, unsafe)) return unsafe ? rt.unsafe(v, key) : out;
  return rt.undefined(v, key);
}

Value get_slice(Runtime& rt, const Value& v, const Value& start, const Value& stop, const Value& step) {
  require_defined(rt, v);
  auto* range = v.is(Tag::object) ? dynamic_cast<RangeObject*>(v.o) : nullptr;
  const auto* bytes = v.is(Tag::object) ? dynamic_cast<const Bytes*>(v.o) : nullptr;
  if (!v.is_string() && !v.is_sequence() && !range && !bytes)
    fail(Kind::type, {"'", type_name(v), "' object is not subscriptable by a slice"});
  if (step.is_int() && step.as_int() == 0) fail(Kind::value, {"slice step cannot be zero"});
  for (const Value* part : {&start, &stop, &step})
    if (!part->is_none() && !part->is_int() && !part->is(Tag::big))
      fail(Kind::type, {"slice indices must be integers or None or have an __index__ method"});
  const int64_t n = range ? range->length(rt) : bytes ? static_cast<int64_t>(bytes->data().size())
                    : v.is_string() ? static_cast<int64_t>(v.s->length) : static_cast<int64_t>(v.l->size);
  constexpr int64_t kFar = int64_t{1} << 40;
  const auto part = [&](const Value& x, int64_t absent) {
    return x.is_none() ? absent : std::clamp(index_of(rt, x, "slice"), -kFar, kFar);
  };
  const int64_t by = part(step, 1);
  const int64_t low = by < 0 ? -1 : 0, high = by < 0 ? n - 1 : n;
  const auto bound = [&](const Value& x, int64_t absent) {
    if (x.is_none()) return absent;
    const int64_t i = part(x, 0);
    return std::clamp(i < 0 ? i + n : i, low, high);
  };
  const int64_t from = bound(start, by < 0 ? high : low), to = bound(stop, by < 0 ? low : high);
  const int64_t count = by > 0 ? (to > from ? (to - from - 1) / by + 1 : 0) : (from > to ? (from - to - 1) / -by + 1 : 0);
  if (range) return Value::of(static_cast<Object*>(range->slice(rt, from, by, count)));
  rt.charge(static_cast<size_t>(count) / 16);
  if (v.is_string()) {
    const Str& s = *v.s;
    if (by == 1) {  // a view
      rt.charge_bytes(s.ascii() ? 0 : s.size);
      const size_t a = s.ascii() ? size_t(from) : byte_offset(s.view(), size_t(from));
      const size_t b = s.ascii() ? size_t(count) : byte_offset(s.view().substr(a), size_t(count));
      return Value::of(static_cast<const Str*>(
          rt.arena.make<Str>(s.data + a, b, static_cast<size_t>(count), s.markup, nullptr)));
    }
    std::string out;
    if (s.ascii()) {
      for (int64_t i = 0; i < count; ++i) out += s.data[from + i * by];
    } else {
      std::vector<uint32_t> points;
      for (const char *p = s.data, *end = p + s.size; p < end;) points.push_back(decode(p));
      rt.charge(points.size());
      for (int64_t i = 0; i < count; ++i) encode(out, points[static_cast<size_t>(from + i * by)]);
    }
    return rt.string(out, s.markup);
  }
  if (bytes) {
    std::string out;
    for (int64_t i = 0; i < count; ++i) out += bytes->data()[static_cast<size_t>(from + i * by)];
    return Value::of(static_cast<Object*>(rt.arena.make<Bytes>(rt.copy(make_valid(out))->view())));
  }
  const List* out;
  if (by == 1) {  // nothing changes a list: share its elements
    out = rt.arena.make<List>(v.l->items + from, static_cast<size_t>(count));
  } else {
    Value* items = rt.arena.array<Value>(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) items[i] = v.l->items[from + i * by];
    out = rt.arena.make<List>(items, static_cast<size_t>(count));
  }
  return v.is(Tag::tuple) ? Value::tuple(out) : Value::list(out);
}

Value call_value(Runtime& rt, const Value& callee, const Args& args) {
  rt.check_stack(), rt.charge(1);
  require_defined(rt, callee);
  if (!callee.is(Tag::object)) fail(Kind::type, {"'", type_name(callee), "' object is not callable"});
  return callee.o->call(rt, args);
}

}  // namespace transformers::jinja
