// See vocabulary.h.
#include "tokenizers/core/vocabulary.h"

#include "transformers/error.h"

namespace transformers::tokenizers {

void Vocabulary::reserve(size_t tokens, size_t bytes) {
  entries_.reserve(tokens);
  arena_.reserve(bytes);
  by_id_.reserve(tokens);
  size_t n = 64;
  while (n < tokens * 2) n *= 2;
  if (n > slots_.size()) grow(n);
}

void Vocabulary::grow(size_t n) {
  std::vector<Slot> slots(n);
  for (size_t e = 0; e < entries_.size(); ++e) {
    const uint64_t hash = hash_bytes(arena_.data() + entries_[e].offset, entries_[e].length);
    size_t i = hash & (n - 1);
    while (slots[i].entry) i = (i + 1) & (n - 1);
    slots[i] = {static_cast<uint32_t>(e + 1), static_cast<uint32_t>(hash >> 32)};
  }
  slots_ = std::move(slots);
}

void Vocabulary::name(uint32_t id, uint32_t entry) {
  if (id < by_id_.size()) by_id_[id] = entry;
  else if (id < entries_.size() * 4 + 65536) {
    by_id_.resize(id + 1, 0);
    by_id_[id] = entry;
  } else {
    by_far_id_[id] = entry;
  }
}

void Vocabulary::set(std::string_view token, uint32_t id) {
  if ((entries_.size() + 1) * 2 > slots_.size()) grow(slots_.empty() ? 64 : slots_.size() * 2);
  const uint64_t hash = hash_bytes(token.data(), token.size());
  const size_t mask = slots_.size() - 1;
  size_t i = hash & mask;
  for (; slots_[i].entry; i = (i + 1) & mask) {
    if (slots_[i].tag != static_cast<uint32_t>(hash >> 32)) continue;
    Entry& e = entries_[slots_[i].entry - 1];
    if (e.length == token.size() && std::memcmp(arena_.data() + e.offset, token.data(), e.length) == 0) {
      e.id = id;
      name(id, slots_[i].entry);
      return;
    }
  }
  if (arena_.size() + token.size() > UINT32_MAX) throw TokenizerError({"vocabulary: more than 4 GiB of tokens"});
  entries_.push_back({static_cast<uint32_t>(arena_.size()), static_cast<uint32_t>(token.size()), id});
  arena_.append(token);
  longest_ = std::max(longest_, token.size());
  slots_[i] = {static_cast<uint32_t>(entries_.size()), static_cast<uint32_t>(hash >> 32)};
  name(id, static_cast<uint32_t>(entries_.size()));
}

std::string_view Vocabulary::token(uint32_t id) const {
  uint32_t entry = id < by_id_.size() ? by_id_[id] : 0;
  if (!entry && !by_far_id_.empty())
    if (const auto it = by_far_id_.find(id); it != by_far_id_.end()) entry = it->second;
  if (!entry) return {};
  const Entry& e = entries_[entry - 1];
  if (e.id != id) return {};
  return {arena_.data() + e.offset, e.length};
}

void PairMap::reserve(size_t n) {
  size_t slots = 64;
  while (slots < n * 2) slots *= 2;
  if (slots <= slots_.size()) return;
  std::vector<Slot> old(slots);
  old.swap(slots_);
  count_ = 0;
  for (const Slot& s : old)
    if (s.value.rank != kEmpty) set(static_cast<uint32_t>(s.key >> 32), static_cast<uint32_t>(s.key), s.value);
}

void PairMap::set(uint32_t a, uint32_t b, Value v) {
  if ((count_ + 1) * 2 > slots_.size()) reserve((count_ + 1) * 2);
  const uint64_t key = uint64_t{a} << 32 | b;
  const size_t mask = slots_.size() - 1;
  size_t i = mix(key ^ 0x9e3779b97f4a7c15ull, 0xa0761d6478bd642full) & mask;
  while (slots_[i].value.rank != kEmpty && slots_[i].key != key) i = (i + 1) & mask;
  count_ += slots_[i].value.rank == kEmpty;
  slots_[i] = {key, v};
}

}  // namespace transformers::tokenizers
