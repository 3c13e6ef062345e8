// Pickle streams read as data. Nothing is ever called: globals must be on the caller's allow-list, and a REDUCE only
// notes "call of this global with these arguments" for the caller to interpret. Nodes lie in one flat list, so neither
// nesting nor cycles recurse. Reference: pickletools' description of protocols 0 to 5 (without out-of-band buffers).
#pragma once
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/bytes.h"

namespace transformers {

enum class PickleKind : uint8_t { none, boolean, integer, big_integer, real, text, list, tuple, dict, set, global, call, persistent };

struct PickleNode {
  PickleKind kind = PickleKind::none;
  int64_t integer = 0;           ///< boolean, integer
  double real = 0;
  std::string_view text;         ///< text, bytes, big_integer (little-endian two's complement); a global's name
  std::string_view module;       ///< A global's module
  std::vector<uint32_t> items;   ///< Elements; a dict's keys and values by turns; {callee, arguments} of a call; {id} of a persistent
};

/// One pickle: its nodes, the top one, and where it ended.
struct Pickle {
  std::vector<PickleNode> nodes;
  uint32_t top = 0;
  size_t end = 0;  ///< Offset behind STOP.
  const PickleNode& operator[](uint32_t i) const { return nodes[i]; }
  /// The value of a text key of a dict, the last one if repeated; nullptr when absent.
  const PickleNode* find(const PickleNode& dict, std::string_view key) const;
};

using PickleAllow = bool (*)(std::string_view module, std::string_view name);

/// Reads the pickle at `offset`. Texts are views of `in`. Throws CheckpointError on damage, on globals that `allow`
/// refuses, and beyond 2 million nodes or 20 million operations.
Pickle read_pickle(const Bytes& in, size_t offset, PickleAllow allow);

}  // namespace transformers
