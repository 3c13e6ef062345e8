// Methods of str. Reference: CPython; jinja2's sandbox for format and format_map.
#include <algorithm>

#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {

void positional(const char* who, const Args& args, size_t least, size_t most) {
  if (args.keyword_count) fail(Kind::type, {who, "() takes no keyword arguments"});
  if (args.size < least) fail(Kind::type, {who, "() expected at least ", least, " argument, got ", args.size});
  if (args.size > most) fail(Kind::type, {who, "() expected at most ", most, " arguments, got ", args.size});
}
void no_arguments(const char* who, const Args& args) {
  if (args.size || args.keyword_count) fail(Kind::type, {who, "() takes 1 argument but ", 1 + args.size + args.keyword_count, " were given"});
}
const Str* string_of(Runtime& rt, const Value& v, const char* who) {
  require_defined(rt, v);
  if (!v.is_string()) fail(Kind::type, {who, "() argument must be str, not ", type_name(v)});
  return v.s;
}

namespace {

constexpr size_t kNone = std::string_view::npos;

Value view(Runtime& rt, const Value& self, std::string_view part) {
  return Value::of(rt.view(part, self.s->markup));
}
// Searching backwards is not linear in the worst case: it is charged for.
size_t find_last(Runtime& rt, std::string_view s, std::string_view needle) {
  if (needle.size() > s.size()) return kNone;
  rt.charge((s.size() - needle.size()) / 64 * (1 + needle.size() / 16));
  return s.rfind(needle);
}
template <std::string (*F)(std::string_view)>
Value mapped(Runtime& rt, const Value& self, const Args& args) {
  positional("str method", args, 0, 0);
  rt.charge_bytes(self.s->size * 8);
  return rt.string(F(self.s->view()), self.s->markup);
}
// All points satisfy the predicate and there is at least one.
template <bool (*F)(uint32_t)>
Value all(Runtime& rt, const Value& self, const Args& args) {
  positional("str method", args, 0, 0);
  const std::string_view s = self.s->view();
  rt.charge_bytes(s.size() * 8);
  for (const char *p = s.data(), *end = p + s.size(); p < end;)
    if (!F(decode(p))) return Value::of(false);
  return Value::of(!s.empty());
}
bool alnum(uint32_t c) { return is_alpha(c) || is_numeric(c); }
bool ascii_point(uint32_t c) { return c < 128; }

template <bool (*Wanted)(uint32_t), bool (*Other)(uint32_t)>
Value is_case(Runtime& rt, const Value& self, const Args& args) {
  positional("str method", args, 0, 0);
  bool any = false;
  const std::string_view s = self.s->view();
  rt.charge_bytes(s.size() * 8);
  for (const char *p = s.data(), *end = p + s.size(); p < end;) {
    const uint32_t c = decode(p);
    if (Other(c) || is_title(c)) return Value::of(false);
    any |= Wanted(c);
  }
  return Value::of(any);
}
Value istitle(Runtime&, const Value& self, const Args& args) {
  positional("istitle", args, 0, 0);
  bool any = false, in_word = false;
  const std::string_view s = self.s->view();
  for (const char *p = s.data(), *end = p + s.size(); p < end;) {
    const uint32_t c = decode(p);
    const bool up = is_upper(c) || is_title(c), low = is_lower(c);
    if ((up && in_word) || (low && !in_word)) return Value::of(false);
    in_word = up || low, any |= in_word;
  }
  return Value::of(any);
}

template <bool Left, bool Right>
Value strip_method(Runtime& rt, const Value& self, const Args& args) {
  positional("strip", args, 0, 1);
  const std::string_view s = self.s->view();
  rt.charge_bytes(s.size());
  if (args.size == 0 || args.items[0].is_none()) return view(rt, self, strip(s, Left, Right));
  const Str* chars = string_of(rt, args.items[0], "strip");
  rt.charge_bytes(chars->size * 4);
  const std::string_view out = strip_chars(s, chars->view(), Left, Right);
  return view(rt, self, out);
}

// The piece of text that optional start and end arguments select; false when start lies behind the end.
struct Piece2 { std::string_view text; size_t offset; bool valid; };
Piece2 selected(Runtime& rt, const Value& self, const Args& args, size_t first) {
  const Str& s = *self.s;
  const int64_t n = static_cast<int64_t>(s.length);
  const auto bound = [&](size_t i, int64_t absent) {
    if (i >= args.size || args.items[i].is_none()) return absent;
    const int64_t v = index_of(rt, args.items[i], "slice indices must be integers");
    return v < 0 ? std::max<int64_t>(0, v < -n ? 0 : v + n) : v;
  };
  const int64_t from = bound(first, 0), to = std::min(bound(first + 1, n), n);
  if (from > n || from > to) return {{}, 0, false};
  const size_t a = s.ascii() ? size_t(from) : byte_offset(s.view(), size_t(from));
  const size_t b = s.ascii() ? size_t(to) : byte_offset(s.view(), size_t(to));
  return {s.view().substr(a, b - a), a, true};
}
template <bool Last>
int64_t find_in(Runtime& rt, const Value& self, const Args& args) {
  positional("find", args, 1, 3);
  const Str* needle = string_of(rt, args.items[0], "find");
  const Piece2 piece = selected(rt, self, args, 1);
  rt.charge_bytes(self.s->size * 2);
  if (!piece.valid) return -1;
  const size_t at = Last ? find_last(rt, piece.text, needle->view()) : find_text(piece.text, needle->view());
  if (at == kNone) return -1;
  return static_cast<int64_t>(count_points(self.s->view().substr(0, piece.offset + at)));
}
template <bool Last>
Value find(Runtime& rt, const Value& self, const Args& args) { return Value::of(find_in<Last>(rt, self, args)); }
template <bool Last>
Value index(Runtime& rt, const Value& self, const Args& args) {
  const int64_t at = find_in<Last>(rt, self, args);
  if (at < 0) fail(Kind::value, {"substring not found"});
  return Value::of(at);
}
Value count(Runtime& rt, const Value& self, const Args& args) {
  positional("count", args, 1, 3);
  const std::string_view needle = string_of(rt, args.items[0], "count")->view();
  const Piece2 piece = selected(rt, self, args, 1);
  rt.charge_bytes(self.s->size * 2);
  if (!piece.valid) return Value::of(0);
  if (needle.empty()) return Value::of(count_points(piece.text) + 1);
  int64_t n = 0;
  for (size_t at = 0; (at = find_text(piece.text, needle, at)) != kNone; at += needle.size()) ++n;
  return Value::of(n);
}
template <bool End>
Value affix(Runtime& rt, const Value& self, const Args& args) {
  positional(End ? "endswith" : "startswith", args, 1, 3);
  const Piece2 piece = selected(rt, self, args, 1);
  const auto matches = [&](const Value& v) {
    if (!v.is_string()) {
      require_defined(rt, v);
      fail(Kind::type, {End ? "endswith" : "startswith", " first arg must be str or a tuple of str, not ", type_name(v)});
    }
    const std::string_view a = v.s->view(), t = piece.text;
    if (!piece.valid || a.size() > t.size()) return false;
    return (End ? t.substr(t.size() - a.size()) : t.substr(0, a.size())) == a;
  };
  if (!args.items[0].is(Tag::tuple)) return Value::of(matches(args.items[0]));
  bool any = false;
  for (const Value& v : *args.items[0].l) any = any || matches(v);
  return Value::of(any);
}
template <bool End>
Value remove_affix(Runtime& rt, const Value& self, const Args& args) {
  positional(End ? "removesuffix" : "removeprefix", args, 1, 1);
  const std::string_view s = self.s->view(), a = string_of(rt, args.items[0], "removeprefix")->view();
  if (a.size() > s.size() || (End ? s.substr(s.size() - a.size()) : s.substr(0, a.size())) != a) return self;
  return view(rt, self, End ? s.substr(0, s.size() - a.size()) : s.substr(a.size()));
}

template <bool Right>
Value split(Runtime& rt, const Value& self, const Args& args) {
  const auto [separator, most] = bind(Right ? "rsplit" : "split", args, {"sep", "maxsplit"});
  int64_t left = most.is_missing() ? -1 : index_of(rt, most, "maxsplit");
  if (left < 0) left = INT64_MAX;
  const std::string_view s = self.s->view();
  rt.charge_bytes(s.size() * 2);
  std::vector<Value> out;
  const auto add = [&](std::string_view part) { rt.charge(1), out.push_back(view(rt, self, part)); };
  if (separator.is_missing() || separator.is_none()) {
    std::string_view rest = strip(s, !Right, Right);
    while (!rest.empty() && left > 0) {
      size_t cut = kNone;  // the first space, or the last one's end
      for (const char *p = rest.data(), *end = p + rest.size(); p < end;) {
        const char* start = p;
        if (!is_space(decode(p))) continue;
        cut = static_cast<size_t>((Right ? p : start) - rest.data());
        if (!Right) break;
      }
      if (Right) rt.charge_bytes(rest.size());
      if (cut == kNone) break;
      add(Right ? rest.substr(cut) : rest.substr(0, cut));
      rest = Right ? strip(rest.substr(0, cut), false, true) : strip(rest.substr(cut), true, false);
      --left;
    }
    if (!rest.empty()) add(rest);
  } else {
    const std::string_view sep = string_of(rt, separator, "split")->view();
    if (sep.empty()) fail(Kind::value, {"empty separator"});
    std::string_view rest = s;
    for (size_t at; left > 0 && (at = Right ? find_last(rt, rest, sep) : find_text(rest, sep)) != kNone; --left) {
      add(Right ? rest.substr(at + sep.size()) : rest.substr(0, at));
      rest = Right ? rest.substr(0, at) : rest.substr(at + sep.size());
    }
    add(rest);
  }
  if (Right) std::reverse(out.begin(), out.end());
  return rt.list(out);
}
Value splitlines(Runtime& rt, const Value& self, const Args& args) {
  const auto [keep] = bind("splitlines", args, {"keepends"});
  const bool keep_ends = !keep.is_missing() && index_of(rt, keep, "keepends") != 0;
  std::vector<Value> out;
  const char *start = self.s->data, *end = start + self.s->size;
  for (const char* p = start; p < end;) {
    const size_t n = line_break(p, end);
    if (n == 0) {
      decode(p);
      continue;
    }
    rt.charge(1);
    out.push_back(view(rt, self, {start, static_cast<size_t>(p - start) + (keep_ends ? n : 0)}));
    start = p += n;
  }
  if (start < end) out.push_back(view(rt, self, {start, static_cast<size_t>(end - start)}));
  return rt.list(out);
}
template <bool Last>
Value partition(Runtime& rt, const Value& self, const Args& args) {
  positional("partition", args, 1, 1);
  const Str* sep = string_of(rt, args.items[0], "partition");
  if (sep->size == 0) fail(Kind::value, {"empty separator"});
  const std::string_view s = self.s->view();
  const size_t at = Last ? find_last(rt, s, sep->view()) : find_text(s, sep->view());
  const Value empty = view(rt, self, {});
  if (at == kNone) return Last ? rt.tuple({empty, empty, self}) : rt.tuple({self, empty, empty});
  return rt.tuple({view(rt, self, s.substr(0, at)), view(rt, self, s.substr(at, sep->size)),
                   view(rt, self, s.substr(at + sep->size))});
}

Value join(Runtime& rt, const Value& self, const Args& args) {
  positional("join", args, 1, 1);
  require_defined(rt, args.items[0]);
  std::string out;
  int64_t i = 0;
  for (const Value& v : collect(rt, args.items[0])) {
    if (!v.is_string() && !self.s->markup)
      fail(Kind::type, {"sequence item ", i, ": expected str instance, ", type_name(v), " found"});
    if (i++) out += self.s->view();
    out += self.s->markup ? escape(rt, v)->view() : v.s->view();
    if (out.size() > (size_t{1} << 28)) fail(Kind::limit, {"a joined string is too long"});
  }
  return rt.string(out, self.s->markup);
}

enum class Align { left, right, center };
template <Align A>
Value justify(Runtime& rt, const Value& self, const Args& args) {
  positional("justify", args, 1, 2);
  const int64_t width = index_of(rt, args.items[0], "width"), n = static_cast<int64_t>(self.s->length);
  const Str* fill = args.size > 1 ? string_of(rt, args.items[1], "fillchar") : nullptr;
  if (fill && fill->length != 1) fail(Kind::type, {"The fill character must be exactly one character long"});
  if (width <= n) return self;
  const int64_t pad = width - n;
  if (pad > (int64_t{1} << 26)) fail(Kind::limit, {"a padded string is too long"});
  const int64_t before = A == Align::left ? 0 : A == Align::right ? pad : pad / 2 + (pad & width & 1);
  std::string out;
  const auto add = [&](int64_t k) { while (k-- > 0) out += fill ? fill->view() : " "; };
  add(before), out += self.s->view(), add(pad - before);
  return rt.string(out, self.s->markup);
}
Value zfill(Runtime& rt, const Value& self, const Args& args) {
  positional("zfill", args, 1, 1);
  const int64_t width = index_of(rt, args.items[0], "width"), length = static_cast<int64_t>(self.s->length);
  if (width <= length) return self;
  const int64_t pad = width - length;
  if (pad > (int64_t{1} << 26)) fail(Kind::limit, {"a padded string is too long"});
  std::string out(self.s->view());
  out.insert(!out.empty() && (out[0] == '-' || out[0] == '+') ? 1 : 0, static_cast<size_t>(pad), '0');
  return rt.string(out, self.s->markup);
}
Value expandtabs(Runtime& rt, const Value& self, const Args& args) {
  const auto [size] = bind("expandtabs", args, {"tabsize"});
  const int64_t tab = size.is_missing() ? 8 : index_of(rt, size, "tabsize");
  if (tab > 65536) fail(Kind::limit, {"the tab size is too large"});
  std::string out;
  int64_t column = 0;
  for (const char c : self.s->view()) {
    if (c == '\t') {
      const int64_t n = tab > 0 ? tab - column % tab : 0;
      rt.charge_bytes(static_cast<size_t>(n));
      if (out.size() > (size_t{1} << 28)) fail(Kind::limit, {"a string is too long"});
      out.append(static_cast<size_t>(n), ' '), column += n;
    } else {
      out += c;
      if (c == '\n' || c == '\r') column = 0;
      else column += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }
  }
  return rt.string(out, self.s->markup);
}
Value replace(Runtime& rt, const Value& self, const Args& args) {
  positional("replace", args, 2, 3);
  const Str *from = string_of(rt, args.items[0], "replace"), *to = string_of(rt, args.items[1], "replace");
  const int64_t most = args.size > 2 ? index_of(rt, args.items[2], "count") : -1;
  return Value::of(replace_text(rt, self.s, from, self.s->markup ? escape(rt, Value::of(to)) : to, most));
}
Value encode_method(Runtime& rt, const Value& self, const Args& args) {
  const auto [encoding, errors] = bind("encode", args, {"encoding", "errors"});
  (void)errors;
  std::string name = "utf-8";
  if (!encoding.is_missing()) name = lower(string_of(rt, encoding, "encode")->view());
  if (name != "utf-8" && name != "utf8" && name != "ascii")
    fail(Kind::lookup, {"unknown encoding: ", name, " (utf-8 and ascii are supported)"});
  if (name == "ascii" && !self.s->ascii()) fail(Kind::value, {"'ascii' codec can't encode characters"});
  return Value::of(static_cast<Object*>(rt.arena.make<Bytes>(self.s->view())));
}
Value translate(Runtime& rt, const Value& self, const Args& args) {
  positional("translate", args, 1, 1);
  const Value& table = args.items[0];
  std::string out;
  for (const char *p = self.s->data, *end = p + self.s->size; p < end;) {
    const char* start = p;
    const uint32_t c = decode(p);
    rt.charge(1);
    const Value to = get_item(rt, table, Value::of(static_cast<int64_t>(c)));
    if (to.is_undefined()) out.append(start, p);
    else if (to.is_string()) out += to.s->view();
    else if (to.is_int() && to.as_int() >= 0 && to.as_int() < 0x110000) encode(out, static_cast<uint32_t>(to.as_int()));
    else if (!to.is_none()) fail(Kind::type, {"character mapping must return integer, None or str"});
    if (out.size() > (size_t{1} << 28)) fail(Kind::limit, {"a string is too long"});
  }
  return rt.string(out, self.s->markup);
}
Value format(Runtime& rt, const Value& self, const Args& args) { return brace_format(rt, self.s, args, nullptr); }
Value format_map(Runtime& rt, const Value& self, const Args& args) {
  positional("format_map", args, 1, 1);
  if (!args.items[0].is(Tag::dict)) fail(Kind::type, {"format_map() argument must be a mapping"});
  return brace_format(rt, self.s, {}, args.items[0].m);
}
Value isidentifier(Runtime&, const Value& self, const Args& args) {
  positional("isidentifier", args, 0, 0);
  const char *p = self.s->data, *end = p + self.s->size;
  if (p == end || !is_name_start(decode(p))) return Value::of(false);
  while (p < end)
    if (!is_name_part(decode(p))) return Value::of(false);
  return Value::of(true);
}
Value isprintable(Runtime& rt, const Value& self, const Args& args) {
  return Value::of(self.s->size == 0 || all<is_printable>(rt, self, args).b);
}
Value isascii(Runtime& rt, const Value& self, const Args& args) {
  return Value::of(self.s->size == 0 || all<ascii_point>(rt, self, args).b);
}

constexpr Method kMethods[] = {
    {"capitalize", mapped<capitalize>}, {"casefold", mapped<casefold>}, {"center", justify<Align::center>},
    {"count", count}, {"encode", encode_method}, {"endswith", affix<true>}, {"expandtabs", expandtabs},
    {"find", find<false>}, {"format", format}, {"format_map", format_map}, {"index", index<false>},
    {"isalnum", all<alnum>}, {"isalpha", all<is_alpha>}, {"isascii", isascii}, {"isdecimal", all<is_decimal>},
    {"isdigit", all<is_digit>}, {"isidentifier", isidentifier}, {"islower", is_case<is_lower, is_upper>},
    {"isnumeric", all<is_numeric>}, {"isprintable", isprintable}, {"isspace", all<is_space>}, {"istitle", istitle},
    {"isupper", is_case<is_upper, is_lower>}, {"join", join}, {"ljust", justify<Align::left>},
    {"lower", mapped<lower>}, {"lstrip", strip_method<true, false>}, {"partition", partition<false>},
    {"removeprefix", remove_affix<false>}, {"removesuffix", remove_affix<true>}, {"replace", replace},
    {"rfind", find<true>}, {"rindex", index<true>}, {"rjust", justify<Align::right>}, {"rpartition", partition<true>},
    {"rsplit", split<true>}, {"rstrip", strip_method<false, true>}, {"split", split<false>},
    {"splitlines", splitlines}, {"startswith", affix<false>}, {"strip", strip_method<true, true>},
    {"swapcase", mapped<swapcase>}, {"title", mapped<title>}, {"translate", translate}, {"upper", mapped<upper>},
    {"zfill", zfill}};

}  // namespace

const Str* replace_text(Runtime& rt, const Str* text, const Str* from, const Str* to, int64_t most) {
  if (most < 0) most = INT64_MAX;
  const std::string_view s = text->view(), f = from->view(), t = to->view();
  rt.charge_bytes(s.size());
  if (f.size() > s.size() || most == 0) return text;
  std::string out;
  size_t at = 0;
  const auto grow = [&](std::string_view part) {
    if (out.size() + part.size() > (size_t{1} << 28)) fail(Kind::limit, {"a string is too long"});
    out += part;
  };
  if (f.empty()) {
    while (most-- > 0) {
      grow(t);
      if (at >= s.size()) break;
      const size_t n = byte_offset(s.substr(at, 4), 1);
      grow(s.substr(at, n)), at += n;
    }
  } else {
    size_t next;
    if (find_text(s, f) == kNone) return text;
    while (most-- > 0 && (next = find_text(s, f, at)) != kNone) grow(s.substr(at, next - at)), grow(t), at = next + f.size();
  }
  if (at < s.size()) grow(s.substr(at));
  return rt.copy(out, text->markup);
}

const Method* find_str_method(std::string_view name) {
  const Method* m = std::lower_bound(std::begin(kMethods), std::end(kMethods), name,
                                     [](const Method& a, std::string_view b) { return a.name < b; });
  return m != std::end(kMethods) && m->name == name ? m : nullptr;
}

}  // namespace transformers::jinja
