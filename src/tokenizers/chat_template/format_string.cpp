// "..." % values and "...".format(values).
#include <cmath>

#include "tokenizers/chat_template/bigint.h"
#include "tokenizers/chat_template/format.h"
#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {
namespace {

void check_size(const std::string& out) {
  if (out.size() > (size_t{1} << 28)) fail(Kind::limit, {"a formatted string is too long"});
}

// ---- %

class PercentFormatter {
 public:
  PercentFormatter(Runtime& rt, const Str* format, const Value& args) : rt_(rt), s_(format->view()), args_(args) {
    markup_ = format->markup;
  }
  Value run() {
    std::string out;
    while (at_ < s_.size()) {
      const size_t next = s_.find('%', at_);
      out += s_.substr(at_, next - at_);
      if (next == std::string_view::npos) break;
      at_ = next + 1;
      conversion(out);
      rt_.charge(1), check_size(out);
    }
    const bool all_used = args_.is(Tag::tuple) ? used_ >= args_.l->size
                                               : used_ > 0 || args_.is(Tag::dict) || args_.is(Tag::list);
    if (!all_used && !mapped_) fail(Kind::type, {"not all arguments converted during string formatting"});
    return rt_.string(out, markup_);
  }

 private:
  char peek() const {
    if (at_ >= s_.size()) fail(Kind::value, {"incomplete format"});
    return s_[at_];
  }
  Value next_argument() {
    if (args_.is(Tag::tuple)) {
      if (used_ < args_.l->size) return args_.l->items[used_++];
    } else if (used_++ == 0) {
      return args_;
    }
    fail(Kind::type, {"not enough arguments for format string"});
  }
  int64_t number(int64_t absent) {
    if (peek() == '*') {
      ++at_;
      const int64_t n = index_of(rt_, next_argument(), "* wants int");
      if (n > (int64_t{1} << 31) || n < -(int64_t{1} << 31)) fail(Kind::value, {"width too big"});
      return n;
    }
    int64_t n = 0;
    bool any = false;
    for (; peek() >= '0' && peek() <= '9'; ++at_, any = true)
      if ((n = n * 10 + (s_[at_] - '0')) > (int64_t{1} << 31)) fail(Kind::value, {"width too big"});
    return any ? n : absent;
  }
  void conversion(std::string& out) {
    FormatSpec f;
    Value value;
    if (peek() == '(') {
      int depth = 1;
      const size_t start = ++at_;
      for (; depth > 0; ++at_) {
        if (at_ >= s_.size()) fail(Kind::value, {"incomplete format key"});
        depth += s_[at_] == '(' ? 1 : s_[at_] == ')' ? -1 : 0;
      }
      const std::string_view key = s_.substr(start, at_ - start - 1);
      if (!args_.is(Tag::dict)) fail(Kind::type, {"format requires a mapping"});
      const Value* found = args_.m->find(key);
      if (!found) fail(Kind::lookup, {"'", key, "'"});
      value = *found, mapped_ = true;
    }
    bool left = false;
    for (;; ++at_) {
      const char c = peek();
      if (c == '-') left = true;
      else if (c == '+') f.sign = '+';
      else if (c == ' ') f.sign = f.sign == '+' ? '+' : ' ';
      else if (c == '0') f.zero = true;
      else if (c == '#') f.alternate = true;
      else break;
    }
    f.width = number(0);
    if (f.width < 0) left = true, f.width = -f.width;
    if (peek() == '.') ++at_, f.precision = std::max<int64_t>(0, number(0));
    while (peek() == 'l' || peek() == 'h' || peek() == 'L') ++at_;
    f.type = peek(), ++at_;
    if (f.type == '%') {
      out += '%';
      return;
    }
    if (std::string_view("sradiuxXoeEfFgGc").find(f.type) == std::string_view::npos)
      fail(Kind::value, {"unsupported format character '", std::string(1, f.type), "'"});
    if (value.is_missing()) value = next_argument();
    f.align = left ? '<' : 0;
    convert(out, f, value, left);
  }
  void convert(std::string& out, FormatSpec& f, const Value& v, bool left) {
    std::string sign, body;
    switch (f.type) {
      case 's': case 'r': case 'a':
        if (f.type == 's') body = markup_ ? std::string(escape(rt_, v)->view()) : to_text(rt_, v);
        else append_repr(rt_, body, v);
        if (f.precision >= 0) body.resize(byte_offset(body, static_cast<size_t>(f.precision)));
        out += pad(rt_, f, "", body, '>');
        return;
      case 'c':
        if (v.is_string() && v.s->length == 1) body = v.s->view();
        else if (v.is_int() && v.as_int() >= 0 && v.as_int() < 0x110000) encode(body, static_cast<uint32_t>(v.as_int()));
        else fail(Kind::type, {"%c requires int or char"});
        out += pad(rt_, f, "", body, '>');
        return;
      case 'd': case 'i': case 'u': case 'x': case 'X': case 'o': {
        require_defined(rt_, v);
        const bool decimal = f.type == 'd' || f.type == 'i' || f.type == 'u';
        if (!v.is_number() || (!decimal && v.is(Tag::real)))
          fail(Kind::type, {"%", std::string(1, f.type), " format: a real number is required, not ", type_name(v)});
        const Value whole = v.is(Tag::real) ? float_to_int(rt_, v.d) : v;
        body = integer_digits(rt_, whole, decimal ? 'd' : f.type);
        if (f.precision > 10000) fail(Kind::value, {"prec too big"});
        if (f.precision > static_cast<int64_t>(body.size())) body.insert(0, static_cast<size_t>(f.precision) - body.size(), '0');
        if (whole.is(Tag::big) ? whole.big->negative : whole.as_int() < 0) sign = "-";
        else if (f.sign != '-') sign = f.sign;
        if (f.alternate && !decimal) sign += '0', sign += f.type;
        break;
      }
      default: {
        const double d = to_double(rt_, v);
        body = real_digits(d, f.type, f.precision < 0 ? 6 : f.precision, f.alternate);
        if (std::signbit(d) && !std::isnan(d)) sign = "-";
        else if (f.sign != '-') sign = f.sign;
      }
    }
    if (f.zero && !left) f.fill = "0", f.align = '=';
    out += pad(rt_, f, sign, body, '>');
  }

  Runtime& rt_;
  std::string_view s_;
  Value args_;
  size_t at_ = 0, used_ = 0;
  bool mapped_ = false, markup_ = false;
};

// ---- format

class BraceFormatter {
 public:
  BraceFormatter(Runtime& rt, const Args& args, const Dict* map, bool markup)
      : rt_(rt), args_(args), map_(map), markup_(markup) {}

  std::string run(std::string_view s, int depth) {
    if (depth < 0) fail(Kind::value, {"Max string recursion exceeded"});
    std::string out;
    for (size_t i = 0; i < s.size();) {
      if (s[i] == '{' || s[i] == '}') {
        if (i + 1 < s.size() && s[i + 1] == s[i]) {
          out += s[i], i += 2;
          continue;
        }
        if (s[i] == '}') fail(Kind::value, {"Single '}' encountered in format string"});
        size_t end = i + 1;
        int open = 1;
        for (; end < s.size(); ++end) {
          open += s[end] == '{' ? 1 : s[end] == '}' ? -1 : 0;
          if (open == 0) break;
        }
        if (open) fail(Kind::value, {i + 1 == s.size() ? "Single '{' encountered in format string" : "expected '}' before end of string"});
        field(out, s.substr(i + 1, end - i - 1), depth);
        i = end + 1;
      } else {
        out += s[i++];
      }
      check_size(out);
    }
    return out;
  }

 private:
  void field(std::string& out, std::string_view f, int depth) {
    rt_.charge(1);
    size_t end = 0;  // of the name: up to ! or : outside brackets
    bool bracket = false;
    for (; end < f.size(); ++end) {
      if (f[end] == '[') bracket = true;
      else if (f[end] == ']') bracket = false;
      else if (!bracket && (f[end] == '!' || f[end] == ':')) break;
    }
    const std::string_view name = f.substr(0, end);
    char conversion = 0;
    std::string_view spec;
    if (end < f.size() && f[end] == '!') {
      if (end + 1 >= f.size()) fail(Kind::value, {"end of string while looking for conversion specifier"});
      conversion = f[end + 1], end += 2;
      if (end < f.size() && f[end] != ':') fail(Kind::value, {"expected ':' after conversion specifier"});
    }
    if (end < f.size()) spec = f.substr(end + 1);
    Value v = lookup(name);
    if (conversion == 'r' || conversion == 'a') {
      std::string text;
      append_repr(rt_, text, v);
      v = rt_.string(text);
    } else if (conversion == 's') {
      v = Value::of(to_str(rt_, v));
    } else if (conversion) {
      fail(Kind::value, {"Unknown conversion specifier ", std::string(1, conversion)});
    }
    const std::string final_spec = spec.find('{') == std::string_view::npos ? std::string(spec) : run(spec, depth - 1);
    const std::string text = format_value(rt_, v, final_spec);
    out += markup_ && !(v.is_string() && v.s->markup) ? escape_html(text) : text;
  }
  Value lookup(std::string_view name) {
    size_t i = name.find_first_of(".[");
    if (i == std::string_view::npos) i = name.size();
    const std::string_view first = name.substr(0, i);
    Value v;
    int64_t position = -1;
    if (first.empty()) {
      if (manual_) fail(Kind::value, {"cannot switch from manual field specification to automatic field numbering"});
      position = automatic_++;
    } else if (first.find_first_not_of("0123456789") == std::string_view::npos) {
      if (automatic_) fail(Kind::value, {"cannot switch from automatic field numbering to manual field specification"});
      manual_ = true;
      position = first.size() > 9 ? INT64_MAX : std::stoll(std::string(first));
    }
    if (position >= 0) {
      if (position >= static_cast<int64_t>(args_.size))
        fail(Kind::lookup, {"Replacement index ", position, " out of range for positional args tuple"});
      v = args_.items[position];
    } else {
      for (size_t k = 0; k < args_.keyword_count; ++k)
        if (args_.keywords[k].name->view() == first) v = args_.keywords[k].value;
      if (map_)
        if (const Value* found = map_->find(first)) v = *found;
      if (v.is_missing()) fail(Kind::lookup, {"'", first, "'"});
    }
    while (i < name.size()) {
      rt_.charge(1);
      if (name[i] == '.') {
        size_t end = name.find_first_of(".[", i + 1);
        if (end == std::string_view::npos) end = name.size();
        if (end == i + 1) fail(Kind::value, {"Empty attribute in format string"});
        v = get_attribute(rt_, v, rt_.copy(name.substr(i + 1, end - i - 1)));
        i = end;
      } else {
        const size_t end = name[i] == '[' ? name.find(']', i) : std::string_view::npos;
        if (end == std::string_view::npos) fail(Kind::value, {"Missing ']' in format string"});
        const std::string_view key = name.substr(i + 1, end - i - 1);
        if (key.empty()) fail(Kind::value, {"Empty attribute in format string"});
        const bool index = key.size() < 10 && key.find_first_not_of("0123456789") == std::string_view::npos;
        v = get_item(rt_, v, index ? Value::of(static_cast<int64_t>(std::stoll(std::string(key)))) : rt_.string(key));
        i = end + 1;
        if (i < name.size() && name[i] != '.' && name[i] != '[')
          fail(Kind::value, {"Only '.' or '[' may follow ']' in format field specifier"});
      }
    }
    return v;
  }

  Runtime& rt_;
  const Args& args_;
  const Dict* map_;
  bool markup_, manual_ = false;
  int64_t automatic_ = 0;
};

}  // namespace

Value percent_format(Runtime& rt, const Str* format, const Value& args) {
  return PercentFormatter(rt, format, args).run();
}
Value brace_format(Runtime& rt, const Str* format, const Args& args, const Dict* map) {
  return rt.string(BraceFormatter(rt, args, map, format->markup).run(format->view(), 2), format->markup);
}

}  // namespace transformers::jinja
