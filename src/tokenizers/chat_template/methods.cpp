// Methods of dict, list, tuple and numbers that do not change them.
#include <algorithm>
#include <cmath>

#include "tokenizers/chat_template/bigint.h"
#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {
namespace {

template <ViewKind K>
Value view(Runtime& rt, const Value& self, const Args& args) {
  positional("dict method", args, 0, 0);
  return Value::of(static_cast<Object*>(rt.arena.make<DictView>(self.m, K)));
}
Value dict_get(Runtime& rt, const Value& self, const Args& args) {
  positional("get", args, 1, 2);
  const Value* v = self.m->find(rt, args.items[0]);
  return v ? *v : args.size > 1 ? args.items[1] : Value::none();
}
Value self_copy(Runtime&, const Value& self, const Args& args) {
  positional("copy", args, 0, 0);
  return self;  // nothing can change it
}
Value dict_fromkeys(Runtime& rt, const Value&, const Args& args) {
  positional("fromkeys", args, 1, 2);
  Dict* d = rt.arena.make<Dict>();
  for (const Value& k : collect(rt, args.items[0])) d->set(rt, k, args.size > 1 ? args.items[1] : Value::none());
  return Value::of(static_cast<const Dict*>(d));
}
Value list_index(Runtime& rt, const Value& self, const Args& args) {
  positional("index", args, 1, 3);
  const int64_t n = static_cast<int64_t>(self.l->size);
  const auto bound = [&](size_t i, int64_t absent) {
    if (i >= args.size) return absent;
    const int64_t v = index_of(rt, args.items[i], "index");
    return std::clamp<int64_t>(v < 0 ? (v < -n ? 0 : v + n) : v, 0, n);
  };
  const int64_t to = bound(2, n);
  rt.charge(self.l->size);
  for (int64_t i = bound(1, 0); i < to; ++i)
    if (equal(rt, self.l->items[i], args.items[0])) return Value::of(i);
  std::string what;
  append_repr(rt, what, args.items[0]);
  fail(Kind::value, {what, " is not in ", type_name(self)});
}
Value list_count(Runtime& rt, const Value& self, const Args& args) {
  positional("count", args, 1, 1);
  rt.charge(self.l->size);
  return Value::of(static_cast<int64_t>(
      std::count_if(self.l->begin(), self.l->end(), [&](const Value& v) { return equal(rt, v, args.items[0]); })));
}
Value is_integer(Runtime&, const Value& self, const Args& args) {
  positional("is_integer", args, 0, 0);
  return Value::of(!self.is(Tag::real) || (std::isfinite(self.d) && self.d == std::floor(self.d)));
}
Value bit_length(Runtime&, const Value& self, const Args& args) {
  positional("bit_length", args, 0, 0);
  const Big b(self);
  return Value::of(b.zero() ? size_t{0} : b.limbs.size() * 32 - static_cast<size_t>(__builtin_clz(b.limbs.back())));
}
Value conjugate(Runtime& rt, const Value& self, const Args& args) {
  positional("conjugate", args, 0, 0);
  return positive(rt, self);
}
Value integer_ratio(Runtime& rt, const Value& self, const Args& args) {
  positional("as_integer_ratio", args, 0, 0);
  if (!self.is(Tag::real)) return rt.tuple({positive(rt, self), Value::of(1)});
  Value top = float_to_int(rt, self.d), bottom = Value::of(1);
  for (double d = self.d; d != std::floor(d);) {
    d *= 2, bottom = binary(rt, BinaryOp::mul, bottom, Value::of(2));
    top = float_to_int(rt, d);
  }
  return rt.tuple({top, bottom});
}

constexpr Method kDict[] = {{"copy", self_copy}, {"fromkeys", dict_fromkeys}, {"get", dict_get},
                            {"items", view<ViewKind::items>}, {"keys", view<ViewKind::keys>},
                            {"values", view<ViewKind::values>}};
constexpr Method kList[] = {{"copy", self_copy}, {"count", list_count}, {"index", list_index}};
constexpr Method kNumber[] = {{"as_integer_ratio", integer_ratio}, {"bit_length", bit_length},
                              {"conjugate", conjugate}, {"is_integer", is_integer}};

template <size_t N>
const Method* find(const Method (&methods)[N], std::string_view name) {
  for (const Method& m : methods)
    if (m.name == name) return &m;
  return nullptr;
}

}  // namespace

const Method* find_dict_method(std::string_view name) { return find(kDict, name); }
const Method* find_list_method(std::string_view name) { return find(kList, name); }
const Method* find_number_method(std::string_view name) { return find(kNumber, name); }

const Method* find_method(Tag tag, std::string_view name) {
  switch (tag) {
    case Tag::string: return find_str_method(name);
    case Tag::dict: return find_dict_method(name);
    case Tag::list: return find_list_method(name);
    case Tag::tuple: return name == "copy" ? nullptr : find_list_method(name);
    case Tag::boolean: case Tag::integer: case Tag::big: return name == "is_integer" ? nullptr : find_number_method(name);
    case Tag::real: return name == "bit_length" ? nullptr : find_number_method(name);
    default: return nullptr;
  }
}

}  // namespace transformers::jinja
