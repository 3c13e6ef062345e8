// For blocks and the `loop` variable. Reference: jinja2/runtime.py (LoopContext), visit_For of jinja2/compiler.py.
#include "tokenizers/chat_template/objects.h"

namespace transformers::jinja {
namespace {

// The iterable of `for x in y if condition`, tested as the loop asks for items.
class TestedIter final : public Iter {
 public:
  TestedIter(const For* statement, Frame* frame, Iter* source) : statement_(statement), frame_(frame), source_(source) {}
  bool next(Runtime& rt, Value& out) override {
    rt.check_stack();
    while (source_->next(rt, out)) {
      rt.charge(1);
      statement_->test_scope.enter(rt, *frame_);
      statement_->test_target->assign(rt, *frame_, out);
      if (jinja::truthy(rt, statement_->test->eval(rt, *frame_))) return true;
    }
    return false;
  }

 private:
  const For* statement_;
  Frame* frame_;
  Iter* source_;
};

}  // namespace

Flow For::exec(Runtime& rt, Frame& frame) const {
  const Value over = iterable->eval(rt, frame);
  rt.where = this;
  if (!recursive) {
    run(rt, frame, over, 0);
    return Flow::normal;
  }
  Frame& own = *rt.arena.make<Frame>(rt.arena.array<Value>(slot_count), &frame);
  run(rt, own, over, 0);
  return Flow::normal;
}
void For::run(Runtime& rt, Frame& frame, const Value& over, int64_t depth) const {
  rt.check_stack();
  Iter* source = iterate(rt, over);
  if (test) source = rt.arena.make<TestedIter>(this, recursive ? frame.parent : &frame, source);
  Loop* loop = nullptr;
  if (uses_loop) {
    const Value sized = test ? Value::of(static_cast<Object*>(source)) : over;
    loop = rt.arena.make<Loop>(this, &frame, sized, source, depth);
  }
  bool any = false;
  Value item;
  while (loop ? loop->advance(rt, item) : source->next(rt, item)) {
    rt.charge(1);
    any = true;
    scope.enter(rt, frame);
    if (loop) loop_slot.in(frame) = Value::of(static_cast<Object*>(loop));
    target->assign(rt, frame, item);
    if (body.exec(rt, frame) == Flow::loop_break) break;
  }
  if (has_else && !any) {
    else_scope.enter(rt, frame);
    otherwise.exec(rt, frame);
  }
}

bool Loop::advance(Runtime& rt, Value& out) {
  if (!after_.is_missing()) out = std::exchange(after_, Value());
  else if (!source_->next(rt, out)) return false;
  ++index_;
  before_ = current_, current_ = out;
  return true;
}
const Value& Loop::peek(Runtime& rt) {
  if (after_.is_missing() && !source_->next(rt, after_)) after_ = Value();
  return after_;
}
int64_t Loop::length(Runtime& rt) {
  if (length_ >= 0) return length_;
  length_ = length_or_negative(rt, over_);
  if (length_ < 0) {  // an iterator: read it to its end
    const std::vector<Value> rest = collect(rt, Value::of(static_cast<Object*>(source_)));
    const Span<Value> kept = to_span(rt.arena, rest);
    source_ = rt.arena.make<ArrayIter>(kept.items, kept.size);
    length_ = static_cast<int64_t>(rest.size()) + index_ + 1 + !after_.is_missing();
  }
  return length_;
}
Value Loop::cycle(Runtime&, const Args& args) {
  if (args.size == 0) fail(Kind::type, {"no items for cycling given"});
  return args.items[static_cast<size_t>(index_) % args.size];
}
bool Loop::changed(Runtime& rt, const Args& args) {
  const List* now = rt.arena.make<List>(args.items, args.size);
  if (last_changed_ && equal(rt, Value::tuple(last_changed_), Value::tuple(now))) return false;
  last_changed_ = now;
  return true;
}
void Loop::repr(Runtime& rt, std::string& out) const {
  out += cat({"<LoopContext ", index_ + 1, "/", const_cast<Loop*>(this)->length(rt), ">"});
}
bool Loop::attribute(Runtime& rt, std::string_view name, Value& out) {
  static constexpr Method cycle{"cycle", [](Runtime& rt, const Value& self, const Args& args) {
    return static_cast<Loop*>(self.o)->cycle(rt, args);
  }};
  static constexpr Method changed{"changed", [](Runtime& rt, const Value& self, const Args& args) {
    return Value::of(static_cast<Loop*>(self.o)->changed(rt, args));
  }};
  const auto method = [&](const Method* m) {
    return Value::of(static_cast<Object*>(rt.arena.make<BoundMethod>(Value::of(static_cast<Object*>(this)), m)));
  };
  if (name == "index0") out = Value::of(index_);
  else if (name == "index") out = Value::of(index_ + 1);
  else if (name == "first") out = Value::of(index_ == 0);
  else if (name == "last") out = Value::of(peek(rt).is_missing());
  else if (name == "length") out = Value::of(length(rt));
  else if (name == "revindex") out = Value::of(length(rt) - index_);
  else if (name == "revindex0") out = Value::of(length(rt) - index_ - 1);
  else if (name == "depth") out = Value::of(depth_ + 1);
  else if (name == "depth0") out = Value::of(depth_);
  else if (name == "previtem")
    out = index_ == 0 ? rt.undefined_hint("there is no previous item") : before_;
  else if (name == "nextitem")
    out = peek(rt).is_missing() ? rt.undefined_hint("there is no next item") : after_;
  else if (name == "cycle") out = method(&cycle);
  else if (name == "changed") out = method(&changed);
  else return false;
  return true;
}
Value Loop::call(Runtime& rt, const Args& args) {
  if (!statement_->recursive)
    fail(Kind::type, {"The loop must have the 'recursive' marker to be called recursively."});
  positional("loop", args, 1, 1);
  Frame& own = *rt.arena.make<Frame>(rt.arena.array<Value>(statement_->slot_count), frame_->parent);
  const size_t start = rt.begin_capture();
  statement_->run(rt, own, args.items[0], depth_ + 1);
  return rt.end_capture(start, rt.autoescape);
}

}  // namespace transformers::jinja
