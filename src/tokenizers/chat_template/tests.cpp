// Tests (`x is name`). Reference: jinja2/tests.py.
#include <iterator>

#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {
namespace {

Value argument(const char* who, const Args& args) {
  const auto [other] = bind(who, args, {"other"}, 1);
  return other;
}
template <bool (*F)(const Value&)>
bool plain(Runtime&, const Value& v, const Args& args) {
  no_arguments("test", args);
  return F(v);
}
template <char A, char B>
bool order(Runtime& rt, const Value& v, const Args& args) {
  static constexpr char kOp[3] = {A, B, 0};
  return ordered(rt, kOp, v, argument("test", args));
}
bool eq(Runtime& rt, const Value& v, const Args& args) { return equal(rt, v, argument("eq", args)); }
bool ne(Runtime& rt, const Value& v, const Args& args) { return !equal(rt, v, argument("ne", args)); }
bool in(Runtime& rt, const Value& v, const Args& args) { return contains(rt, argument("in", args), v); }
bool odd(Runtime& rt, const Value& v, const Args& args) {
  no_arguments("odd", args);
  return equal(rt, binary(rt, BinaryOp::mod, v, Value::of(2)), Value::of(1));
}
bool even(Runtime& rt, const Value& v, const Args& args) {
  no_arguments("even", args);
  return equal(rt, binary(rt, BinaryOp::mod, v, Value::of(2)), Value::of(0));
}
bool divisible(Runtime& rt, const Value& v, const Args& args) {
  const auto [num] = bind("divisibleby", args, {"num"}, 1);
  return equal(rt, binary(rt, BinaryOp::mod, v, num), Value::of(0));
}
bool is_upper_text(Runtime& rt, const Value& v, const Args& args) {
  no_arguments("is_upper_text", args);
  return find_str_method("isupper")->fn(rt, Value::of(to_str(rt, v)), {}).b;
}
bool is_lower_text(Runtime& rt, const Value& v, const Args& args) {
  no_arguments("is_lower_text", args);
  return find_str_method("islower")->fn(rt, Value::of(to_str(rt, v)), {}).b;
}
bool same(Runtime&, const Value& v, const Args& args) {
  const Value o = argument("sameas", args);
  if (v.tag != o.tag) return false;
  switch (v.tag) {
    case Tag::boolean: return v.b == o.b;
    case Tag::integer: return v.i == o.i;
    case Tag::real: return v.d == o.d;
    case Tag::string: return v.s == o.s || v.s->view() == o.s->view();
    case Tag::none: return true;
    default: return v.s == o.s;  // the same payload
  }
}
bool iterable_test(Runtime& rt, const Value& v, const Args& args) {
  no_arguments("iterable_test", args);
  return iterable(v) || (v.is(Tag::object) && v.o->iterate(rt));
}
bool sequence(Runtime&, const Value& v, const Args& args) {
  no_arguments("sequence", args);
  return v.is_string() || v.is_sequence() || v.is(Tag::dict) || (v.is(Tag::object) && v.o->is_sequence());
}
bool filter(Runtime&, const Value& v, const Args& args) {
  no_arguments("filter", args);
  return v.is_string() && find_filter(v.s->view());
}
bool test(Runtime&, const Value& v, const Args& args) {
  no_arguments("test", args);
  return v.is_string() && find_test(v.s->view());
}

bool defined(const Value& v) { return !v.is_undefined(); }
bool undefined(const Value& v) { return v.is_undefined(); }
bool none(const Value& v) { return v.is_none(); }
bool boolean(const Value& v) { return v.is(Tag::boolean); }
bool is_true(const Value& v) { return v.is(Tag::boolean) && v.b; }
bool is_false(const Value& v) { return v.is(Tag::boolean) && !v.b; }
bool integer(const Value& v) { return v.is(Tag::integer) || v.is(Tag::big); }
bool real(const Value& v) { return v.is(Tag::real); }
bool number(const Value& v) { return v.is_number(); }
bool string(const Value& v) { return v.is_string(); }
bool mapping(const Value& v) { return v.is(Tag::dict); }
bool callable(const Value& v) { return v.is_undefined() || (v.is(Tag::object) && v.o->callable()); }
bool escaped(const Value& v) { return v.is_string() && v.s->markup; }

struct NamedTest { const char* name; TestFn fn; };
constexpr NamedTest kTests[] = {
    {"!=", ne}, {"<", order<'<', 0>}, {"<=", order<'<', '='>}, {"==", eq}, {">", order<'>', 0>},
    {">=", order<'>', '='>}, {"boolean", plain<boolean>}, {"callable", plain<callable>}, {"defined", plain<defined>},
    {"divisibleby", divisible}, {"eq", eq}, {"equalto", eq}, {"escaped", plain<escaped>}, {"even", even},
    {"false", plain<is_false>}, {"filter", filter}, {"float", plain<real>}, {"ge", order<'>', '='>},
    {"greaterthan", order<'>', 0>}, {"gt", order<'>', 0>}, {"in", in}, {"integer", plain<integer>},
    {"iterable", iterable_test}, {"le", order<'<', '='>}, {"lessthan", order<'<', 0>}, {"lower", is_lower_text},
    {"lt", order<'<', 0>}, {"mapping", plain<mapping>}, {"ne", ne}, {"none", plain<none>},
    {"number", plain<number>}, {"odd", odd}, {"sameas", same}, {"sequence", sequence}, {"string", plain<string>},
    {"test", test}, {"true", plain<is_true>}, {"undefined", plain<undefined>}, {"upper", is_upper_text}};

}  // namespace

TestFn find_test(std::string_view name) {
  for (const NamedTest& t : kTests)
    if (t.name == name) return t.fn;
  return nullptr;
}

}  // namespace transformers::jinja
