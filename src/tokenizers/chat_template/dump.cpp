// tojson: Python's json.dumps. Reference: CPython's json/encoder.py.
#include <algorithm>
#include <cmath>

#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {
namespace {

class Dumper {
 public:
  Dumper(Runtime& rt, const DumpOptions& options) : rt_(rt), o_(options) {}
  std::string out;

  void value(const Value& v, int depth) {
    rt_.check_stack(), rt_.charge(1);
    if (out.size() > (size_t{1} << 28)) fail(Kind::limit, {"the JSON text is too long"});
    switch (v.tag) {
      case Tag::none: out += "null"; return;
      case Tag::boolean: out += v.b ? "true" : "false"; return;
      case Tag::integer: case Tag::big: append_repr(rt_, out, v); return;
      case Tag::real: out += real(v.d); return;
      case Tag::string: string(v.s->view()); return;
      case Tag::list: case Tag::tuple:
        open('[', v.l->size);
        for (size_t i = 0; i < v.l->size; ++i) item(i, depth + 1), value(v.l->items[i], depth + 1);
        close(']', v.l->size, depth);
        return;
      case Tag::dict: dict(*v.m, depth); return;
      default: fail(Kind::type, {"Object of type ", type_name(v), " is not JSON serializable"});
    }
  }

 private:
  static std::string real(double d) {
    return std::isnan(d) ? "NaN" : std::isinf(d) ? (d < 0 ? "-Infinity" : "Infinity") : float_repr(d);
  }
  void open(char bracket, size_t) { out += bracket; }
  void close(char bracket, size_t size, int depth) {
    if (size && o_.pretty) newline(depth);
    out += bracket;
  }
  void newline(int depth) {
    out += '\n';
    rt_.charge_bytes(o_.indent.size() * static_cast<size_t>(depth));
    for (int i = 0; i < depth; ++i) out += o_.indent;
  }
  void item(size_t i, int depth) {
    if (i) out += o_.item_separator;
    if (o_.pretty) newline(depth);
  }
  void dict(const Dict& d, int depth) {
    out += '{';
    std::vector<const Dict::Entry*> order;
    for (const Dict::Entry& e : d) order.push_back(&e);
    if (o_.sort_keys)
      std::stable_sort(order.begin(), order.end(),
                       [this](const Dict::Entry* a, const Dict::Entry* b) { return less(rt_, a->key, b->key); });
    for (size_t i = 0; i < order.size(); ++i) {
      item(i, depth + 1);
      const Value& k = order[i]->key;
      if (k.is_string()) string(k.s->view());
      else if (k.is_none()) out += "\"null\"";
      else if (k.is(Tag::boolean)) out += k.b ? "\"true\"" : "\"false\"";
      else if (k.is(Tag::real)) out += '"', out += real(k.d), out += '"';
      else if (k.is_number()) out += '"', append_repr(rt_, out, k), out += '"';
      else fail(Kind::type, {"keys must be str, int, float, bool or None, not ", type_name(k)});
      out += o_.key_separator;
      value(order[i]->value, depth + 1);
    }
    close('}', d.size, depth);
  }
  void string(std::string_view s) {
    rt_.charge_bytes(s.size());
    out += '"';
    char buffer[16];
    for (const char *p = s.data(), *end = p + s.size(); p < end;) {
      const char* run = p;  // what needs no escape is written at once
      while (p < end && static_cast<unsigned char>(*p) >= 32 && *p != '"' && *p != '\\' &&
             !(o_.ascii && static_cast<unsigned char>(*p) >= 127))
        ++p;
      out.append(run, p);
      if (p == end) break;
      const unsigned char c = static_cast<unsigned char>(*p);
      if (c == '"' || c == '\\') out += '\\', out += *p++;
      else if (c == '\n') out += "\\n", ++p;
      else if (c == '\r') out += "\\r", ++p;
      else if (c == '\t') out += "\\t", ++p;
      else if (c == '\f') out += "\\f", ++p;
      else if (c == '\b') out += "\\b", ++p;
      else {
        uint32_t point = decode(p);
        if (point == 127) {
          out += '\x7f';
          continue;
        }
        if (point >= 0x10000) {
          point -= 0x10000;
          std::snprintf(buffer, sizeof buffer, "\\u%04x\\u%04x", 0xD800 + (point >> 10), 0xDC00 + (point & 0x3FF));
        } else {
          std::snprintf(buffer, sizeof buffer, "\\u%04x", point);
        }
        out += buffer;
      }
    }
    out += '"';
  }
  Runtime& rt_;
  const DumpOptions& o_;
};

}  // namespace

std::string dump_json(Runtime& rt, const Value& v, const DumpOptions& options) {
  Dumper d(rt, options);
  d.value(v, 0);
  return std::move(d.out);
}

}  // namespace transformers::jinja
