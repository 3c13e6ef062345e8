// See tracked_text.h.
#include "tokenizers/text/tracked_text.h"

#include <algorithm>

#include "tokenizers/text/unicode.h"

namespace transformers::tokenizers {

Span TrackedText::span_at(size_t i) const {
  if (!spans_.empty() && !identity_) return spans_[std::min(i, spans_.size() - 1)];
  size_t begin = i, end = i + 1;
  while (begin > 0 && begin < view_.size() && is_continuation(view_[begin])) --begin;
  while (end < view_.size() && is_continuation(view_[end])) ++end;
  return {static_cast<uint32_t>(shift_ + begin), static_cast<uint32_t>(shift_ + end)};
}

void TrackedText::append(const TrackedText& other) {
  if (view_.data() != owned_.data()) owned_.assign(view_);
  if (track_) {
    const bool stays = identity_ && other.identity_ && other.shift_ == shift_ + owned_.size();
    if (!stays) {
      if (identity_) {
        spans_.clear();
        spans_.reserve(owned_.size() + other.view_.size());
        for (size_t i = 0; i < owned_.size(); ++i) spans_.push_back(span_at(i));
        identity_ = false;
      }
      for (size_t i = 0; i < other.view_.size(); ++i) spans_.push_back(other.span_at(i));
    }
  }
  owned_.append(other.view_);
  view_ = owned_;
}

void TrackedText::transform(const std::vector<Change>& changes, size_t skip) {
  std::string out;
  std::vector<Span> spans;
  out.reserve(view_.size());
  const char *p = view_.data(), *end = p + view_.size(), *start = p;
  for (size_t i = 0; i < skip && p < end; ++i) next_char(p, end);
  for (const Change& change : changes) {
    Span at{};
    if (track_) {
      const size_t i = static_cast<size_t>(p - start);
      at = change.change > 0 ? (i == 0 ? Span{shift_, shift_} : span_at(i - 1)) : span_at(i);
    }
    if (change.change <= 0)
      for (int k = change.change; k <= 0 && p < end; ++k) next_char(p, end);
    const size_t before = out.size();
    append_utf8(out, change.c);
    if (track_) spans.insert(spans.end(), out.size() - before, at);
  }
  owned_ = std::move(out);
  spans_ = std::move(spans);
  view_ = owned_;
  identity_ = !track_;
}

void Rewriter::keep(size_t begin, size_t end) {
  out_.append(from_.view_.substr(begin, end - begin));
  if (!from_.track_) return;
  if (!from_.identity_) {
    spans_.insert(spans_.end(), from_.spans_.begin() + static_cast<int64_t>(begin), from_.spans_.begin() + static_cast<int64_t>(end));
    return;
  }
  for (size_t i = begin; i < end;) {
    const size_t n = std::min<size_t>(utf8_length(static_cast<unsigned char>(from_.view_[i])), end - i);
    const Span at{static_cast<uint32_t>(from_.shift_ + i), static_cast<uint32_t>(from_.shift_ + i + n)};
    spans_.insert(spans_.end(), n, at);
    i += n;
  }
}

void Rewriter::put(uint32_t c, Span at) {
  const size_t before = out_.size();
  append_utf8(out_, c);
  if (from_.track()) spans_.insert(spans_.end(), out_.size() - before, at);
}

void Rewriter::commit(TrackedText& target) {
  target.owned_ = std::move(out_);
  target.spans_ = std::move(spans_);
  target.view_ = target.owned_;
  target.identity_ = !target.track_;
}

}  // namespace transformers::tokenizers
