// Values: types, truth, hashing, equality, order, iteration. Reference: CPython's data model.
#include "tokenizers/chat_template/value.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "tokenizers/chat_template/bigint.h"
#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {

const char* type_name(const Value& v) {
  switch (v.tag) {
    case Tag::missing: case Tag::undefined: return "Undefined";
    case Tag::none: return "NoneType";
    case Tag::boolean: return "bool";
    case Tag::integer: case Tag::big: return "int";
    case Tag::real: return "float";
    case Tag::string: return v.s->markup ? "Markup" : "str";
    case Tag::list: return "list";
    case Tag::tuple: return "tuple";
    case Tag::dict: return "dict";
    case Tag::object: return v.o->type_name();
  }
  return "object";
}

bool truthy(Runtime& rt, const Value& v) {
  switch (v.tag) {
    case Tag::missing: case Tag::none: case Tag::undefined: return false;
    case Tag::boolean: return v.b;
    case Tag::integer: return v.i != 0;
    case Tag::big: return true;
    case Tag::real: return v.d != 0;
    case Tag::string: return v.s->size > 0;
    case Tag::list: case Tag::tuple: return v.l->size > 0;
    case Tag::dict: return v.m->size > 0;
    case Tag::object: return v.o->truthy(rt);
  }
  return false;
}

void fail_undefined(Runtime& rt, const Undefined& u) {
  if (u.security) {
    std::string name;
    append_str(rt, name, u.key);
    fail(Kind::security, {"access to attribute '", name, "' of '", type_name(u.owner), "' object is unsafe."});
  }
  if (u.hint) fail(Kind::undefined, {u.hint});
  std::string key;
  append_repr(rt, key, u.key);
  if (u.owner.is_missing()) fail(Kind::undefined, {key, " is undefined"});
  const std::string owner = u.owner.is_none() ? "None" : cat({type_name(u.owner), " object"});
  if (!u.key.is_string()) fail(Kind::undefined, {owner, " has no element ", key});
  fail(Kind::undefined, {"'", owner, "' has no attribute ", key});
}

bool hashable(Runtime& rt, const Value& v) {
  if (v.is(Tag::tuple)) {
    rt.check_stack();
    return std::all_of(v.l->begin(), v.l->end(), [&rt](const Value& x) { return hashable(rt, x); });
  }
  return !v.is(Tag::list) && !v.is(Tag::dict);
}
size_t hash(Runtime& rt, const Value& v) {
  const auto mix = [](uint64_t x) { return static_cast<size_t>((x ^ x >> 29) * 0x9E3779B97F4A7C15u >> 7); };
  switch (v.tag) {
    case Tag::missing: case Tag::none: return 1;
    case Tag::undefined: return 2;
    case Tag::boolean: case Tag::integer: return mix(static_cast<uint64_t>(v.as_int()));
    case Tag::real:
      if (v.d == std::floor(v.d) && std::fabs(v.d) < 9e18) return mix(static_cast<uint64_t>(static_cast<int64_t>(v.d)));
      return std::hash<double>{}(v.d);
    case Tag::big: return std::hash<double>{}(Big(v).to_double());
    case Tag::string: return std::hash<std::string_view>{}(v.s->view());
    case Tag::tuple: {
      rt.check_stack();
      size_t h = v.l->size;
      for (const Value& x : *v.l) h = mix(h * 31 + hash(rt, x));
      return h;
    }
    case Tag::list: case Tag::dict: fail(Kind::type, {"unhashable type: '", type_name(v), "'"});
    case Tag::object: return std::hash<const void*>{}(v.o);
  }
  return 0;
}

bool equal(Runtime& rt, const Value& a, const Value& b) {
  if (a.is_string() && b.is_string()) {
    if (a.s->size != b.s->size) return false;
    rt.charge_bytes(a.s->size);
    return a.s->view() == b.s->view();
  }
  if (a.is_number() && b.is_number()) {
    if (a.is_int() && b.is_int()) return a.as_int() == b.as_int();
    if (a.is(Tag::real) && b.is(Tag::real)) return a.d == b.d;
    if (!a.is(Tag::real) && !b.is(Tag::real)) return compare(Big(a), Big(b)) == 0;
    const Value &real = a.is(Tag::real) ? a : b, &whole = a.is(Tag::real) ? b : a;
    if (!std::isfinite(real.d) || real.d != std::floor(real.d)) return false;
    return compare(Big::from_double(real.d), Big(whole)) == 0;
  }
  if (a.tag != b.tag) return false;
  rt.check_stack(), rt.charge(1);
  switch (a.tag) {
    case Tag::list: case Tag::tuple:
      if (a.l == b.l) return true;
      if (a.l->size != b.l->size) return false;
      for (size_t i = 0; i < a.l->size; ++i)
        if (!equal(rt, a.l->items[i], b.l->items[i])) return false;
      return true;
    case Tag::dict:
      if (a.m == b.m) return true;
      if (a.m->size != b.m->size) return false;
      for (const Dict::Entry& e : *a.m) {
        const Value* other = b.m->find(rt, e.key);
        if (!other || !equal(rt, e.value, *other)) return false;
      }
      return true;
    case Tag::object: return a.o == b.o || a.o->equals(rt, *b.o);
    default: return true;  // none, undefined
  }
}

namespace {
// -1, 0, 1, or 2 when not ordered (nan).
int compare_numbers(const Value& a, const Value& b) {
  if (a.is_int() && b.is_int()) return a.as_int() < b.as_int() ? -1 : a.as_int() > b.as_int();
  if (a.is(Tag::real) && b.is(Tag::real)) return a.d < b.d ? -1 : a.d > b.d ? 1 : a.d == b.d ? 0 : 2;
  if (!a.is(Tag::real) && !b.is(Tag::real)) return compare(Big(a), Big(b));
  const bool flip = b.is(Tag::real);
  const double d = flip ? b.d : a.d;
  if (std::isnan(d)) return 2;
  int c;
  if (std::isinf(d)) {
    c = d < 0 ? -1 : 1;
  } else {
    const double low = std::floor(d);
    c = compare(Big::from_double(low), Big(flip ? a : b));
    if (c == 0 && d > low) c = 1;
  }
  return flip ? -c : c;
}
int compare_values(Runtime& rt, const char* op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.is_string() && b.is_string()) {
    rt.charge_bytes(std::min(a.s->size, b.s->size));
    const int c = a.s->view().compare(b.s->view());
    return c < 0 ? -1 : c > 0;
  }
  require_defined(rt, a), require_defined(rt, b);
  if (a.is_sequence() && a.tag == b.tag) {
    rt.check_stack();
    for (size_t i = 0; i < a.l->size && i < b.l->size; ++i)
      if (!equal(rt, a.l->items[i], b.l->items[i])) return compare_values(rt, op, a.l->items[i], b.l->items[i]);
    return a.l->size < b.l->size ? -1 : a.l->size > b.l->size;
  }
  fail(Kind::type, {"'", op, "' not supported between instances of '", type_name(a), "' and '", type_name(b), "'"});
}
}  // namespace

bool less(Runtime& rt, const Value& a, const Value& b) { return compare_values(rt, "<", a, b) == -1; }
bool ordered(Runtime& rt, const char* op, const Value& a, const Value& b) {
  const int c = compare_values(rt, op, a, b);
  if (c == 2) return false;
  const bool equals = op[1] == '=';
  return (c == 0 && equals) || (op[0] == '<' ? c < 0 : c > 0);
}

bool contains(Runtime& rt, const Value& container, const Value& item) {
  switch (container.tag) {
    case Tag::undefined: return false;
    case Tag::string:
      if (!item.is_string()) {
        require_defined(rt, item);
        fail(Kind::type, {"'in <string>' requires string as left operand, not ", type_name(item)});
      }
      rt.charge_bytes(container.s->size);
      return find_text(container.s->view(), item.s->view()) != std::string_view::npos;
    case Tag::list: case Tag::tuple:
      rt.charge(container.l->size);
      for (const Value& v : *container.l)
        if (equal(rt, v, item)) return true;
      return false;
    case Tag::dict: return container.m->find(rt, item) != nullptr;
    case Tag::object: return container.o->contains(rt, item);
    default: fail(Kind::type, {"argument of type '", type_name(container), "' is not iterable"});
  }
}

// ---- Dict

namespace {
inline bool same_text(const Str& a, std::string_view b) {
  return a.size == b.size() && (b.empty() || (a.data[0] == b[0] && std::memcmp(a.data, b.data(), b.size()) == 0));
}
}  // namespace

const Value* Dict::find(std::string_view key) const {
  if (!index) {
    for (const Entry& e : *this)
      if (e.key.is_string() && same_text(*e.key.s, key)) return &e.value;
    return nullptr;
  }
  const size_t h = std::hash<std::string_view>{}(key);
  for (size_t at = h & (index_size - 1);; at = (at + 1) & (index_size - 1)) {
    if (index[at] == 0) return nullptr;
    const Entry& e = entries[index[at] - 1];
    if (e.hash == h && e.key.is_string() && e.key.s->view() == key) return &e.value;
  }
}
const Value* Dict::find(Runtime& rt, const Value& key) const {
  if (key.is_string()) return find(key.s->view());
  if (!hashable(rt, key)) fail(Kind::type, {"unhashable type: '", type_name(key), "'"});
  if (!index) {
    for (const Entry& e : *this)
      if (equal(rt, e.key, key)) return &e.value;
    return nullptr;
  }
  const size_t h = jinja::hash(rt, key);
  for (size_t at = h & (index_size - 1);; at = (at + 1) & (index_size - 1)) {
    if (index[at] == 0) return nullptr;
    const Entry& e = entries[index[at] - 1];
    if (e.hash == h && equal(rt, e.key, key)) return &e.value;
  }
}
void Dict::insert_index(size_t entry) {
  size_t at = entries[entry].hash & (index_size - 1);
  while (index[at]) at = (at + 1) & (index_size - 1);
  index[at] = static_cast<uint32_t>(entry + 1);
}
void Dict::set(Runtime& rt, const Value& key, const Value& value) {
  if (const Value* old = find(rt, key)) {
    *const_cast<Value*>(old) = value;
    return;
  }
  if (size == capacity) reserve(rt, std::max<size_t>(4, capacity * 2));
  entries[size++] = {key, value, 0};
  if (size <= 8) return;
  if (index) entries[size - 1].hash = jinja::hash(rt, key);
  else for (size_t i = 0; i < size; ++i) entries[i].hash = jinja::hash(rt, entries[i].key);
  if (size * 2 > index_size) {
    index_size = std::max<size_t>(32, index_size * 2);
    index = rt.arena.array<uint32_t>(index_size);
    for (size_t i = 0; i < size; ++i) insert_index(i);
  } else {
    insert_index(size - 1);
  }
}
void Dict::reserve(Runtime& rt, size_t wanted) {
  if (wanted <= capacity) return;
  Entry* grown = rt.arena.array<Entry>(wanted);
  std::copy(entries, entries + size, grown);
  entries = grown, capacity = wanted;
  rt.charge(size / 4);
}

// ---- iteration

namespace {
class StringIter final : public Iter {
 public:
  explicit StringIter(const Str* s) : p_(s->data), end_(s->data + s->size) {}
  const char* type_name() const override { return "str_iterator"; }
  bool next(Runtime& rt, Value& out) override {
    if (p_ == end_) return false;
    const char* start = p_;
    decode(p_);
    out = Value::of(static_cast<const Str*>(
        rt.arena.make<Str>(start, static_cast<size_t>(p_ - start), size_t{1}, false, nullptr)));
    return true;
  }

 private:
  const char *p_, *end_;
};
}  // namespace

bool iterable(const Value& v) {
  switch (v.tag) {
    case Tag::undefined: case Tag::string: case Tag::list: case Tag::tuple: case Tag::dict: return true;
    default: return false;
  }
}
Iter* iterate(Runtime& rt, const Value& v) {
  switch (v.tag) {
    case Tag::undefined: return rt.arena.make<ArrayIter>(nullptr, size_t{0});
    case Tag::string: return rt.arena.make<StringIter>(v.s);
    case Tag::list: case Tag::tuple: return rt.arena.make<ArrayIter>(v.l->items, v.l->size);
    case Tag::dict: return rt.arena.make<DictView>(v.m, ViewKind::keys)->iterate(rt);
    case Tag::object:
      if (Iter* it = v.o->iterate(rt)) return it;
      [[fallthrough]];
    default: fail(Kind::type, {"'", type_name(v), "' object is not iterable"});
  }
}
std::vector<Value> collect(Runtime& rt, const Value& v) {
  if (v.is_sequence()) {
    rt.charge(v.l->size / 4);
    return {v.l->begin(), v.l->end()};
  }
  std::vector<Value> out;
  Iter* it = iterate(rt, v);
  Value x;
  while (it->next(rt, x)) rt.charge(1), out.push_back(x);
  return out;
}
int64_t length_or_negative(Runtime& rt, const Value& v) {
  switch (v.tag) {
    case Tag::undefined: return 0;
    case Tag::string: return static_cast<int64_t>(v.s->length);
    case Tag::list: case Tag::tuple: return static_cast<int64_t>(v.l->size);
    case Tag::dict: return static_cast<int64_t>(v.m->size);
    case Tag::object: return v.o->length(rt);
    default: return -1;
  }
}
int64_t length(Runtime& rt, const Value& v) {
  const int64_t n = length_or_negative(rt, v);
  if (n < 0) fail(Kind::type, {"object of type '", type_name(v), "' has no len()"});
  return n;
}

void Object::repr(Runtime&, std::string& out) const { out += cat({"<", type_name(), " object>"}); }
Value Object::call(Runtime&, const Args&) { fail(Kind::type, {"'", type_name(), "' object is not callable"}); }
bool Object::contains(Runtime& rt, const Value& value) {
  Iter* it = iterate(rt);
  if (!it) fail(Kind::type, {"argument of type '", type_name(), "' is not iterable"});
  Value x;
  while (it->next(rt, x)) {
    rt.charge(1);
    if (equal(rt, x, value)) return true;
  }
  return false;
}

}  // namespace transformers::jinja
