// Per-character rewriting shared by the normalizers.
#pragma once
#include "tokenizers/normalizers/normalizer.h"
#include "tokenizers/text/unicode.h"

namespace transformers::tokenizers {

constexpr uint32_t kDrop = UINT32_MAX;

/// Replaces every character c by f(c), drops it where f gives kDrop. Unchanged text costs no copy.
template <class F> void map_chars(TrackedText& text, F&& f) {
  const std::string_view s = text.text();
  const char *p = s.data(), *end = p + s.size();
  const char* same = p;
  for (; p < end; same = p) {
    const uint32_t c = next_char(p, end);
    if (f(c) != c) break;
  }
  if (same == end) return;
  Rewriter out(text);
  out.reserve(s.size());
  out.keep(0, static_cast<size_t>(same - s.data()));
  for (p = same; p < end;) {
    const size_t at = static_cast<size_t>(p - s.data());
    const uint32_t c = next_char(p, end), d = f(c);
    if (d == c) out.keep(at, static_cast<size_t>(p - s.data()));
    else if (d != kDrop) out.put_like(d, at);
  }
  out.commit(text);
}

}  // namespace transformers::tokenizers
