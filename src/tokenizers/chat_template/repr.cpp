// str() and repr() as Python prints them, and writing values to the output.
#include <charconv>
#include <cmath>

#include "tokenizers/chat_template/bigint.h"
#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {

std::string float_repr(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific).ptr;
  std::string digits, out;
  const char* p = buffer;
  if (*p == '-') out += '-', ++p;
  while (p < end && *p != 'e') {
    if (*p != '.') digits += *p;
    ++p;
  }
  int exponent = 0;
  const char* from = p + 1 + (p[1] == '+');
  std::from_chars(from, end, exponent);
  const int n = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (n > 1) out += '.', out.append(digits, 1);
    out += exponent < 0 ? "e-" : "e+";
    const int e = std::abs(exponent);
    if (e < 10) out += '0';
    return out + std::to_string(e);
  }
  if (exponent < 0) return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  if (n <= exponent + 1) return out + digits + std::string(static_cast<size_t>(exponent + 1 - n), '0') + ".0";
  return out + digits.substr(0, size_t(exponent) + 1) + "." + digits.substr(size_t(exponent) + 1);
}

void append_string_repr(std::string& out, std::string_view s) {
  const char quote = s.find('\'') != std::string_view::npos && s.find('"') == std::string_view::npos ? '"' : '\'';
  out += quote;
  char escape[16];
  for (const char *p = s.data(), *end = p + s.size(); p < end;) {
    const char* start = p;
    const uint32_t c = decode(p);
    if (c == static_cast<uint32_t>(quote) || c == '\\') out += '\\', out += static_cast<char>(c);
    else if (c == '\n') out += "\\n";
    else if (c == '\r') out += "\\r";
    else if (c == '\t') out += "\\t";
    else if (is_printable(c)) out.append(start, p);
    else {
      std::snprintf(escape, sizeof escape, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
      out += escape;
    }
  }
  out += quote;
}

namespace {
void append_items(Runtime& rt, std::string& out, const List& l) {
  for (size_t i = 0; i < l.size; ++i) {
    if (i) out += ", ";
    append_repr(rt, out, l.items[i]);
  }
}
void append_integer(Runtime&, std::string& out, const Value& v) {
  const std::string digits = v.is(Tag::big) ? Big(v).to_string() : std::to_string(v.i);
  if (digits.size() > 4300) fail(Kind::value, {"Exceeds the limit (4300 digits) for integer string conversion"});
  out += digits;
}
}  // namespace

void append_repr(Runtime& rt, std::string& out, const Value& v) {
  rt.check_stack(), rt.charge(1);
  switch (v.tag) {
    case Tag::missing: out += "missing"; return;
    case Tag::undefined: out += "Undefined"; return;
    case Tag::none: out += "None"; return;
    case Tag::boolean: out += v.b ? "True" : "False"; return;
    case Tag::integer: case Tag::big: append_integer(rt, out, v); return;
    case Tag::real: out += float_repr(v.d); return;
    case Tag::string:
      rt.charge_bytes(v.s->size);
      if (v.s->markup) out += "Markup(";
      append_string_repr(out, v.s->view());
      if (v.s->markup) out += ")";
      return;
    case Tag::list:
      out += '[', append_items(rt, out, *v.l), out += ']';
      return;
    case Tag::tuple:
      out += '(', append_items(rt, out, *v.l), out += v.l->size == 1 ? ",)" : ")";
      return;
    case Tag::dict: {
      out += '{';
      bool first = true;
      for (const Dict::Entry& e : *v.m) {
        if (!first) out += ", ";
        first = false;
        append_repr(rt, out, e.key);
        out += ": ";
        append_repr(rt, out, e.value);
      }
      out += '}';
      return;
    }
    case Tag::object: v.o->repr(rt, out); return;
  }
}
void append_str(Runtime& rt, std::string& out, const Value& v) {
  if (v.is_string()) out += v.s->view();
  else if (!v.is_undefined()) append_repr(rt, out, v);
}
std::string to_text(Runtime& rt, const Value& v) {
  std::string out;
  append_str(rt, out, v);
  return out;
}
const Str* to_str(Runtime& rt, const Value& v) { return v.is_string() ? v.s : rt.copy(to_text(rt, v)); }

const Str* escape(Runtime& rt, const Value& v) {
  if (v.is_string() && v.s->markup) return v.s;
  const Str* s = to_str(rt, v);
  rt.charge_bytes(s->size);
  return rt.copy(escape_html(s->view()), true);
}

void Runtime::print(const Value& v) {
  if (autoescape && !(v.is_string() && v.s->markup)) {
    write(escape(*this, v)->view());
  } else if (v.is_string()) {
    charge_bytes(v.s->size);
    write(v.s->view());
  } else {
    write(to_text(*this, v));
  }
}

const Str* Runtime::concat(const Str* a, const Str* b) {
  if (b->size == 0 && a->markup >= b->markup) return a;
  const size_t size = a->size + b->size;
  const bool markup = a->markup || b->markup;
  charge_bytes(b->size);
  if (StrBuffer* room = a->buffer; room && a->data + a->size == room->data + room->used &&
                                   b->size <= room->capacity - room->used) {
    std::memcpy(room->data + room->used, b->data, b->size);
    room->used += b->size;
    return arena.make<Str>(a->data, size, a->length + b->length, markup, room);
  }
  StrBuffer* room = nullptr;
  size_t capacity = size;
  if (size >= 128) capacity = size * 2, room = arena.make<StrBuffer>();
  char* p = arena.chars(capacity);
  if (a->size) std::memcpy(p, a->data, a->size);
  if (b->size) std::memcpy(p + a->size, b->data, b->size);
  charge_bytes(a->size);
  if (room) *room = {size, capacity, p};
  return arena.make<Str>(p, size, a->length + b->length, markup, room);
}

}  // namespace transformers::jinja
