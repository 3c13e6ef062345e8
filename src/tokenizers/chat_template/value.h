// Values of the template language: Python's types as far as a chat template can meet them. All are immutable except
// Object subclasses with state (namespace, cycler, iterators). Payloads live in an Arena.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizers/chat_template/arena.h"

namespace transformers::jinja {

class Runtime;
struct Args;
struct Value;

enum class Tag : uint8_t { missing, undefined, none, boolean, integer, real, big, string, list, tuple, dict, object };

/// Spare room behind a string, so that `a ~ b` in a loop appends in place: the last string to end there may grow.
struct StrBuffer {
  size_t used, capacity;
  char* data;
};
struct Str {
  const char* data;
  size_t size;    // bytes
  size_t length;  // code points
  bool markup = false;  // markupsafe.Markup
  StrBuffer* buffer = nullptr;
  std::string_view view() const { return {data, size}; }
  bool ascii() const { return size == length; }
};
struct List {
  const Value* items;
  size_t size;
  bool group = false;  // the (grouper, list) tuple of groupby
  const Value* begin() const { return items; }
  inline const Value* end() const;
};
struct Dict;
struct BigInt;
class Object;
struct Undefined;

struct Value {
  Tag tag = Tag::missing;
  union {
    bool b;
    int64_t i;
    double d;
    const Str* s;
    const List* l;
    const Dict* m;
    const BigInt* big;
    const Undefined* u;
    Object* o;
  };
  Value() : i(0) {}
  static Value none() { Value v; v.tag = Tag::none; return v; }
  static Value of(bool x) { Value v; v.tag = Tag::boolean; v.b = x; return v; }
  static Value of(int64_t x) { Value v; v.tag = Tag::integer; v.i = x; return v; }
  static Value of(size_t x) { return of(static_cast<int64_t>(x)); }
  static Value of(int x) { return of(static_cast<int64_t>(x)); }
  static Value of(double x) { Value v; v.tag = Tag::real; v.d = x; return v; }
  static Value of(const Str* x) { Value v; v.tag = Tag::string; v.s = x; return v; }
  static Value of(const Dict* x) { Value v; v.tag = Tag::dict; v.m = x; return v; }
  static Value of(const BigInt* x) { Value v; v.tag = Tag::big; v.big = x; return v; }
  static Value of(const Undefined* x) { Value v; v.tag = Tag::undefined; v.u = x; return v; }
  static Value of(Object* x) { Value v; v.tag = Tag::object; v.o = x; return v; }
  static Value list(const List* x) { Value v; v.tag = Tag::list; v.l = x; return v; }
  static Value tuple(const List* x) { Value v; v.tag = Tag::tuple; v.l = x; return v; }

  bool is(Tag t) const { return tag == t; }
  bool is_missing() const { return tag == Tag::missing; }
  bool is_undefined() const { return tag == Tag::undefined; }
  bool is_none() const { return tag == Tag::none; }
  bool is_string() const { return tag == Tag::string; }
  bool is_sequence() const { return tag == Tag::list || tag == Tag::tuple; }
  bool is_int() const { return tag == Tag::integer || tag == Tag::boolean; }  // Python's bool is an int
  int64_t as_int() const { return tag == Tag::boolean ? b : i; }              // of is_int()
  bool is_number() const { return is_int() || tag == Tag::real || tag == Tag::big; }
};
inline const Value* List::end() const { return items + size; }

/// What an undefined value came from; makes the message when it is used.
struct Undefined {
  Value owner;  // missing: a plain variable
  Value key;
  const char* hint = nullptr;
  bool security = false;  // using it is a SecurityError
};

/// Insertion-ordered dictionary with Python's key equality (1, 1.0 and True are one key).
struct Dict {
  struct Entry {
    Value key, value;
    size_t hash;
  };
  Entry* entries = nullptr;
  size_t size = 0, capacity = 0;
  uint32_t* index = nullptr;  // open addressing, entry + 1; made beyond 8 entries; hashes are set with it
  size_t index_size = 0;

  const Value* find(Runtime& rt, const Value& key) const;
  const Value* find(std::string_view key) const;
  /// Used only while the dictionary is made. Throws TypeError on an unhashable key.
  void set(Runtime& rt, const Value& key, const Value& value);
  void reserve(Runtime& rt, size_t entries);
  const Entry* begin() const { return entries; }
  const Entry* end() const { return entries + size; }

 private:
  void insert_index(size_t entry);
};

class Iter;
/// Values with behaviour: ranges, macros, functions, iterators, loops, namespaces, views.
class Object {
 public:
  virtual const char* type_name() const = 0;
  virtual void repr(Runtime& rt, std::string& out) const;  ///< Default: <type_name object>.
  virtual bool truthy(Runtime&) const { return true; }
  virtual bool callable() const { return false; }
  virtual Value call(Runtime& rt, const Args& args);  ///< Default: TypeError.
  virtual Iter* iterate(Runtime&) { return nullptr; }
  virtual int64_t length(Runtime&) { return -1; }                                      ///< -1: has none.
  virtual bool attribute(Runtime&, std::string_view, Value&) { return false; }         ///< Python attribute.
  virtual bool item(Runtime&, const Value&, Value&) { return false; }                  ///< o[key]; false: LookupError.
  virtual bool set_attribute(Runtime&, const Value& /*name*/, const Value&) { return false; }
  virtual bool equals(Runtime&, const Object& other) const { return this == &other; }
  virtual bool contains(Runtime& rt, const Value& value);                              ///< Default: by iteration.
  virtual const Dict* as_mapping() const { return nullptr; }
  virtual bool is_sequence() const { return false; }  ///< The `sequence` test: has a length and items.
};
class Iter : public Object {
 public:
  const char* type_name() const override { return "generator"; }
  Iter* iterate(Runtime&) override { return this; }
  virtual bool next(Runtime& rt, Value& out) = 0;
};

struct Keyword {
  const Str* name;
  Value value;
};
struct Args {
  const Value* items = nullptr;
  size_t size = 0;
  const Keyword* keywords = nullptr;
  size_t keyword_count = 0;
};

// value.cpp
const char* type_name(const Value& v);                  ///< Python's: "str", "int", "dict", "Undefined", ...
bool truthy(Runtime& rt, const Value& v);
bool hashable(Runtime& rt, const Value& v);
size_t hash(Runtime& rt, const Value& v);               ///< Throws TypeError on an unhashable value.
bool equal(Runtime& rt, const Value& a, const Value& b);
/// a < b as Python does. Throws TypeError when the types have no order.
bool less(Runtime& rt, const Value& a, const Value& b);
/// `op` is "<", ">", "<=" or ">=".
bool ordered(Runtime& rt, const char* op, const Value& a, const Value& b);
bool contains(Runtime& rt, const Value& container, const Value& item);
[[noreturn]] void fail_undefined(Runtime& rt, const Undefined& u);
/// Throws if `v` is undefined.
inline void require_defined(Runtime& rt, const Value& v) {
  if (v.is_undefined()) fail_undefined(rt, *v.u);
}
Iter* iterate(Runtime& rt, const Value& v);             ///< Throws TypeError when not iterable.
bool iterable(const Value& v);
std::vector<Value> collect(Runtime& rt, const Value& v);  ///< list(v)
int64_t length(Runtime& rt, const Value& v);            ///< len(v); throws TypeError.
int64_t length_or_negative(Runtime& rt, const Value& v);

// repr.cpp
void append_str(Runtime& rt, std::string& out, const Value& v);   ///< str(v)
void append_repr(Runtime& rt, std::string& out, const Value& v);  ///< repr(v)
void append_string_repr(std::string& out, std::string_view s);
std::string float_repr(double d);
std::string to_text(Runtime& rt, const Value& v);
/// str(v) without a copy when it is a string.
const Str* to_str(Runtime& rt, const Value& v);

// arithmetic.cpp
enum class BinaryOp : uint8_t { add, sub, mul, div, floordiv, mod, pow };
Value binary(Runtime& rt, BinaryOp op, const Value& a, const Value& b);
Value negate(Runtime& rt, const Value& v);
Value positive(Runtime& rt, const Value& v);
double to_double(Runtime& rt, const Value& number);
Value float_to_int(Runtime& rt, double d);  ///< int(d); OverflowError, ValueError for inf, nan.
/// int(text, base); returns false when it is no number.
bool parse_int(Runtime& rt, std::string_view text, int base, Value& out);
bool parse_float(std::string_view text, double& out);  ///< float(text)
Value round_number(Runtime& rt, const Value& v, int64_t digits);
/// An index argument: int or bool (TypeError otherwise); a big integer is clamped.
int64_t index_of(Runtime& rt, const Value& v, const char* what);

// attributes.cpp
Value get_attribute(Runtime& rt, const Value& v, const Str* name);  ///< v.name
Value get_item(Runtime& rt, const Value& v, const Value& key);      ///< v[key]
Value get_slice(Runtime& rt, const Value& v, const Value& start, const Value& stop, const Value& step);
Value call_value(Runtime& rt, const Value& callee, const Args& args);

// format.cpp
Value percent_format(Runtime& rt, const Str* format, const Value& args);                ///< format % args
Value brace_format(Runtime& rt, const Str* format, const Args& args, const Dict* map);  ///< format.format(...)

// dump.cpp
struct DumpOptions {
  bool ascii = false, sort_keys = false, pretty = false;
  std::string indent, item_separator = ", ", key_separator = ": ";
};
std::string dump_json(Runtime& rt, const Value& v, const DumpOptions& options);

}  // namespace transformers::jinja
