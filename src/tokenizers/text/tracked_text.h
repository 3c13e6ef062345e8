// Text that remembers, byte by byte, which part of the original it came from; rewriting it keeps that memory.
// The alignments follow the reference library tokenizers 0.22 (tokenizer/normalizer.rs).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace transformers::tokenizers {

/// Bytes [begin, end) of the original text.
struct Span {
  uint32_t begin = 0, end = 0;
};

class TrackedText {
 public:
  TrackedText() = default;
  /// A part of the original that starts at byte `shift`. The characters must outlive this until the first rewrite.
  /// Without `track` no alignments are kept (spans are then those of this text itself).
  TrackedText(std::string_view original, uint32_t shift, bool track) : view_(original), shift_(shift), track_(track) {}
  TrackedText(const TrackedText&) = delete;
  TrackedText& operator=(const TrackedText&) = delete;

  std::string_view text() const { return view_; }
  bool track() const { return track_; }
  bool identity() const { return identity_; }
  uint32_t shift() const { return shift_; }
  /// Original bytes that byte i came from: of its whole character when unchanged.
  Span span_at(size_t i) const;
  /// Appends another text behind this one, as parts of the same original.
  void append(const TrackedText& other);
  /// Rust's transform: pairs (character, change): change > 0 inserted (aligned like the byte before), else replaces
  /// one character and drops -change more. `skip` characters are dropped first.
  struct Change {
    uint32_t c;
    int change;
  };
  void transform(const std::vector<Change>& changes, size_t skip = 0);

 private:
  friend class Rewriter;
  std::string_view view_;
  std::string owned_;
  std::vector<Span> spans_;  // one per byte unless identity_ or untracked
  uint32_t shift_ = 0;
  bool track_ = true, identity_ = true;
};

/// Builds a new version of a TrackedText from left to right.
class Rewriter {
 public:
  explicit Rewriter(const TrackedText& from) : from_(from) {}
  /// Copies bytes [begin, end) with their own alignment.
  void keep(size_t begin, size_t end);
  /// Writes `s`, aligned to `at`.
  void put(std::string_view s, Span at) {
    out_.append(s);
    if (from_.track()) spans_.insert(spans_.end(), s.size(), at);
  }
  void put(uint32_t c, Span at);
  /// Writes `s` aligned like byte i of the source.
  void put_like(std::string_view s, size_t i) { put(s, from_.track() ? from_.span_at(i) : Span{}); }
  void put_like(uint32_t c, size_t i) { put(c, from_.track() ? from_.span_at(i) : Span{}); }
  size_t size() const { return out_.size(); }
  std::string_view written() const { return out_; }
  void reserve(size_t n) {
    out_.reserve(n);
    if (from_.track()) spans_.reserve(n);
  }
  /// Replaces the text.
  void commit(TrackedText& target);

 private:
  const TrackedText& from_;
  std::string out_;
  std::vector<Span> spans_;
};

}  // namespace transformers::tokenizers
