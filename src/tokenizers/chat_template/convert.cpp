// JSON to values.
#include "tokenizers/chat_template/convert.h"

#include <cmath>

namespace transformers::jinja {
namespace {
Value text(Runtime& rt, const std::string& s) {
  size_t points;
  return valid_utf8(s, points) ? Value::of(rt.view(s, points, false)) : rt.string(make_valid(s));
}
}  // namespace

Value to_value(Runtime& rt, const Json& json) {
  rt.check_stack();
  switch (json.type()) {
    case Json::Type::null: return Value::none();
    case Json::Type::boolean: return Value::of(json.as_bool());
    case Json::Type::integer: return Value::of(json.as_int());
    case Json::Type::real: {
      const double d = json.as_double();
      if (std::fabs(d) >= 9.2e18 && std::isfinite(d)) {  // an integer beyond 64 bits keeps its digits
        const std::string digits = json.dump();
        Value big;
        if (digits.find_first_of(".eE") == std::string::npos && parse_int(rt, digits, 10, big)) return big;
      }
      return Value::of(d);
    }
    case Json::Type::string: {
      const std::string& s = json.as_string();
      return text(rt, s);
    }
    case Json::Type::array: {
      const Json::Array& a = json.as_array();
      Value* items = rt.arena.array<Value>(a.size());
      for (size_t i = 0; i < a.size(); ++i) items[i] = to_value(rt, a[i]);
      return Value::list(rt.arena.make<List>(items, a.size()));
    }
    case Json::Type::object: {
      Dict* d = rt.arena.make<Dict>();
      d->reserve(rt, json.size());
      for (const Json::Member& m : json.as_object()) {
        d->set(rt, text(rt, m.first), to_value(rt, m.second));
      }
      return Value::of(static_cast<const Dict*>(d));
    }
  }
  return Value::none();
}

}  // namespace transformers::jinja
