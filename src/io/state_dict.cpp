// StateDict: tensors by name in file order.
#include "io/state_dict.h"

namespace transformers {

void StateDict::add(const std::string& name, StoredTensor t) {
  if (!tensors.emplace(name, std::move(t)).second) throw CheckpointError({"checkpoint: tensor \"", name, "\" appears twice"});
  order.push_back(name);
}
void StateDict::add(const std::string& name, const Tensor& t) { add(name, StoredTensor{t.shape(), t, {}, {}, false}); }

}  // namespace transformers
