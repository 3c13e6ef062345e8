// Objects of the template language: functions, ranges, namespaces, loops, macros, views, iterators.
#pragma once
#include "tokenizers/chat_template/statements.h"

namespace transformers::jinja {

/// str(v), escaped unless it is Markup already; the result is Markup.
const Str* escape(Runtime& rt, const Value& v);

class Builtin final : public Object {  // a global function or a type, such as range or dict
 public:
  Builtin(const char* name, FunctionFn fn) : name_(name), fn_(fn) {}
  const char* type_name() const override { return "builtin_function_or_method"; }
  bool callable() const override { return true; }
  Value call(Runtime& rt, const Args& args) override { return fn_(rt, args); }
  void repr(Runtime&, std::string& out) const override { out += cat({"<function ", name_, ">"}); }

 private:
  const char* name_;
  FunctionFn fn_;
};
class BoundMethod final : public Object {
 public:
  BoundMethod(const Value& self, const Method* method) : self_(self), method_(method) {}
  const char* type_name() const override { return "builtin_function_or_method"; }
  bool callable() const override { return true; }
  Value call(Runtime& rt, const Args& args) override { return method_->fn(rt, self_, args); }
  void repr(Runtime&, std::string& out) const override {
    out += cat({"<built-in method ", method_->name, " of ", jinja::type_name(self_), " object>"});
  }

 private:
  Value self_;
  const Method* method_;
};
class Bytes final : public Object {  // str.encode()
 public:
  explicit Bytes(std::string_view data) : data_(data) {}
  const char* type_name() const override { return "bytes"; }
  void repr(Runtime&, std::string& out) const override;
  bool truthy(Runtime&) const override { return !data_.empty(); }
  int64_t length(Runtime&) override { return static_cast<int64_t>(data_.size()); }
  Iter* iterate(Runtime& rt) override;
  bool attribute(Runtime& rt, std::string_view name, Value& out) override;
  bool item(Runtime& rt, const Value& key, Value& out) override;
  bool equals(Runtime&, const Object& other) const override {
    const auto* o = dynamic_cast<const Bytes*>(&other);
    return o && o->data_ == data_;
  }
  bool is_sequence() const override { return true; }
  std::string_view data() const { return data_; }

 private:
  std::string_view data_;
};
class RangeObject final : public Object {
 public:
  RangeObject(int64_t start, int64_t stop, int64_t step, int64_t count)
      : start_(start), stop_(stop), step_(step), count_(count) {}
  const char* type_name() const override { return "range"; }
  void repr(Runtime&, std::string& out) const override;
  bool truthy(Runtime&) const override { return count_ > 0; }
  Iter* iterate(Runtime& rt) override;
  int64_t length(Runtime&) override { return count_; }
  bool attribute(Runtime& rt, std::string_view name, Value& out) override;
  bool item(Runtime& rt, const Value& key, Value& out) override;
  bool equals(Runtime&, const Object& other) const override;
  bool contains(Runtime& rt, const Value& value) override;
  bool is_sequence() const override { return true; }
  int64_t at(int64_t i) const { return start_ + i * step_; }
  RangeObject* slice(Runtime& rt, int64_t first, int64_t step, int64_t count) const;

 private:
  int64_t start_, stop_, step_, count_;
};
enum class ViewKind : uint8_t { keys, values, items };
class DictView final : public Object {
 public:
  DictView(const Dict* dict, ViewKind kind) : dict_(dict), kind_(kind) {}
  const char* type_name() const override;
  void repr(Runtime& rt, std::string& out) const override;
  bool truthy(Runtime&) const override { return dict_->size > 0; }
  Iter* iterate(Runtime& rt) override;
  int64_t length(Runtime&) override { return static_cast<int64_t>(dict_->size); }
  bool contains(Runtime& rt, const Value& value) override;
  bool equals(Runtime& rt, const Object& other) const override;
  Value at(Runtime& rt, size_t i) const;

 private:
  const Dict* dict_;
  ViewKind kind_;
};
class Namespace final : public Object {
 public:
  explicit Namespace(Dict* values) : values_(values) {}
  const char* type_name() const override { return "Namespace"; }
  void repr(Runtime& rt, std::string& out) const override;
  bool attribute(Runtime&, std::string_view name, Value& out) override {
    const Value* v = values_->find(name);
    if (v) out = *v;
    return v;
  }
  bool set_attribute(Runtime& rt, const Value& name, const Value& value) override {
    values_->set(rt, name, value);
    return true;
  }

 private:
  Dict* values_;
};
class Cycler final : public Object {
 public:
  explicit Cycler(const List* items) : items_(items) {}
  const char* type_name() const override { return "Cycler"; }
  bool attribute(Runtime& rt, std::string_view name, Value& out) override;
  Value next() {
    const Value v = items_->items[at_];
    at_ = (at_ + 1) % items_->size;
    return v;
  }
  void reset() { at_ = 0; }

 private:
  const List* items_;
  size_t at_ = 0;
};
class Joiner final : public Object {
 public:
  explicit Joiner(const Value& separator) : separator_(separator) {}
  const char* type_name() const override { return "Joiner"; }
  bool callable() const override { return true; }
  Value call(Runtime& rt, const Args&) override {
    if (std::exchange(used_, true)) return separator_;
    return rt.string("");
  }

 private:
  Value separator_;
  bool used_ = false;
};
class Macro final : public Object {
 public:
  Macro(const Function& function, Frame* outer) : function_(function), outer_(outer) {}
  const char* type_name() const override { return "Macro"; }
  void repr(Runtime&, std::string& out) const override;
  bool callable() const override { return true; }
  Value call(Runtime& rt, const Args& args) override;
  bool attribute(Runtime& rt, std::string_view name, Value& out) override;

 private:
  const Function& function_;
  Frame* outer_;
};
/// `loop` inside a for block.
class Loop final : public Object {
 public:
  Loop(const For* statement, Frame* frame, const Value& over, Iter* source, int64_t depth)
      : statement_(statement), frame_(frame), over_(over), source_(source), depth_(depth) {}
  const char* type_name() const override { return "LoopContext"; }
  void repr(Runtime& rt, std::string& out) const override;
  bool callable() const override { return true; }
  Value call(Runtime& rt, const Args& args) override;
  bool attribute(Runtime& rt, std::string_view name, Value& out) override;
  int64_t length(Runtime& rt) override;
  bool advance(Runtime& rt, Value& out);
  Value cycle(Runtime& rt, const Args& args);
  bool changed(Runtime& rt, const Args& args);

 private:
  const Value& peek(Runtime& rt);
  const For* statement_;  // of a recursive loop
  Frame* frame_;
  Value over_;
  Iter* source_;
  int64_t depth_, index_ = -1, length_ = -1;
  Value before_, current_, after_;
  const List* last_changed_ = nullptr;
};
class BlockReference final : public Object {  // self.name
 public:
  explicit BlockReference(const Block* block) : block_(block) {}
  const char* type_name() const override { return "BlockReference"; }
  bool callable() const override { return true; }
  Value call(Runtime& rt, const Args& args) override;

 private:
  const Block* block_;
};
class TemplateReference final : public Object {  // self
 public:
  const char* type_name() const override { return "TemplateReference"; }
  void repr(Runtime&, std::string& out) const override { out += "<TemplateReference None>"; }
  bool item(Runtime& rt, const Value& key, Value& out) override;
};

/// An iterator over an array.
class ArrayIter final : public Iter {
 public:
  ArrayIter(const Value* items, size_t size) : items_(items), size_(size) {}
  const char* type_name() const override { return "list_iterator"; }
  bool next(Runtime&, Value& out) override {
    if (at_ == size_) return false;
    out = items_[at_++];
    return true;
  }

 private:
  const Value* items_;
  size_t size_, at_ = 0;
};

}  // namespace transformers::jinja
