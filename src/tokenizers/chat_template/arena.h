// Memory of one template or one rendering: bump allocation, freed all at once. Values hold plain pointers into it, so
// nothing is reference-counted, cycles cannot leak and destruction cannot recurse.
#pragma once
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "transformers/chat_template.h"

namespace transformers::jinja {

using Kind = TemplateErrorKind;

/// Thrown inside the engine; chat_template.cpp adds the place and throws ChatTemplateError.
struct Failure {
  Kind kind;
  std::string message;
};
[[noreturn]] inline void fail(Kind kind, std::initializer_list<Piece> message) { throw Failure{kind, cat(message)}; }

class Arena {
 public:
  explicit Arena(size_t limit) : limit_(limit) {}
  /// Starts in `first`, aligned to 16, which lives as long as the arena.
  Arena(size_t limit, char* first, size_t size) : limit_(limit), left_(size), next_(first) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void* allocate(size_t bytes) {
    bytes = (bytes + 15) & ~size_t{15};
    if (bytes > left_) return allocate_slow(bytes);
    char* p = next_;
    next_ += bytes, left_ -= bytes;
    return p;
  }
  template <class T, class... A>
  T* make(A&&... args) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (allocate(sizeof(T))) T{std::forward<A>(args)...};
  }
  /// `n` elements, default-made.
  template <class T>
  T* array(size_t n) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (n > limit_ / sizeof(T)) exceeded();
    T* p = static_cast<T*>(allocate(n * sizeof(T)));
    for (size_t i = 0; i < n; ++i) new (p + i) T();
    return p;
  }
  char* chars(size_t n) {
    if (n > limit_) exceeded();
    return static_cast<char*>(allocate(n));
  }

 private:
  [[noreturn]] static void exceeded() {
    fail(Kind::limit, {"the template uses too much memory"});
  }
  void* allocate_slow(size_t bytes) {
    const bool own_chunk = bytes > chunk_ / 4;  // a large block does not waste the rest of the current chunk
    const size_t size = own_chunk ? bytes : chunk_;
    if (size > limit_ - used_) exceeded();
    used_ += size;
    chunks_.emplace_back(static_cast<char*>(::operator new(size)));
    char* p = chunks_.back().get();
    if (own_chunk) return p;
    next_ = p + bytes, left_ = size - bytes;
    if (chunk_ < (size_t{1} << 20)) chunk_ *= 2;
    return p;
  }

  struct Free { void operator()(char* p) const { ::operator delete(p); } };
  size_t limit_, used_ = 0, left_ = 0, chunk_ = 16384;
  char* next_ = nullptr;
  std::vector<std::unique_ptr<char, Free>> chunks_;
};

/// A fixed array that lives in an arena.
template <class T>
struct Span {
  T* items = nullptr;
  size_t size = 0;
  T* begin() const { return items; }
  T* end() const { return items + size; }
  T& operator[](size_t i) const { return items[i]; }
  bool empty() const { return size == 0; }
};
template <class T>
Span<T> to_span(Arena& arena, const std::vector<T>& v) {
  Span<T> s{arena.array<T>(v.size()), v.size()};
  for (size_t i = 0; i < v.size(); ++i) s.items[i] = v[i];
  return s;
}

/// Throws when the native stack is used further than `budget` below the place where the guard was made.
class StackGuard {
 public:
  explicit StackGuard(size_t budget = size_t{1} << 20)
      : base_(static_cast<const char*>(__builtin_frame_address(0))), budget_(budget) {}
  void check() const {
    const char* here = static_cast<const char*>(__builtin_frame_address(0));
    const size_t depth = here < base_ ? size_t(base_ - here) : size_t(here - base_);
    if (depth > budget_) fail(Kind::limit, {"the template is nested too deeply"});
  }

 private:
  const char* base_;
  size_t budget_;
};

}  // namespace transformers::jinja
