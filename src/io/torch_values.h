// Tensors out of PyTorch pickles: what the zip and the legacy container share.
#pragma once
#include <functional>

#include "io/pickle.h"
#include "io/state_dict.h"

namespace transformers {

/// The globals that weight files need: rebuild functions, storage types, dtypes, OrderedDict.
bool torch_allows(std::string_view module, std::string_view name);

/// Finds the bytes of storage `key`, which must hold `bytes` bytes. Throws CheckpointError.
using TorchStorage = std::function<Bytes(std::string_view key, int64_t bytes)>;

/// One storage that a pickle refers to: ("storage", type, key, place, count[, view]).
struct TorchStorageRef { std::string_view key; DType dtype; bool untyped; int64_t count; };
TorchStorageRef read_storage_ref(const Bytes& in, const Pickle& p, const PickleNode& persistent);

/// The tensors of a pickled state dict. Values that are no tensors are left out with a warning. Throws CheckpointError.
StateDict read_torch_state_dict(const Bytes& in, const Pickle& p, const TorchStorage& storage);

}  // namespace transformers
