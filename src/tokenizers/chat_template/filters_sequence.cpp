// Filters on sequences and dictionaries.
#include <algorithm>
#include <iterator>

#include "tokenizers/chat_template/filters.h"

namespace transformers::jinja {
namespace {

Value first(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("first", args);
  Value v;
  return iterate(rt, in)->next(rt, v) ? v : rt.undefined_hint("No first item, sequence was empty.");
}
Value last(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("last", args);
  if (in.is_string() && in.s->size) return get_item(rt, in, Value::of(-1));
  if (in.is(Tag::object) && in.o->length(rt) < 0)
    fail(Kind::type, {"'", type_name(in), "' object is not reversible"});
  const std::vector<Value> all = collect(rt, in);
  return all.empty() ? rt.undefined_hint("No last item, sequence was empty.") : all.back();
}
Value length_filter(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("length", args);
  return Value::of(length(rt, in));
}
Value list_filter(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("list", args);
  if (in.is(Tag::list)) return in;
  return rt.list(collect(rt, in));
}
Value items(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("items", args);
  if (in.is_undefined()) return as_value(iterate(rt, in));
  if (!in.is(Tag::dict)) fail(Kind::type, {"Can only get item pairs from a mapping."});
  return as_value(rt.arena.make<DictView>(in.m, ViewKind::items)->iterate(rt));
}
Value join(Runtime& rt, const Value& in, const Args& args) {
  const auto [separator, attribute] = bind("join", args, {"d", "attribute"});
  const AttributeGetter get(rt, attribute);
  const std::vector<Value> values = collect(rt, in);
  const Str* by = separator.is_missing() ? rt.view("") : to_str(rt, separator);
  const auto is_markup = [](const Value& v) { return v.is_string() && v.s->markup; };
  std::vector<Value> parts;
  bool markup = by->markup && rt.autoescape;
  for (const Value& v : values) parts.push_back(get.get(rt, v)), markup |= rt.autoescape && is_markup(parts.back());
  if (markup && !by->markup) by = escape(rt, Value::of(by));
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i) out += by->view();
    if (markup) out += escape(rt, parts[i])->view();
    else append_str(rt, out, parts[i]);
    if (out.size() > (size_t{1} << 28)) fail(Kind::limit, {"a joined string is too long"});
  }
  return rt.string(out, markup);
}
Value reverse(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("reverse", args);
  if (in.is_string()) {
    std::string out;
    out.reserve(in.s->size);
    for (const char* p = in.s->data + in.s->size; p > in.s->data;) {
      const char* end = p--;
      while ((static_cast<unsigned char>(*p) & 0xC0) == 0x80) --p;
      out.append(p, end);
    }
    return rt.string(out, in.s->markup);
  }
  if (!iterable(in) && !(in.is(Tag::object) && in.o->iterate(rt))) fail(Kind::runtime, {"argument must be iterable"});
  std::vector<Value> all = collect(rt, in);
  std::reverse(all.begin(), all.end());
  const Span<Value> kept = to_span(rt.arena, all);
  return as_value(rt.arena.make<ArrayIter>(kept.items, kept.size));
}
Value sort(Runtime& rt, const Value& in, const Args& args) {
  const auto [reversed, sensitive, attribute] = bind("sort", args, {"reverse", "case_sensitive", "attribute"});
  const bool fold = !flag(rt, sensitive, false);
  std::vector<AttributeGetter> getters;  // "a,b" sorts by both
  if (attribute.is_string()) {
    for (std::string_view rest = attribute.s->view();;) {
      const size_t comma = rest.find(',');
      getters.emplace_back(rt, Value::of(rt.view(rest.substr(0, comma))), fold);
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  } else {
    getters.emplace_back(rt, attribute, fold);
  }
  const std::vector<Value> all = collect(rt, in);
  std::vector<Value> keys, out;
  for (const Value& v : all) {
    std::vector<Value> parts;
    for (const AttributeGetter& g : getters) parts.push_back(g.get(rt, v));
    keys.push_back(parts.size() == 1 ? parts[0] : rt.list(parts));
  }
  for (const size_t i : sorted_order(rt, keys, flag(rt, reversed, false))) out.push_back(all[i]);
  return rt.list(out);
}
Value unique(Runtime& rt, const Value& in, const Args& args) {
  const auto [sensitive, attribute] = bind("unique", args, {"case_sensitive", "attribute"});
  const AttributeGetter get(rt, attribute, !flag(rt, sensitive, false));
  Dict* seen = rt.arena.make<Dict>();
  std::vector<Value> out;
  for (const Value& v : collect(rt, in)) {
    const Value key = get.get(rt, v);
    if (seen->find(rt, key)) continue;
    seen->set(rt, key, Value::none());
    out.push_back(v);
  }
  const Span<Value> kept = to_span(rt.arena, out);
  return as_value(rt.arena.make<ArrayIter>(kept.items, kept.size));
}
template <bool Max>
Value extreme(Runtime& rt, const Value& in, const Args& args) {
  const auto [sensitive, attribute] = bind(Max ? "max" : "min", args, {"case_sensitive", "attribute"});
  const AttributeGetter get(rt, attribute, !flag(rt, sensitive, false));
  Value best, best_key;
  for (const Value& v : collect(rt, in)) {
    const Value key = get.get(rt, v);
    if (best.is_missing() || (Max ? less(rt, best_key, key) : less(rt, key, best_key))) best = v, best_key = key;
  }
  return best.is_missing() ? rt.undefined_hint("No aggregated item, sequence was empty.") : best;
}
Value sum(Runtime& rt, const Value& in, const Args& args) {
  const auto [attribute, start] = bind("sum", args, {"attribute", "start"});
  const AttributeGetter get(rt, attribute);
  Value total = start.is_missing() ? Value::of(0) : start;
  if (total.is_string()) fail(Kind::type, {"sum() can't sum strings [use ''.join(seq) instead]"});
  for (const Value& v : collect(rt, in)) total = binary(rt, BinaryOp::add, total, get.get(rt, v));
  return total;
}
Value batch(Runtime& rt, const Value& in, const Args& args) {
  const auto [count, fill] = bind("batch", args, {"linecount", "fill_with"}, 1);
  const int64_t n = index_of(rt, count, "linecount");
  std::vector<Value> rows, row;
  for (const Value& v : collect(rt, in)) {
    if (static_cast<int64_t>(row.size()) == n) rows.push_back(rt.list(row)), row.clear();
    row.push_back(v);
  }
  if (!row.empty()) {
    if (!fill.is_missing() && !fill.is_none())
      while (static_cast<int64_t>(row.size()) < n) rt.charge(1), row.push_back(fill);
    rows.push_back(rt.list(row));
  }
  const Span<Value> kept = to_span(rt.arena, rows);
  return as_value(rt.arena.make<ArrayIter>(kept.items, kept.size));
}
Value slice(Runtime& rt, const Value& in, const Args& args) {
  const auto [count, fill] = bind("slice", args, {"slices", "fill_with"}, 1);
  const std::vector<Value> all = collect(rt, in);
  const int64_t n = index_of(rt, count, "slices"), total = static_cast<int64_t>(all.size());
  if (n == 0) fail(Kind::zero_division, {"integer division or modulo by zero"});
  std::vector<Value> rows;
  int64_t offset = 0;
  for (int64_t s = 0; s < n; ++s) {
    rt.charge(1);
    const int64_t start = offset + s * (total / n);
    if (s < total % n) ++offset;
    const int64_t end = offset + (s + 1) * (total / n);
    std::vector<Value> row(all.begin() + std::min(start, total), all.begin() + std::min(end, total));
    if (!fill.is_missing() && !fill.is_none() && s >= total % n) row.push_back(fill);
    rows.push_back(rt.list(row));
  }
  const Span<Value> kept = to_span(rt.arena, rows);
  return as_value(rt.arena.make<ArrayIter>(kept.items, kept.size));
}
Value groupby(Runtime& rt, const Value& in, const Args& args) {
  const auto [attribute, fallback, sensitive] = bind("groupby", args, {"attribute", "default", "case_sensitive"}, 1);
  const bool fold = !flag(rt, sensitive, false);
  const AttributeGetter get(rt, attribute, fold, fallback), plain(rt, attribute, false, fallback);
  const std::vector<Value> all = collect(rt, in);
  std::vector<Value> keys, groups, group;
  for (const Value& v : all) keys.push_back(get.get(rt, v));
  const std::vector<size_t> order = sorted_order(rt, keys, false);
  for (size_t i = 0; i < order.size(); ++i) {
    group.push_back(all[order[i]]);
    if (i + 1 < order.size() && equal(rt, keys[order[i]], keys[order[i + 1]])) continue;
    // With folded case the group is named as its first member writes it.
    const Value pair[2] = {fold ? plain.get(rt, group[0]) : keys[order[i]], rt.list(group)};
    const List* kept = rt.list_of({pair[0], pair[1]});
    groups.push_back(Value::tuple(rt.arena.make<List>(kept->items, size_t{2}, true)));
    group.clear();
  }
  return rt.list(groups);
}
Value dictsort(Runtime& rt, const Value& in, const Args& args) {
  const auto [sensitive, by, reversed] = bind("dictsort", args, {"case_sensitive", "by", "reverse"});
  const std::string which = by.is_missing() ? "key" : to_text(rt, by);
  if (which != "key" && which != "value") fail(Kind::runtime, {"You can only sort by either \"key\" or \"value\""});
  require_defined(rt, in);
  if (!in.is(Tag::dict)) fail(Kind::type, {"'", type_name(in), "' object has no attribute 'items'"});
  std::vector<Value> keys, out;
  for (const Dict::Entry& e : *in.m) {
    const Value& v = which == "key" ? e.key : e.value;
    keys.push_back(flag(rt, sensitive, false) ? v : fold_case(rt, v));
  }
  for (const size_t i : sorted_order(rt, keys, flag(rt, reversed, false)))
    out.push_back(rt.tuple({in.m->entries[i].key, in.m->entries[i].value}));
  return rt.list(out);
}
Value random(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("random", args);
  const std::vector<Value> all = collect(rt, in);
  if (all.empty()) return rt.undefined_hint("No random item, sequence was empty.");
  // Any member will do: the same one every time keeps rendering deterministic.
  return all[all.size() / 2];
}

constexpr NamedFilter kFilters[] = {
    {"batch", deferred<batch>}, {"count", length_filter}, {"dictsort", dictsort}, {"first", first}, {"groupby", groupby},
    {"items", deferred<items>}, {"join", join}, {"last", last}, {"length", length_filter}, {"list", list_filter},
    {"max", extreme<true>}, {"min", extreme<false>}, {"random", random}, {"reverse", reverse}, {"slice", deferred<slice>},
    {"sort", sort}, {"sum", sum}, {"unique", deferred<unique>}};

}  // namespace

FilterTable sequence_filters() { return {std::begin(kFilters), std::end(kFilters)}; }

}  // namespace transformers::jinja
