// Matches of a character predicate.
#pragma once
#include "tokenizers/pre_tokenizers/pre_tokenizer.h"
#include "tokenizers/text/unicode.h"

namespace transformers::tokenizers {

/// Every character with f(c) is a match by itself; the runs between are pieces.
template <class F> void match_chars(std::string_view s, std::vector<Match>& out, F&& f) {
  uint32_t last = 0;
  const char *p = s.data(), *end = p + s.size();
  while (p < end) {
    const auto at = static_cast<uint32_t>(p - s.data());
    if (!f(next_char(p, end))) continue;
    if (last < at) out.push_back({last, at, false});
    last = static_cast<uint32_t>(p - s.data());
    out.push_back({at, last, true});
  }
  if (last < s.size()) out.push_back({last, static_cast<uint32_t>(s.size()), false});
}

}  // namespace transformers::tokenizers
