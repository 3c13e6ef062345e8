// What the filter files share. Reference: jinja2/filters.py.
#pragma once
#include <initializer_list>

#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {

struct NamedFilter {
  const char* name;
  FilterFn fn;
};
/// A file's filters.
struct FilterTable {
  const NamedFilter* begin;
  const NamedFilter* end;
};
FilterTable text_filters();
FilterTable html_filters();
FilterTable number_filters();
FilterTable sequence_filters();
FilterTable selection_filters();

/// attribute="a.b.0" or an index: what make_attrgetter of jinja2 gives.
class AttributeGetter {
 public:
  /// `attribute`: a string, an integer, or missing/none for the item itself.
  AttributeGetter(Runtime& rt, const Value& attribute, bool fold_case = false, const Value& fallback = Value());
  Value get(Runtime& rt, const Value& item) const;

 private:
  Value parts_;  // missing: the item
  bool fold_case_;
  Value fallback_;
};
inline bool flag(Runtime& rt, const Value& v, bool absent) { return v.is_missing() ? absent : truthy(rt, v); }
inline int64_t integer(Runtime& rt, const Value& v, int64_t absent, const char* what) {
  return v.is_missing() ? absent : index_of(rt, v, what);
}
inline Value as_value(Object* o) { return Value::of(o); }
/// A generator: F, which returns an iterator, runs when the first item is asked for, and so do its errors.
template <FilterFn F>
class Deferred final : public Iter {
 public:
  Deferred(const Value& in, const Args& args) : in_(in), args_(args) {}
  bool next(Runtime& rt, Value& out) override {
    rt.check_stack();
    if (!iter_) iter_ = jinja::iterate(rt, F(rt, in_, args_));
    return iter_->next(rt, out);
  }

 private:
  Value in_;
  Args args_;
  Iter* iter_ = nullptr;
};
template <FilterFn F>
Value deferred(Runtime& rt, const Value& in, const Args& args) {
  Args kept = args;  // the caller's arrays may not last
  kept.items = to_span(rt.arena, std::vector<Value>(args.items, args.items + args.size)).items;
  return as_value(rt.arena.make<Deferred<F>>(in, kept));
}
inline Value empty_iterator(Runtime& rt) { return as_value(rt.arena.make<ArrayIter>(nullptr, size_t{0})); }
/// Lowercases strings, as sort and unique do by default.
Value fold_case(Runtime& rt, const Value& v);
/// Stable sort by keys with Python's `<`; indices of the sorted order.
std::vector<size_t> sorted_order(Runtime& rt, const std::vector<Value>& keys, bool reverse);

}  // namespace transformers::jinja
