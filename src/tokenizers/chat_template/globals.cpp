// Functions every template can call. Reference: jinja2/defaults.py, jinja2/sandbox.py (range), and transformers'
// raise_exception and strftime_now.
#include <ctime>
#include <iterator>

#include "tokenizers/chat_template/ast.h"
#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {
namespace {

Value range(Runtime& rt, const Args& args) {
  positional("range", args, 1, 3);
  int64_t v[3] = {0, 0, 1};
  for (size_t i = 0; i < args.size; ++i) {
    v[i] = index_of(rt, args.items[i], "range");
    if (v[i] > (int64_t{1} << 40) || v[i] < -(int64_t{1} << 40)) fail(Kind::overflow, {"Range too big."});
  }
  if (args.size == 1) std::swap(v[0], v[1]);
  if (v[2] == 0) fail(Kind::value, {"range() arg 3 must not be zero"});
  const int64_t count = v[2] > 0 ? (v[1] > v[0] ? (v[1] - v[0] - 1) / v[2] + 1 : 0)
                                 : (v[0] > v[1] ? (v[0] - v[1] - 1) / -v[2] + 1 : 0);
  if (count > 100000) fail(Kind::overflow, {"Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000)."});
  return Value::of(static_cast<Object*>(rt.arena.make<RangeObject>(v[0], v[1], v[2], count)));
}
Dict* make_dict(Runtime& rt, const Args& args) {
  if (args.size > 1) fail(Kind::type, {"dict expected at most 1 argument, got ", args.size});
  Dict* d = rt.arena.make<Dict>();
  if (args.size == 1) {
    const Value& from = args.items[0];
    require_defined(rt, from);
    if (from.is(Tag::dict)) {
      for (const Dict::Entry& e : *from.m) d->set(rt, e.key, e.value);
    } else {
      for (const Value& pair : collect(rt, from)) {
        const std::vector<Value> kv = collect(rt, pair);
        if (kv.size() != 2)
          fail(Kind::value, {"dictionary update sequence element has length ", kv.size(), "; 2 is required"});
        d->set(rt, kv[0], kv[1]);
      }
    }
  }
  for (size_t k = 0; k < args.keyword_count; ++k) d->set(rt, Value::of(args.keywords[k].name), args.keywords[k].value);
  return d;
}
Value dict(Runtime& rt, const Args& args) { return Value::of(static_cast<const Dict*>(make_dict(rt, args))); }
Value make_namespace(Runtime& rt, const Args& args) {
  return Value::of(static_cast<Object*>(rt.arena.make<Namespace>(make_dict(rt, args))));
}
Value cycler(Runtime& rt, const Args& args) {
  if (args.keyword_count) fail(Kind::type, {"cycler() got an unexpected keyword argument"});
  if (args.size == 0) fail(Kind::runtime, {"at least one item has to be provided"});
  return Value::of(static_cast<Object*>(rt.arena.make<Cycler>(rt.arena.make<List>(args.items, args.size))));
}
Value joiner(Runtime& rt, const Args& args) {
  const auto [separator] = bind("joiner", args, {"sep"});
  return Value::of(static_cast<Object*>(rt.arena.make<Joiner>(separator.is_missing() ? rt.string(", ") : separator)));
}
Value lipsum(Runtime&, const Args&) {
  throw Failure{Kind::runtime, "lipsum is not supported: it makes random text, which no chat template can want"};
}
Value raise_exception(Runtime& rt, const Args& args) {
  const auto [message] = bind("raise_exception", args, {"message"}, 1);
  throw Failure{Kind::raised, to_text(rt, message)};
}
Value strftime_now(Runtime& rt, const Args& args) {
  const auto [format] = bind("strftime_now", args, {"format"}, 1);
  const Str* f = string_of(rt, format, "strftime");
  std::tm t{};
  if (rt.now) {
    const ChatTemplate::Clock& c = *rt.now;
    t.tm_year = c[0] - 1900, t.tm_mon = c[1] - 1, t.tm_mday = c[2], t.tm_hour = c[3], t.tm_min = c[4], t.tm_sec = c[5];
    t.tm_isdst = -1;
    std::tm utc = t;
    const std::time_t seconds = ::timegm(&utc);  // fills the day of the week and of the year
    ::gmtime_r(&seconds, &utc);
    t.tm_wday = utc.tm_wday, t.tm_yday = utc.tm_yday;
  } else {
    const std::time_t seconds = std::time(nullptr);
    ::localtime_r(&seconds, &t);
  }
  std::string out;
  const std::string_view s = f->view();
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '%' || i + 1 >= s.size()) {
      out += s[i];
      continue;
    }
    std::string one = "%";
    size_t k = i + 1;  // glibc's flags, width and modifiers
    while (k < s.size() && k < i + 8 && std::string_view("-_0^#EO").find(s[k]) != std::string_view::npos) one += s[k++];
    if (k >= s.size()) {
      out += s.substr(i);
      break;
    }
    rt.charge(4);
    one += s[k], i = k;
    if (s[k] == 'f') out += "000000";          // microseconds
    else if (s[k] == 'z' || s[k] == 'Z') continue;  // the reference's clock has no time zone
    else if (static_cast<unsigned char>(s[k]) >= 0x80) out += one;
    else {
      char buffer[256];
      out.append(buffer, std::strftime(buffer, sizeof buffer, one.c_str(), &t));
    }
  }
  return rt.string(out);
}

struct NamedFunction { const char* name; FunctionFn fn; };
constexpr NamedFunction kGlobals[] = {
    {"cycler", cycler}, {"dict", dict}, {"joiner", joiner}, {"lipsum", lipsum}, {"namespace", make_namespace},
    {"raise_exception", raise_exception}, {"range", range}, {"strftime_now", strftime_now}};

}  // namespace

Value make_global(Arena& arena, std::string_view name) {
  for (const NamedFunction& f : kGlobals)
    if (name == f.name) return Value::of(static_cast<Object*>(arena.make<Builtin>(f.name, f.fn)));
  if (name == "self") return Value::of(static_cast<Object*>(arena.make<TemplateReference>()));
  return Value();
}

}  // namespace transformers::jinja
