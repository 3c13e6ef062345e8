// See encoding_ops.h.
#include "tokenizers/core/encoding_ops.h"

#include <algorithm>

#include "transformers/error.h"

namespace transformers::tokenizers {

// Calls f(vector of a, vector of b) for each list of numbers.
template <class A, class B, class F> static void each_list(A& a, B& b, F&& f) {
  f(a.ids, b.ids), f(a.type_ids, b.type_ids), f(a.tokens, b.tokens), f(a.offsets, b.offsets), f(a.word_ids, b.word_ids);
  f(a.sequence_ids, b.sequence_ids), f(a.special_tokens_mask, b.special_tokens_mask), f(a.attention_mask, b.attention_mask);
}

Encoding special_encoding(const std::vector<int64_t>& ids, const std::vector<std::string>& tokens, int64_t type_id, bool detailed) {
  Encoding e;
  const size_t n = ids.size();
  e.ids = ids;
  e.type_ids.assign(n, type_id);
  e.sequence_ids.assign(n, -1);
  e.special_tokens_mask.assign(n, 1);
  e.attention_mask.assign(n, 1);
  if (detailed) {
    e.tokens = tokens;
    e.tokens.resize(n);
    e.offsets.assign(n, {0, 0});
    e.word_ids.assign(n, -1);
  }
  return e;
}

void set_sequence_id(Encoding& e, int64_t id) { std::fill(e.sequence_ids.begin(), e.sequence_ids.end(), id); }
void set_type_id(Encoding& e, int64_t id) { std::fill(e.type_ids.begin(), e.type_ids.end(), id); }

static void append(Encoding& e, const Encoding& other) {
  each_list(e, other, [](auto& a, const auto& b) { a.insert(a.end(), b.begin(), b.end()); });
}
static Encoding without_overflow(const Encoding& e) {
  Encoding copy;
  each_list(copy, e, [](auto& a, const auto& b) { a = b; });
  return copy;
}

void merge_encoding(Encoding& e, const Encoding& other) {
  std::vector<Encoding> overflowing;
  const auto join = [&](const Encoding& a, const Encoding& b) {
    overflowing.push_back(without_overflow(a));
    append(overflowing.back(), b);
  };
  for (const Encoding& mine : e.overflowing) {
    join(mine, other);
    for (const Encoding& theirs : other.overflowing) join(mine, theirs);
  }
  for (const Encoding& theirs : other.overflowing) join(e, theirs);
  append(e, other);
  e.overflowing = std::move(overflowing);
}

void truncate_encoding(Encoding& e, int64_t length, int64_t stride, Side side) {
  const auto size = static_cast<int64_t>(e.ids.size());
  if (length >= size) return;
  if (length <= 0) {
    Encoding all = std::move(e);
    e = Encoding();
    e.overflowing.push_back(std::move(all));
    return;
  }
  if (stride < 0 || stride >= length)
    throw TokenizerError({"truncation: expected stride below the ", length, " tokens that are left for text, got ", stride});
  const auto slice = [&](int64_t begin, int64_t end) {
    Encoding part;
    each_list(part, e, [&](auto& a, const auto& b) {
      if (!b.empty()) a.assign(b.begin() + begin, b.begin() + end);
    });
    return part;
  };
  Encoding result;
  bool first = true;
  const auto add = [&](int64_t begin, int64_t end) {
    if (first) result = slice(begin, end);
    else result.overflowing.push_back(slice(begin, end));
    first = false;
  };
  const int64_t step = length - stride;
  if (side == Side::right) {
    for (int64_t begin = 0;; begin += step) {
      const int64_t end = std::min(begin + length, size);
      add(begin, end);
      if (end == size) break;
    }
  } else {
    for (int64_t end = size;; end -= step) {
      const int64_t begin = std::max<int64_t>(end - length, 0);
      add(begin, end);
      if (begin == 0) break;
    }
  }
  e = std::move(result);
}

void truncate_pair(Encoding& first, Encoding* second, const Truncation& t) {
  if (t.max_length <= 0) {
    truncate_encoding(first, 0, t.stride, t.side);
    if (second) truncate_encoding(*second, 0, t.stride, t.side);
    return;
  }
  const auto a = static_cast<int64_t>(first.ids.size()), b = second ? static_cast<int64_t>(second->ids.size()) : 0;
  if (a + b <= t.max_length || t.strategy == TruncationStrategy::none) return;
  const int64_t surplus = a + b - t.max_length;
  if (t.strategy == TruncationStrategy::longest_first) {
    if (!second) return truncate_encoding(first, t.max_length, t.stride, t.side);
    int64_t low = std::min(a, b), high = low > t.max_length ? low : std::max(low, t.max_length - low);
    if (low + high > t.max_length) low = t.max_length / 2, high = low + t.max_length % 2;
    truncate_encoding(first, a > b ? high : low, t.stride, t.side);
    truncate_encoding(*second, a > b ? low : high, t.stride, t.side);
    return;
  }
  Encoding* target = t.strategy == TruncationStrategy::only_first ? &first : second;
  if (!target) throw TokenizerError({"truncation: only_second needs a pair of texts"});
  const auto size = static_cast<int64_t>(target->ids.size());
  if (size <= surplus)
    throw TokenizerError({"truncation: the sequence to cut has ", size, " tokens, too few to remove ", surplus});
  truncate_encoding(*target, size - surplus, t.stride, t.side);
}

void pad_encoding(Encoding& e, int64_t length, const Padding& p) {
  for (Encoding& part : e.overflowing) pad_encoding(part, length, p);
  const auto size = static_cast<int64_t>(e.ids.size());
  if (size >= length) return;
  if (length > (int64_t{1} << 28)) throw TokenizerError({"padding: a length of ", length, " is beyond reason"});
  const bool detailed = e.tokens.size() == e.ids.size();
  const auto fill = [&](auto& v, const auto& value) {
    v.insert(p.side == Side::left ? v.begin() : v.end(), static_cast<size_t>(length - size), value);
  };
  fill(e.ids, p.id), fill(e.type_ids, p.type_id), fill(e.sequence_ids, int64_t{-1});
  fill(e.special_tokens_mask, int64_t{1}), fill(e.attention_mask, int64_t{0});
  if (detailed) fill(e.tokens, p.token), fill(e.offsets, std::pair<int64_t, int64_t>{0, 0}), fill(e.word_ids, int64_t{-1});
}

void pad_batch(std::vector<Encoding>& batch, const Padding& p) {
  if (batch.empty() || p.strategy == PaddingStrategy::none) return;
  int64_t length = p.length;
  if (p.strategy == PaddingStrategy::longest) {
    length = 0;
    for (const Encoding& e : batch) length = std::max(length, static_cast<int64_t>(e.ids.size()));
  }
  if (p.multiple > 0 && length % p.multiple > 0) length += p.multiple - length % p.multiple;
  for (Encoding& e : batch) pad_encoding(e, length, p);
}

}  // namespace transformers::tokenizers
