// torch.save's container before 1.6: pickles of a magic number, the protocol, the writer's machine, the state dict and
// the storage keys, then for each key a count of values and the values. Reference: torch/serialization.py (_legacy_load).
#include <cstring>
#include <map>

#include "io/torch_containers.h"
#include "io/torch_values.h"
#include "io/zip.h"

namespace transformers {
namespace {
constexpr unsigned char kMagic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
}

StateDict load_torch_legacy(const Bytes& in) {
  const Pickle magic = read_pickle(in, 0, torch_allows);
  const PickleNode& number = magic[magic.top];
  if (number.kind != PickleKind::big_integer || number.text != std::string_view(reinterpret_cast<const char*>(kMagic), sizeof kMagic))
    throw CheckpointError({in.name, ": no magic number of PyTorch; not a weight file"});
  const Pickle protocol = read_pickle(in, magic.end, torch_allows);
  if (protocol[protocol.top].kind != PickleKind::integer || protocol[protocol.top].integer != 1001)
    throw CheckpointError({in.name, ": expected the legacy protocol 1001 of PyTorch"});
  const Pickle machine = read_pickle(in, protocol.end, torch_allows);
  const PickleNode* little = machine.find(machine[machine.top], "little_endian");
  if (little && little->integer == 0) throw UnsupportedError({in.name, ": was written on a big-endian machine; save it again on a little-endian one"});
  const Pickle p = read_pickle(in, machine.end, torch_allows);
  const Pickle keys = read_pickle(in, p.end, torch_allows);
  if (keys[keys.top].kind != PickleKind::list) throw CheckpointError({in.name, ": expected a list of storage keys"});

  // Storages follow in the order of the keys; their element sizes are known from the references in the pickle.
  std::map<std::string_view, TorchStorageRef> refs;
  for (const PickleNode& n : p.nodes)
    if (n.kind == PickleKind::persistent) {
      const TorchStorageRef ref = read_storage_ref(in, p, n);
      refs.emplace(ref.key, ref);
    }
  std::map<std::string_view, Bytes> storages;
  uint64_t at = keys.end;
  for (uint32_t i : keys[keys.top].items) {
    const std::string_view key = keys[i].text;
    const auto ref = refs.find(key);
    if (ref == refs.end()) throw CheckpointError({in.name, ": storage \"", key, "\" belongs to no tensor"});
    int64_t count = 0;
    std::memcpy(&count, in.range(at, 8, "a storage's size").data, 8);
    if (count < 0 || count != ref->second.count)
      throw CheckpointError({in.name, ": storage \"", key, "\": expected ", ref->second.count, " values, got ", count});
    const uint64_t bytes = static_cast<uint64_t>(count * size_of(ref->second.dtype));
    storages.emplace(key, in.range(at + 8, bytes, "a storage"));
    at += 8 + bytes;
  }
  return read_torch_state_dict(in, p, [&](std::string_view key, int64_t bytes) {
    const auto it = storages.find(key);
    if (it == storages.end()) throw CheckpointError({in.name, ": storage \"", key, "\" is not in the file"});
    return it->second.range(0, static_cast<uint64_t>(bytes), "a storage");
  });
}

StateDict load_torch(const Bytes& in) { return is_zip(in) ? load_torch_zip(in) : load_torch_legacy(in); }
StateDict load_torch(const std::string& path) { return load_torch(map_bytes(path)); }

}  // namespace transformers
