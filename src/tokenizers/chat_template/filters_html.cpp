// Filters for markup, URLs and JSON.
#include <algorithm>
#include <iterator>

#include "tokenizers/chat_template/filters.h"

namespace transformers::jinja {
namespace {

Value escape_filter(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("escape", args);
  return Value::of(escape(rt, in));
}
Value force_escape(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("forceescape", args);
  return rt.string(escape_html(to_str(rt, in)->view()), true);
}
Value safe(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("safe", args);
  const Str* s = to_str(rt, in);
  return Value::of(static_cast<const Str*>(rt.arena.make<Str>(s->data, s->size, s->length, true, nullptr)));
}
void unescape(std::string& s) {  // the entities that escape makes, and numeric ones
  std::string out;
  for (size_t i = 0; i < s.size(); ++i) {
    const size_t end = s[i] == '&' ? s.find(';', i) : std::string::npos;
    if (end == std::string::npos || end - i > 9) {
      out += s[i];
      continue;
    }
    const std::string name = s.substr(i + 1, end - i - 1);
    static constexpr std::pair<const char*, const char*> kNamed[] = {
        {"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"nbsp", "\xC2\xA0"},
        {"copy", "\xC2\xA9"}, {"reg", "\xC2\xAE"}, {"hellip", "\xE2\x80\xA6"}, {"mdash", "\xE2\x80\x94"},
        {"ndash", "\xE2\x80\x93"}, {"laquo", "\xC2\xAB"}, {"raquo", "\xC2\xBB"}, {"euro", "\xE2\x82\xAC"}};
    const auto* named = std::find_if(std::begin(kNamed), std::end(kNamed), [&](const auto& p) { return name == p.first; });
    if (named != std::end(kNamed)) {
      out += named->second, i = end;
    } else if (name.size() > 1 && name[0] == '#') {
      const bool hex = (name[1] | 32) == 'x';
      char* stop = nullptr;
      const unsigned long point = std::strtoul(name.c_str() + 1 + hex, &stop, hex ? 16 : 10);
      if (*stop || point == 0 || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) out += s[i];
      else encode(out, static_cast<uint32_t>(point)), i = end;
    } else out += s[i];
  }
  s = out;
}
Value striptags(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("striptags", args);
  std::string s(to_str(rt, in)->view());
  rt.charge_bytes(s.size() * 4);
  const auto drop = [&s](std::string_view open, std::string_view close) {
    std::string out;
    size_t at = 0;
    for (size_t begin; (begin = s.find(open, at)) != std::string::npos;) {
      const size_t end = s.find(close, begin + open.size());
      if (end == std::string::npos) break;
      out.append(s, at, begin - at), at = end + close.size();
    }
    s = out.append(s, at);
  };
  drop("<!--", "-->");
  drop("<", ">");
  std::string out;  // runs of whitespace become one space
  for (std::string_view rest = strip(s); !rest.empty();) {
    const char *p = rest.data(), *end = p + rest.size();
    const char* start = p;
    while (p < end) {
      start = p;
      if (is_space(decode(p))) break;
      start = p;
    }
    out.append(rest.data(), start);
    rest = strip({start, static_cast<size_t>(end - start)}, true, false);
    if (!rest.empty()) out += ' ';
  }
  unescape(out);
  return rt.string(out);
}
std::string quote_url(std::string_view s, bool query) {
  std::string out;
  for (const char c : s) {
    const bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '.' || c == '-' || c == '~';
    if (plain || (c == '/' && !query)) out += c;
    else if (c == ' ' && query) out += '+';
    else out += '%', out += "0123456789ABCDEF"[static_cast<unsigned char>(c) >> 4], out += "0123456789ABCDEF"[c & 15];
  }
  return out;
}
Value urlencode(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("urlencode", args);
  if (in.is_string() || !(iterable(in) || (in.is(Tag::object) && in.o->iterate(rt))))
    return rt.string(quote_url(to_str(rt, in)->view(), false));
  std::string out;
  const Value pairs = in.is(Tag::dict) ? find_dict_method("items")->fn(rt, in, {}) : in;
  for (const Value& pair : collect(rt, pairs)) {
    const std::vector<Value> kv = collect(rt, pair);
    if (kv.size() != 2) fail(Kind::value, {"not enough values to unpack (expected 2, got ", kv.size(), ")"});
    if (!out.empty()) out += '&';
    out += quote_url(to_text(rt, kv[0]), true) + "=" + quote_url(to_text(rt, kv[1]), true);
  }
  return rt.string(out);
}
Value xmlattr(Runtime& rt, const Value& in, const Args& args) {
  const auto [autospace] = bind("xmlattr", args, {"autospace"});
  require_defined(rt, in);
  if (!in.is(Tag::dict)) fail(Kind::type, {"xmlattr needs a mapping, not ", type_name(in)});
  std::string out;
  for (const Dict::Entry& e : *in.m) {
    if (e.value.is_none() || e.value.is_undefined()) continue;
    const std::string key = to_text(rt, e.key);
    if (key.find_first_of(" \t\n\r\f\v/>=") != std::string::npos)
      fail(Kind::value, {"Invalid character in attribute name: '", key, "'"});
    if (!out.empty()) out += ' ';
    out += cat({escape(rt, e.key)->view(), "=\"", escape(rt, e.value)->view(), "\""});
  }
  if (!out.empty() && flag(rt, autospace, true)) out.insert(0, " ");
  return rt.string(out, rt.autoescape);
}

/// Links in a text, one per word; the reference also knows e-mail addresses and bare domains of a few endings.
Value urlize(Runtime& rt, const Value& in, const Args& args) {
  const auto [limit, nofollow, target, rel, schemes] =
      bind("urlize", args, {"trim_url_limit", "nofollow", "target", "rel", "extra_schemes"});
  (void)limit, (void)nofollow, (void)target, (void)rel, (void)schemes;
  require_defined(rt, in);
  throw Failure{Kind::runtime, "the urlize filter is not supported: chat templates have no links to make"};
}

Value tojson(Runtime& rt, const Value& in, const Args& args) {
  const auto [ascii, indent, separators, sort] =
      bind("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
  DumpOptions o;
  o.ascii = flag(rt, ascii, false), o.sort_keys = flag(rt, sort, false);
  if (!indent.is_missing() && !indent.is_none()) {
    o.pretty = true, o.item_separator = ",";
    if (indent.is_string()) o.indent = indent.s->view();
    else o.indent.assign(static_cast<size_t>(std::clamp<int64_t>(index_of(rt, indent, "indent"), 0, 10000)), ' ');
  }
  if (!separators.is_missing() && !separators.is_none()) {
    const std::vector<Value> both = collect(rt, separators);
    if (both.size() != 2) fail(Kind::value, {"separators must be (item_separator, key_separator)"});
    o.item_separator = string_of(rt, both[0], "tojson")->view();
    o.key_separator = string_of(rt, both[1], "tojson")->view();
  }
  return rt.string(dump_json(rt, in, o));
}

// pprint.pformat with its width of 80: what fits is written in one line, the rest broken after commas.
void pretty(Runtime& rt, std::string& out, const Value& v, size_t indent, size_t allowance) {
  rt.check_stack(), rt.charge(1);
  std::vector<std::pair<Value, Value>> items;
  if (v.is(Tag::dict)) {
    std::vector<Value> keys;
    for (const Dict::Entry& e : *v.m) keys.push_back(e.key);
    std::vector<size_t> order;
    try {
      order = sorted_order(rt, keys, false);
    } catch (const Failure& f) {  // keys of mixed types: by the type's name
      if (f.kind != Kind::type) throw;
      for (size_t i = 0; i < keys.size(); ++i) order.push_back(i);
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return std::string_view(type_name(keys[a])) < type_name(keys[b]);
      });
    }
    for (const size_t i : order) items.emplace_back(v.m->entries[i].key, v.m->entries[i].value);
  } else if (v.is_sequence()) {
    for (const Value& x : *v.l) items.emplace_back(Value(), x);
  }
  const char* brackets = v.is(Tag::dict) ? "{}" : v.is(Tag::list) ? "[]" : "()";
  const auto write = [&](bool lines) {
    std::string text(1, brackets[0]);
    for (size_t i = 0; i < items.size(); ++i) {
      if (i) text += lines ? ",\n" + std::string(indent + 1, ' ') : ", ";
      size_t column = indent + 1;
      if (!items[i].first.is_missing()) {
        std::string key;
        append_repr(rt, key, items[i].first);
        text += key + ": ", column += count_points(key) + 2;
      }
      const size_t room = i + 1 == items.size() ? allowance + 1 : 1;
      pretty(rt, text, items[i].second, lines ? column : 0, lines ? room : 0);
    }
    if (v.is(Tag::tuple) && items.size() == 1) text += ',';
    return text + brackets[1];
  };
  if (items.empty()) {
    append_repr(rt, out, v);
    return;
  }
  std::string flat;
  append_repr(rt, flat, v);
  const bool fits = count_points(flat) + indent + allowance <= 80;
  if (!fits) out += write(true);
  else out += v.is(Tag::dict) ? write(false) : flat;
}
Value pprint(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("pprint", args);
  std::string out;
  pretty(rt, out, in, 0, 0);
  return rt.string(out);
}

constexpr NamedFilter kFilters[] = {
    {"e", escape_filter}, {"escape", escape_filter}, {"forceescape", force_escape}, {"pprint", pprint},
    {"safe", safe}, {"striptags", striptags}, {"tojson", tojson}, {"urlencode", urlencode}, {"urlize", urlize},
    {"xmlattr", xmlattr}};

}  // namespace

FilterTable html_filters() { return {std::begin(kFilters), std::end(kFilters)}; }

}  // namespace transformers::jinja
