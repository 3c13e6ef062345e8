// map, select, reject, selectattr, rejectattr, attr: lazy, as in the reference.
#include <iterator>

#include "tokenizers/chat_template/filters.h"

namespace transformers::jinja {
namespace {

/// Everything after the first `skip` positional arguments, which last as long as the rendering.
Args rest(Runtime& rt, const Args& args, size_t skip, bool keywords) {
  Args out{args.items + skip, args.size - skip};
  if (keywords) out.keywords = args.keywords, out.keyword_count = args.keyword_count;
  const Span<Value> kept = to_span(rt.arena, std::vector<Value>(out.items, out.items + out.size));
  out.items = kept.items;
  return out;
}

class MapIter final : public Iter {
 public:
  MapIter(Iter* source, FilterFn fn, const Args& args, const AttributeGetter* getter)
      : source_(source), fn_(fn), args_(args), getter_(getter) {}
  bool next(Runtime& rt, Value& out) override {
    rt.check_stack(), rt.charge(1);
    Value v;
    if (!source_->next(rt, v)) return false;
    out = getter_ ? getter_->get(rt, v) : fn_(rt, v, args_);
    return true;
  }

 private:
  Iter* source_;
  FilterFn fn_;
  Args args_;
  const AttributeGetter* getter_;
};
class SelectIter final : public Iter {
 public:
  SelectIter(Iter* source, TestFn fn, const Args& args, const AttributeGetter* getter, bool wanted)
      : source_(source), fn_(fn), args_(args), getter_(getter), wanted_(wanted) {}
  bool next(Runtime& rt, Value& out) override {
    rt.check_stack();
    while (source_->next(rt, out)) {
      rt.charge(1);
      const Value v = getter_ ? getter_->get(rt, out) : out;
      if ((fn_ ? fn_(rt, v, args_) : jinja::truthy(rt, v)) == wanted_) return true;
    }
    return false;
  }

 private:
  Iter* source_;
  TestFn fn_;
  Args args_;
  const AttributeGetter* getter_;
  bool wanted_;
};

Value map(Runtime& rt, const Value& in, const Args& args) {
  if (!truthy(rt, in)) return empty_iterator(rt);
  Iter* source = iterate(rt, in);
  const AttributeGetter* getter = nullptr;
  FilterFn fn = nullptr;
  Args given;
  if (args.size == 0) {
    const auto [attribute, fallback] = bind("map", args, {"attribute", "default"});
    if (attribute.is_missing()) fail(Kind::runtime, {"map requires a filter argument"});
    getter = rt.arena.make<AttributeGetter>(rt, attribute, false, fallback);
  } else {
    const Str* name = string_of(rt, args.items[0], "map");
    fn = find_filter(name->view());
    if (!fn) fail(Kind::runtime, {"No filter named '", name->view(), "'."});
    given = rest(rt, args, 1, true);
  }
  return as_value(rt.arena.make<MapIter>(source, fn, given, getter));
}

template <bool Wanted, bool ByAttribute>
Value select(Runtime& rt, const Value& in, const Args& args) {
  if (!truthy(rt, in)) return empty_iterator(rt);
  Iter* source = iterate(rt, in);
  const AttributeGetter* getter = nullptr;
  size_t used = 0;
  if (ByAttribute) {
    if (args.size == 0) fail(Kind::runtime, {"Missing parameter for attribute name"});
    getter = rt.arena.make<AttributeGetter>(rt, args.items[0]);
    used = 1;
  }
  TestFn fn = nullptr;
  Args given;
  if (args.size > used) {
    const Str* name = string_of(rt, args.items[used], "select");
    fn = find_test(name->view());
    if (!fn) fail(Kind::runtime, {"No test named '", name->view(), "'."});
    given = rest(rt, args, used + 1, true);
  }
  return as_value(rt.arena.make<SelectIter>(source, fn, given, getter, Wanted));
}

Value attr(Runtime& rt, const Value& in, const Args& args) {
  const auto [name] = bind("attr", args, {"name"}, 1);
  const Str* s = to_str(rt, name);
  // Attributes only, never keys.
  if (in.is(Tag::dict) && !find_dict_method(s->view()) && !hidden_attribute(in, s->view()))
    return rt.undefined(in, Value::of(s));
  return get_attribute(rt, in, s);
}

constexpr NamedFilter kFilters[] = {{"attr", attr}, {"map", deferred<map>}, {"reject", deferred<select<false, false>>},
                                    {"rejectattr", deferred<select<false, true>>}, {"select", deferred<select<true, false>>},
                                    {"selectattr", deferred<select<true, true>>}};

}  // namespace

FilterTable selection_filters() { return {std::begin(kFilters), std::end(kFilters)}; }

}  // namespace transformers::jinja
