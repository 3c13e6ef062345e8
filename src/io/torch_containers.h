// The two containers of torch.save.
#pragma once
#include "io/bytes.h"
#include "io/state_dict.h"

namespace transformers {

StateDict load_torch_zip(const Bytes& in);     ///< Since PyTorch 1.6.
StateDict load_torch_legacy(const Bytes& in);  ///< Before: four pickles, then the storages.

}  // namespace transformers
