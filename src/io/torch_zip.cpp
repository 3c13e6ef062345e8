// torch.save's zip container: NAME/data.pkl, one NAME/data/KEY per storage, NAME/byteorder.
// Reference: torch/serialization.py (_save, _load).
#include "io/torch_containers.h"
#include "io/torch_values.h"
#include "io/zip.h"

namespace transformers {

StateDict load_torch_zip(const Bytes& in) {
  const auto entries = read_zip(in);
  std::string folder;
  for (const auto& [name, content] : entries) {
    const size_t slash = name.find('/');
    if (slash != std::string::npos && name.compare(slash, std::string::npos, "/data.pkl") == 0) folder = name.substr(0, slash + 1);
    if (slash != std::string::npos && name.compare(slash, std::string::npos, "/constants.pkl") == 0)
      throw UnsupportedError({in.name, ": is a TorchScript program, not weights; save its state_dict() instead"});
  }
  if (folder.empty()) throw CheckpointError({in.name, ": zip archive without data.pkl: not a weight file of PyTorch"});
  const auto order = entries.find(folder + "byteorder");
  if (order != entries.end() && order->second.text() != "little")
    throw UnsupportedError({in.name, ": was written on a big-endian machine; save it again on a little-endian one"});
  const Bytes& program = entries.at(folder + "data.pkl");
  const Pickle p = read_pickle(program, 0, torch_allows);
  return read_torch_state_dict(in, p, [&](std::string_view key, int64_t bytes) {
    const auto it = entries.find(folder + "data/" + std::string(key));
    if (it == entries.end()) throw CheckpointError({in.name, ": storage \"", key, "\" is not in the archive"});
    if (it->second.size != static_cast<uint64_t>(bytes))
      throw CheckpointError({in.name, ": storage \"", key, "\": expected ", bytes, " bytes, got ", static_cast<uint64_t>(it->second.size)});
    return it->second;
  });
}

}  // namespace transformers
