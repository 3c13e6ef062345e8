// The state of one rendering, and the tables of filters, tests and methods.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/chat_template/text.h"
#include "tokenizers/chat_template/value.h"

namespace transformers::jinja {

struct Node;
struct Program;

class Runtime {
 public:
  Runtime(const Program& program, const ChatTemplate::Limits& limits)
      : arena(limits.memory, first_, sizeof first_), program(program), steps_(limits.steps), max_output_(limits.output) {}

  alignas(16) char first_[12288];  // most renderings fit: no allocation for values
  Arena arena;
  const Program& program;
  const Node* where = nullptr;  // the node at work, for the place in errors
  bool autoescape = false;
  std::vector<Value> context;   // by symbol: the variables given and the globals
  std::optional<ChatTemplate::Clock> now;

  /// Counts work; throws when the limit is reached.
  void charge(size_t n) {
    steps_ -= static_cast<int64_t>(n);
    if (steps_ < 0) fail(Kind::limit, {"the template takes too many steps"});
  }
  void charge_bytes(size_t n) { charge(n / 64); }
  void check_stack() const { guard_.check(); }

  const Str* view(std::string_view s, bool markup = false) {  // s outlives the rendering
    return arena.make<Str>(s.data(), s.size(), count_points(s), markup, nullptr);
  }
  const Str* view(std::string_view s, size_t points, bool markup) {
    return arena.make<Str>(s.data(), s.size(), points, markup, nullptr);
  }
  const Str* copy(std::string_view s, bool markup = false) {
    char* p = arena.chars(s.size());
    if (!s.empty()) std::memcpy(p, s.data(), s.size());
    charge_bytes(s.size());
    return arena.make<Str>(p, s.size(), count_points(s), markup, nullptr);
  }
  Value string(std::string_view s, bool markup = false) { return Value::of(copy(s, markup)); }
  Value list(const std::vector<Value>& v) { return Value::list(list_of(v)); }
  Value tuple(const std::vector<Value>& v) { return Value::tuple(list_of(v)); }
  const List* list_of(const std::vector<Value>& v) {
    charge(v.size() / 4);
    return arena.make<List>(to_span(arena, v).items, v.size());
  }
  const Str* concat(const Str* a, const Str* b);
  Value undefined(const Value& owner, const Value& key) { return Value::of(static_cast<const Undefined*>(arena.make<Undefined>(owner, key))); }
  Value undefined_hint(const char* hint) { return Value::of(static_cast<const Undefined*>(arena.make<Undefined>(Value(), Value::none(), hint))); }
  Value unsafe(const Value& owner, const Value& key) { return Value::of(static_cast<const Undefined*>(arena.make<Undefined>(owner, key, nullptr, true))); }

  // Output. Captures (macros, set blocks) write behind what is there and take their part off again.
  void write(std::string_view s) {
    if (s.size() > max_output_ - out_.size()) fail(Kind::limit, {"the template's output is too long"});
    out_.append(s);
    wrote_root_ |= captures_ == 0;
  }
  void print(const Value& v);
  size_t begin_capture() {
    if (captures_++ == 0) root_size_ = out_.size();
    return out_.size();
  }
  Value end_capture(size_t start, bool markup) {
    const Value v = string(std::string_view(out_).substr(start), markup);
    out_.resize(start);
    --captures_;
    return v;
  }
  std::string& output() { return out_; }
  bool recording = false;  // {% generation %} spans are asked for
  std::vector<std::pair<int64_t, int64_t>> spans;
  void record_span(size_t length) {
    if (!recording || !wrote_root_) return;
    const size_t root = captures_ == 0 ? out_.size() : root_size_;
    root_points_ += count_points(std::string_view(out_).substr(root_counted_, root - root_counted_));
    root_counted_ = root;
    spans.emplace_back(root_points_, root_points_ + length);
  }

 private:
  StackGuard guard_;
  int64_t steps_;
  size_t max_output_;
  std::string out_;
  int captures_ = 0;
  size_t root_size_ = 0, root_counted_ = 0, root_points_ = 0;
  bool wrote_root_ = false;
};

using FilterFn = Value (*)(Runtime&, const Value& in, const Args&);
using TestFn = bool (*)(Runtime&, const Value& in, const Args&);
using MethodFn = Value (*)(Runtime&, const Value& self, const Args&);
using FunctionFn = Value (*)(Runtime&, const Args&);

FilterFn find_filter(std::string_view name);  ///< nullptr when there is none.
TestFn find_test(std::string_view name);

struct Method {
  std::string_view name;
  MethodFn fn;
};
/// The method of a built-in type, or nullptr.
const Method* find_method(Tag tag, std::string_view name);
const Method* find_str_method(std::string_view name);
const Method* find_dict_method(std::string_view name);
const Method* find_list_method(std::string_view name);
const Method* find_number_method(std::string_view name);
/// Whether the attribute exists in Python but the sandbox hides it (mutators, names with underscores).
bool hidden_attribute(const Value& v, std::string_view name);

/// Binds arguments to names, as a Python call does. Absent ones stay missing. Throws TypeError.
template <size_t N>
std::array<Value, N> bind(const char* who, const Args& args, const char* const (&names)[N], size_t required = 0) {
  std::array<Value, N> out;
  if (args.size > N) fail(Kind::type, {who, "() takes at most ", N, " arguments (", args.size, " given)"});
  for (size_t i = 0; i < args.size; ++i) out[i] = args.items[i];
  for (size_t k = 0; k < args.keyword_count; ++k) {
    const std::string_view name = args.keywords[k].name->view();
    size_t at = 0;
    while (at < N && name != names[at]) ++at;
    if (at == N) fail(Kind::type, {who, "() got an unexpected keyword argument '", name, "'"});
    if (!out[at].is_missing()) fail(Kind::type, {who, "() got multiple values for argument '", name, "'"});
    out[at] = args.keywords[k].value;
  }
  for (size_t i = 0; i < required; ++i)
    if (out[i].is_missing()) fail(Kind::type, {who, "() missing required argument: '", names[i], "'"});
  return out;
}
/// text.replace(from, to, most); most < 0: all.
const Str* replace_text(Runtime& rt, const Str* text, const Str* from, const Str* to, int64_t most);
/// No arguments besides the filtered or tested value. Throws TypeError.
void no_arguments(const char* who, const Args& args);
/// At most `most` positional arguments and no keywords.
void positional(const char* who, const Args& args, size_t least, size_t most);
/// The string argument. Throws TypeError.
const Str* string_of(Runtime& rt, const Value& v, const char* who);

/// What every template sees by this name (range, dict, namespace, ...); missing when there is no such global.
Value make_global(Arena& arena, std::string_view name);

}  // namespace transformers::jinja
