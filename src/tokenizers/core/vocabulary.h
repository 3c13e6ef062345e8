// Strings <-> ids: a flat hash over one arena of characters, made for hundreds of thousands of tokens.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace transformers::tokenizers {

inline uint64_t mix(uint64_t a, uint64_t b) {
  const auto r = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(r) ^ static_cast<uint64_t>(r >> 64);
}
inline uint64_t hash_bytes(const char* p, size_t n) {
  uint64_t h = n * 0x9e3779b97f4a7c15ull + 0x243f6a8885a308d3ull, w;
  for (; n >= 8; p += 8, n -= 8) {
    std::memcpy(&w, p, 8);
    h = mix(h ^ w, 0xa0761d6478bd642full);
  }
  w = 0;
  if (n >= 4) {
    uint32_t low, high;
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + n - 4, 4);
    w = low | uint64_t{high} << 32;
  } else if (n > 0) {
    w = static_cast<unsigned char>(p[0]) | static_cast<uint64_t>(static_cast<unsigned char>(p[n / 2])) << 8 |
        static_cast<uint64_t>(static_cast<unsigned char>(p[n - 1])) << 16;
  }
  return mix(h ^ w ^ n << 56, 0xe7037ed1a0b428dbull);
}

class Vocabulary {
 public:
  void reserve(size_t tokens, size_t bytes);
  /// Adds a token or gives it another id.
  void set(std::string_view token, uint32_t id);
  /// Id, or -1.
  int64_t find(std::string_view token) const { return find(token, hash_bytes(token.data(), token.size())); }
  int64_t find(std::string_view token, uint64_t hash) const {
    if (slots_.empty()) return -1;
    const size_t mask = slots_.size() - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
      const Slot& slot = slots_[i];
      if (slot.entry == 0) return -1;
      if (slot.tag != static_cast<uint32_t>(hash >> 32)) continue;
      const Entry& e = entries_[slot.entry - 1];
      if (e.length == token.size() && std::memcmp(arena_.data() + e.offset, token.data(), e.length) == 0) return e.id;
    }
  }
  /// The token of an id; data() is nullptr when there is none.
  std::string_view token(uint32_t id) const;
  size_t size() const { return entries_.size(); }
  /// Length in bytes of the longest token.
  size_t longest() const { return longest_; }
  /// Calls f(token, id) in the order of adding.
  template <class F> void each(F&& f) const {
    for (const Entry& e : entries_) f(std::string_view(arena_.data() + e.offset, e.length), e.id);
  }

 private:
  struct Entry { uint32_t offset, length, id; };
  struct Slot { uint32_t entry = 0, tag = 0; };
  void grow(size_t slots);
  void name(uint32_t id, uint32_t entry);
  std::string arena_;
  std::vector<Entry> entries_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> by_id_;                        // entry + 1
  std::unordered_map<uint32_t, uint32_t> by_far_id_;   // ids far beyond the number of tokens
  size_t longest_ = 0;
};

/// Pairs of ids -> (rank, id of the merged token).
class PairMap {
 public:
  struct Value { uint32_t rank, id; };
  void reserve(size_t n);
  void set(uint32_t a, uint32_t b, Value v);
  const Value* find(uint32_t a, uint32_t b) const {
    if (slots_.empty()) return nullptr;
    const uint64_t key = uint64_t{a} << 32 | b;
    const size_t mask = slots_.size() - 1;
    for (size_t i = mix(key ^ 0x9e3779b97f4a7c15ull, 0xa0761d6478bd642full) & mask;; i = (i + 1) & mask) {
      const Slot& s = slots_[i];
      if (s.value.rank == kEmpty) return nullptr;
      if (s.key == key) return &s.value;
    }
  }
  size_t size() const { return count_; }
  template <class F> void each(F&& f) const {
    for (const Slot& s : slots_)
      if (s.value.rank != kEmpty) f(static_cast<uint32_t>(s.key >> 32), static_cast<uint32_t>(s.key), s.value);
  }

 private:
  static constexpr uint32_t kEmpty = UINT32_MAX;
  struct Slot {
    uint64_t key = 0;
    Value value{kEmpty, 0};
  };
  std::vector<Slot> slots_;
  size_t count_ = 0;
};

}  // namespace transformers::tokenizers
