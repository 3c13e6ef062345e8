// Ranges, views, bytes, cyclers, namespaces.
#include "tokenizers/chat_template/objects.h"

#include <algorithm>

namespace transformers::jinja {
namespace {

Value bound(Runtime& rt, const Value& self, const Method* m) {
  return Value::of(static_cast<Object*>(rt.arena.make<BoundMethod>(self, m)));
}
// An iterator over a function of the position.
template <class F>
class IndexIter final : public Iter {
 public:
  IndexIter(const char* name, size_t count, F f) : name_(name), count_(count), f_(f) {}
  const char* type_name() const override { return name_; }
  bool next(Runtime& rt, Value& out) override {
    if (at_ == count_) return false;
    out = f_(rt, at_++);
    return true;
  }

 private:
  const char* name_;
  size_t count_, at_ = 0;
  F f_;
};
template <class F>
Iter* index_iter(Runtime& rt, const char* name, size_t count, F f) {
  return rt.arena.make<IndexIter<F>>(name, count, f);
}

}  // namespace

// ---- bytes

void Bytes::repr(Runtime&, std::string& out) const {
  const char quote = data_.find('\'') != std::string_view::npos && data_.find('"') == std::string_view::npos ? '"' : '\'';
  out += 'b', out += quote;
  char escape[8];
  for (const char c : data_) {
    if (c == quote || c == '\\') out += '\\', out += c;
    else if (c == '\n') out += "\\n";
    else if (c == '\r') out += "\\r";
    else if (c == '\t') out += "\\t";
    else if (c >= 32 && c < 127) out += c;
    else std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(c)), out += escape;
  }
  out += quote;
}
Iter* Bytes::iterate(Runtime& rt) {
  return index_iter(rt, "bytes_iterator", data_.size(),
                    [this](Runtime&, size_t i) { return Value::of(int{static_cast<unsigned char>(data_[i])}); });
}
bool Bytes::item(Runtime&, const Value& key, Value& out) {
  if (!key.is_int()) return false;
  const int64_t n = static_cast<int64_t>(data_.size()), i = key.as_int() < 0 ? key.as_int() + n : key.as_int();
  if (i < 0 || i >= n) return false;
  out = Value::of(int{static_cast<unsigned char>(data_[static_cast<size_t>(i)])});
  return true;
}
bool Bytes::attribute(Runtime& rt, std::string_view name, Value& out) {
  static constexpr Method decode{"decode", [](Runtime& rt, const Value& self, const Args&) {
    return rt.string(make_valid(static_cast<Bytes*>(self.o)->data()));
  }};
  static constexpr Method hex{"hex", [](Runtime& rt, const Value& self, const Args&) {
    std::string out;
    for (const char c : static_cast<Bytes*>(self.o)->data())
      out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4], out += "0123456789abcdef"[c & 15];
    return rt.string(out);
  }};
  if (name != "decode" && name != "hex") return false;
  out = bound(rt, Value::of(static_cast<Object*>(this)), name == "hex" ? &hex : &decode);
  return true;
}

// ---- range

void RangeObject::repr(Runtime&, std::string& out) const {
  out += cat({"range(", start_, ", ", stop_});
  out += step_ == 1 ? std::string(")") : cat({", ", step_, ")"});
}
Iter* RangeObject::iterate(Runtime& rt) {
  return index_iter(rt, "range_iterator", static_cast<size_t>(count_),
                    [this](Runtime&, size_t i) { return Value::of(at(static_cast<int64_t>(i))); });
}
bool RangeObject::item(Runtime&, const Value& key, Value& out) {
  if (!key.is_int()) return false;
  const int64_t i = key.as_int() < 0 ? key.as_int() + count_ : key.as_int();
  if (i < 0 || i >= count_) return false;
  out = Value::of(at(i));
  return true;
}
bool RangeObject::attribute(Runtime& rt, std::string_view name, Value& out) {
  static constexpr Method count{"count", [](Runtime& rt, const Value& self, const Args& args) {
    positional("count", args, 1, 1);
    return Value::of(static_cast<int>(self.o->contains(rt, args.items[0])));
  }};
  static constexpr Method index{"index", [](Runtime& rt, const Value& self, const Args& args) {
    positional("index", args, 1, 1);
    auto* r = static_cast<RangeObject*>(self.o);
    if (!r->contains(rt, args.items[0])) fail(Kind::value, {"the value is not in range"});
    return binary(rt, BinaryOp::floordiv, binary(rt, BinaryOp::sub, args.items[0], Value::of(r->start_)), Value::of(r->step_));
  }};
  if (name == "start" || name == "stop" || name == "step")
    return out = Value::of(name == "start" ? start_ : name == "stop" ? stop_ : step_), true;
  if (name != "count" && name != "index") return false;
  out = bound(rt, Value::of(static_cast<Object*>(this)), name == "count" ? &count : &index);
  return true;
}
bool RangeObject::equals(Runtime&, const Object& other) const {
  const auto* o = dynamic_cast<const RangeObject*>(&other);
  return o && count_ == o->count_ && (count_ == 0 || (start_ == o->start_ && (count_ == 1 || step_ == o->step_)));
}
bool RangeObject::contains(Runtime& rt, const Value& value) {
  if (!value.is_int()) return Object::contains(rt, value);
  const int64_t v = value.as_int();
  if (count_ == 0) return false;
  const int64_t a = std::min(at(0), at(count_ - 1)), b = std::max(at(0), at(count_ - 1));
  return v >= a && v <= b && (v - start_) % step_ == 0;
}
RangeObject* RangeObject::slice(Runtime& rt, int64_t first, int64_t step, int64_t count) const {
  if (count < 2) step = 1;  // only then can it be large
  return rt.arena.make<RangeObject>(at(first), at(first + step * count), step_ * step, count);
}

// ---- dictionary views

const char* DictView::type_name() const {
  return kind_ == ViewKind::keys ? "dict_keys" : kind_ == ViewKind::values ? "dict_values" : "dict_items";
}
Value DictView::at(Runtime& rt, size_t i) const {
  const Dict::Entry& e = dict_->entries[i];
  if (kind_ == ViewKind::keys) return e.key;
  if (kind_ == ViewKind::values) return e.value;
  Value* pair = rt.arena.array<Value>(2);
  pair[0] = e.key, pair[1] = e.value;
  return Value::tuple(rt.arena.make<List>(pair, size_t{2}));
}
Iter* DictView::iterate(Runtime& rt) {
  return index_iter(rt, "dict_iterator", dict_->size, [this](Runtime& r, size_t i) { return at(r, i); });
}
void DictView::repr(Runtime& rt, std::string& out) const {
  out += type_name(), out += "([";
  for (size_t i = 0; i < dict_->size; ++i) {
    if (i) out += ", ";
    append_repr(rt, out, at(rt, i));
  }
  out += "])";
}
bool DictView::contains(Runtime& rt, const Value& value) {
  return kind_ == ViewKind::keys ? dict_->find(rt, value) != nullptr : Object::contains(rt, value);
}
bool DictView::equals(Runtime& rt, const Object& other) const {
  const auto* o = dynamic_cast<const DictView*>(&other);
  if (!o || o->kind_ != kind_ || kind_ == ViewKind::values || o->dict_->size != dict_->size) return this == &other;
  for (const Dict::Entry& e : *dict_) {
    const Value* v = o->dict_->find(rt, e.key);
    if (!v || (kind_ == ViewKind::items && !equal(rt, *v, e.value))) return false;
  }
  return true;
}

// ---- namespace, cycler

void Namespace::repr(Runtime& rt, std::string& out) const {
  out += "<Namespace ";
  append_repr(rt, out, Value::of(static_cast<const Dict*>(values_)));
  out += ">";
}
bool Cycler::attribute(Runtime& rt, std::string_view name, Value& out) {
  static constexpr Method next{"next", [](Runtime&, const Value& self, const Args&) {
    return static_cast<Cycler*>(self.o)->next();
  }};
  static constexpr Method reset{"reset", [](Runtime&, const Value& self, const Args&) {
    static_cast<Cycler*>(self.o)->reset();
    return Value::none();
  }};
  const Value self = Value::of(static_cast<Object*>(this));
  if (name == "current") out = items_->items[at_];
  else if (name == "next") out = bound(rt, self, &next);
  else if (name == "reset") out = bound(rt, self, &reset);
  else if (name == "items") out = Value::tuple(items_);
  else if (name == "pos") out = Value::of(at_);
  else return false;
  return true;
}

}  // namespace transformers::jinja
