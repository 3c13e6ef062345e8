// Filters on text.
#include <algorithm>
#include <iterator>

#include "tokenizers/chat_template/filters.h"

namespace transformers::jinja {
namespace {

Value keep_markup(Runtime& rt, const Str* s, std::string text) { return rt.string(text, s->markup); }

template <std::string (*F)(std::string_view)>
Value mapped(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("filter", args);
  const Str* s = to_str(rt, in);
  rt.charge_bytes(s->size * 8);
  return keep_markup(rt, s, F(s->view()));
}
// jinja's title starts words after spaces and -({[<, and lowers the rest.
std::string title_words(std::string_view s) {
  std::string out;
  bool start = true;
  size_t from = 0;
  const auto flush = [&](size_t to) {
    const std::string_view word = s.substr(from, to - from);
    const size_t first = byte_offset(word, 1);
    if (!word.empty()) out += upper(word.substr(0, first)) + lower(word.substr(first));
    from = to;
  };
  for (const char *p = s.data(), *end = p + s.size(); p < end;) {
    const char* at = p;
    const uint32_t c = decode(p);
    const bool separator = is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    if (separator != start) flush(static_cast<size_t>(at - s.data()));
    start = separator;
  }
  flush(s.size());
  return out;
}

Value trim(Runtime& rt, const Value& in, const Args& args) {
  const auto [chars] = bind("trim", args, {"chars"});
  const Str* s = to_str(rt, in);
  rt.charge_bytes(s->size);
  if (chars.is_missing() || chars.is_none()) return Value::of(rt.view(strip(s->view()), s->markup));
  const Str* set = string_of(rt, chars, "strip");
  rt.charge_bytes(s->size + set->size * 8);
  return Value::of(rt.view(strip_chars(s->view(), set->view()), s->markup));
}
Value replace(Runtime& rt, const Value& in, const Args& args) {
  const auto [from, to, count] = bind("replace", args, {"old", "new", "count"}, 2);
  const int64_t most = count.is_missing() || count.is_none() ? -1 : index_of(rt, count, "count");
  const Str* s = to_str(rt, in);
  const Str *f = to_str(rt, from), *t = to_str(rt, to);
  if (rt.autoescape || s->markup) s = escape(rt, Value::of(s)), t = escape(rt, Value::of(t));
  return Value::of(replace_text(rt, s, f, t, most));
}
Value string(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("string", args);
  return Value::of(to_str(rt, in));
}
Value center(Runtime& rt, const Value& in, const Args& args) {
  const auto [width] = bind("center", args, {"width"});
  const Value n = Value::of(integer(rt, width, 80, "width"));
  return find_str_method("center")->fn(rt, Value::of(to_str(rt, in)), {&n, 1});
}
Value indent(Runtime& rt, const Value& in, const Args& args) {
  const auto [width, first, blank] = bind("indent", args, {"width", "first", "blank"});
  const Str* s = string_of(rt, in, "indent");
  std::string by;
  if (width.is_string()) by = width.s->view();
  else by.assign(static_cast<size_t>(std::clamp<int64_t>(integer(rt, width, 4, "width"), 0, 100000)), ' ');
  const bool indent_blank = flag(rt, blank, false);
  std::string out;
  if (flag(rt, first, false)) out += by;
  // A newline is added, so that the last line counts even when the text ends with one.
  std::vector<std::string_view> lines;
  const char *start = s->data, *end = start + s->size;
  for (const char* p = start; p < end;) {
    const size_t n = line_break(p, end);
    if (n == 0) {
      decode(p);
      continue;
    }
    lines.emplace_back(start, static_cast<size_t>(p - start));
    start = p += n;
  }
  lines.emplace_back(start, static_cast<size_t>(end - start));
  for (size_t i = 0; i < lines.size(); ++i) {
    rt.charge_bytes(by.size() + lines[i].size());
    if (out.size() + by.size() > (size_t{1} << 28)) fail(Kind::limit, {"a string is too long"});
    if (i) {
      out += '\n';
      if (indent_blank || !lines[i].empty()) out += by;
    }
    out += lines[i];
  }
  return keep_markup(rt, s, out);
}
Value truncate(Runtime& rt, const Value& in, const Args& args) {
  const auto [length, kill, end, leeway] = bind("truncate", args, {"length", "killwords", "end", "leeway"});
  const Str* s = to_str(rt, in);
  const Str* tail = end.is_missing() ? rt.view("...") : to_str(rt, end);
  const int64_t most = integer(rt, length, 255, "length"), tail_length = static_cast<int64_t>(tail->length);
  int64_t slack = leeway.is_missing() || leeway.is_none() ? 5 : index_of(rt, leeway, "leeway");
  if (most < tail_length) fail(Kind::runtime, {"expected length >= ", tail_length, ", got ", most});
  if (slack < 0) fail(Kind::runtime, {"expected leeway >= 0, got ", slack});
  slack = std::min<int64_t>(slack, 1 << 30);
  if (static_cast<int64_t>(s->length) - slack <= most) return Value::of(s);
  std::string_view kept = s->view().substr(0, byte_offset(s->view(), static_cast<size_t>(most - tail_length)));
  if (!flag(rt, kill, false)) kept = kept.substr(0, kept.rfind(' '));
  return keep_markup(rt, s, cat({kept, tail->view()}));
}

// textwrap.wrap for one paragraph; expand_tabs and replace_whitespace are off in jinja's use.
void wrap_paragraph(Runtime& rt, std::string_view text, size_t width, bool break_long, bool break_hyphens,
                    std::vector<std::string>& out) {
  struct Chunk { std::string_view text; size_t length; bool space; };
  std::vector<Chunk> chunks;
  const auto push = [&](std::string_view t, bool space) { if (!t.empty()) chunks.push_back({t, count_points(t), space}); };
  const auto is_ws = [](char c) { return c == ' ' || (c >= 9 && c <= 13); };
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    const bool space = is_ws(text[i]);
    while (end < text.size() && is_ws(text[end]) == space) ++end;
    if (!space && break_hyphens) {  // words may break after a hyphen between letters
      const auto letter = [&](size_t k) {
        const unsigned char c = k < end ? static_cast<unsigned char>(text[k]) : 0;
        return c >= 0x80 || c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z');
      };
      for (size_t k = i + 1; k + 1 < end; ++k)
        if (text[k] == '-' && letter(k - 1) && k >= i + 2 && letter(k - 2) && letter(k + 1) && letter(k + 2))
          push(text.substr(i, k + 1 - i), false), i = k + 1;
    }
    push(text.substr(i, end - i), space);
    i = end;
  }
  for (size_t at = 0; at < chunks.size();) {
    rt.charge(1);
    if (chunks[at].space && !out.empty()) ++at;
    std::string line;
    size_t length = 0;
    const size_t start = at;
    while (at < chunks.size() && length + chunks[at].length <= width) length += chunks[at].length, ++at;
    std::string_view broken;
    if (at < chunks.size() && chunks[at].length > width) {
      const size_t room = width > length ? width - length : (at == start ? 1 : 0);
      if (break_long) {
        broken = chunks[at].text.substr(0, byte_offset(chunks[at].text, room));
        chunks[at].text.remove_prefix(broken.size()), chunks[at].length -= std::min(room, chunks[at].length);
      } else if (at == start) {
        ++at;
      }
    }
    size_t stop = at;
    if (broken.empty() && stop > start && chunks[stop - 1].space) --stop;
    for (size_t k = start; k < stop; ++k) line += chunks[k].text;
    line += broken;
    if (stop > start || !broken.empty()) out.push_back(line);
  }
}
Value wordwrap(Runtime& rt, const Value& in, const Args& args) {
  const auto [width, break_long, newline, hyphens] =
      bind("wordwrap", args, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  const Str* s = to_str(rt, in);
  const int64_t columns = integer(rt, width, 79, "width");
  if (columns <= 0) fail(Kind::value, {"invalid width ", columns, " (must be > 0)"});
  const std::string by = newline.is_missing() || newline.is_none() ? "\n" : to_text(rt, newline);
  std::string out;
  const Value lines = find_str_method("splitlines")->fn(rt, Value::of(s), {});
  for (size_t i = 0; i < lines.l->size; ++i) {
    std::vector<std::string> wrapped;
    wrap_paragraph(rt, lines.l->items[i].s->view(), static_cast<size_t>(columns), flag(rt, break_long, true),
                   flag(rt, hyphens, true), wrapped);
    if (i) out += by;
    for (size_t k = 0; k < wrapped.size(); ++k) {
      if (k) out += by;
      out += wrapped[k];
      if (out.size() > (size_t{1} << 28)) fail(Kind::limit, {"a string is too long"});
    }
  }
  return rt.string(out);
}
Value wordcount(Runtime& rt, const Value& in, const Args& args) {
  no_arguments("wordcount", args);
  const Str* s = to_str(rt, in);
  rt.charge_bytes(s->size * 4);
  int64_t n = 0;
  bool in_word = false;
  for (const char *p = s->data, *end = p + s->size; p < end;) {
    const bool word = is_name_part(decode(p));
    n += word && !in_word;
    in_word = word;
  }
  return Value::of(n);
}
Value format(Runtime& rt, const Value& in, const Args& args) {
  if (args.size && args.keyword_count)
    fail(Kind::runtime, {"can't handle positional and keyword arguments at the same time"});
  const Str* s = to_str(rt, in);
  if (!args.keyword_count) return percent_format(rt, s, Value::tuple(rt.arena.make<List>(args.items, args.size)));
  Dict* d = rt.arena.make<Dict>();
  for (size_t k = 0; k < args.keyword_count; ++k) d->set(rt, Value::of(args.keywords[k].name), args.keywords[k].value);
  return percent_format(rt, s, Value::of(static_cast<const Dict*>(d)));
}

constexpr NamedFilter kFilters[] = {
    {"capitalize", mapped<capitalize>}, {"center", center}, {"format", format}, {"indent", indent},
    {"lower", mapped<lower>}, {"replace", replace}, {"string", string}, {"title", mapped<title_words>},
    {"trim", trim}, {"truncate", truncate}, {"upper", mapped<upper>}, {"wordcount", wordcount},
    {"wordwrap", wordwrap}};

}  // namespace

FilterTable text_filters() { return {std::begin(kFilters), std::end(kFilters)}; }

}  // namespace transformers::jinja
