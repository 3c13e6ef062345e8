// The table of filters, and what they share.
#include "tokenizers/chat_template/filters.h"

#include <algorithm>
#include <numeric>

namespace transformers::jinja {

FilterFn find_filter(std::string_view name) {
  for (const FilterTable& t :
       {text_filters(), html_filters(), number_filters(), sequence_filters(), selection_filters()})
    for (const NamedFilter* f = t.begin; f != t.end; ++f)
      if (f->name == name) return f->fn;
  return nullptr;
}

AttributeGetter::AttributeGetter(Runtime& rt, const Value& attribute, bool fold, const Value& fallback)
    : fold_case_(fold), fallback_(fallback) {
  if (attribute.is_missing() || attribute.is_none()) return;
  std::vector<Value> parts;
  if (attribute.is_string()) {
    for (std::string_view rest = attribute.s->view();;) {
      const size_t dot = rest.find('.');
      const std::string_view part = rest.substr(0, dot);
      const bool index = !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string_view::npos;
      parts.push_back(index ? Value::of(static_cast<int64_t>(std::stoll(std::string(part)))) : Value::of(rt.view(part)));
      if (dot == std::string_view::npos) break;
      rest.remove_prefix(dot + 1);
    }
  } else {
    parts.push_back(attribute);
  }
  parts_ = rt.list(parts);
}
Value AttributeGetter::get(Runtime& rt, const Value& item) const {
  Value v = item;
  if (!parts_.is_missing())
    for (const Value& part : *parts_.l) {
      v = get_item(rt, v, part);
      if (v.is_undefined() && !fallback_.is_missing()) v = fallback_;
    }
  return fold_case_ ? fold_case(rt, v) : v;
}

Value fold_case(Runtime& rt, const Value& v) {
  if (!v.is_string()) return v;
  rt.charge_bytes(v.s->size * 4);
  return rt.string(lower(v.s->view()));
}

std::vector<size_t> sorted_order(Runtime& rt, const std::vector<Value>& keys, bool reverse) {
  std::vector<size_t> order(keys.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // Python keeps the order of equals in a reversed sort too.
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    rt.charge(1);
    return reverse ? less(rt, keys[b], keys[a]) : less(rt, keys[a], keys[b]);
  });
  return order;
}

}  // namespace transformers::jinja
