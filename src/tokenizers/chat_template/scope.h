// Compile-time scopes: which slot a name means. Reference: jinja2/idtracking.py.
#pragma once
#include <unordered_map>
#include <vector>

#include "tokenizers/chat_template/statements.h"

namespace transformers::jinja {

struct FunctionScope {
  uint32_t slots = 0;
};
struct Scope {
  Program& program;
  Scope* parent;
  FunctionScope* function;  // whose frame holds the slots
  bool toplevel = false;
  int branches = 0;  // inside `if`: a store may not happen
  struct Entry { uint32_t symbol, slot; bool parameter, conditional; };
  std::vector<Entry> entries = {};
  std::unordered_map<uint32_t, size_t> index = {};  // symbol -> entry

  Entry* own(uint32_t symbol);
  const Entry* own(uint32_t symbol) const { return const_cast<Scope*>(this)->own(symbol); }
  uint32_t add(uint32_t symbol, bool parameter, bool conditional);
  void load(uint32_t symbol);
  void store(uint32_t symbol);
  uint32_t parameter(uint32_t symbol);
  /// The slot of a name that was declared here or outside.
  Slot find(uint32_t symbol) const;
  bool found(uint32_t symbol) const;
  ScopeInfo finish() const;  // after declaring
  Scope inner() { return Scope{program, this, function}; }
  Scope inner(FunctionScope& f) { return Scope{program, this, &f}; }
  void declare(const Body& body) { step(), body.each([this](Node* n) { n->declare(*this); }); }
  void resolve(const Body& body) { step(), body.each([this](Node* n) { n->resolve(*this); }); }
  /// Counts work, so that no template takes long to compile.
  void step(size_t n = 1) const { program.step(n); }
};

}  // namespace transformers::jinja
