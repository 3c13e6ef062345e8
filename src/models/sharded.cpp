// load_sharded_checkpoint: tensors of an indexed folder into a model that exists. Reference: transformers/modeling_utils.py.
#include <set>

#include "base/file.h"
#include "io/state_dict.h"
#include "ops/blocks.h"
#include "transformers/auto.h"

namespace transformers {

static std::string listed(const char* what, const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& n : names) text += (text.empty() ? "\"" : ",\"") + n + "\"";
  return names.empty() ? "" : cat({"\n", what, " key(s): ", text, "."});
}

IncompatibleKeys load_sharded_checkpoint(Model& model, const std::string& folder, bool strict) {
  if (!file_exists(join_path(folder, "model.safetensors.index.json")) && !file_exists(join_path(folder, "pytorch_model.bin.index.json")))
    throw IoError({"Can't find a checkpoint index (pytorch_model.bin.index.json or model.safetensors.index.json) in ", folder, "."});
  const StateDict checkpoint = load_checkpoint(folder);
  IncompatibleKeys keys;
  std::set<std::string> known;
  for (const Parameter& p : model.parameters()) {
    known.insert(p.name);
    if (!checkpoint.tensors.count(p.name)) keys.missing_keys.push_back(p.name);
  }
  for (const std::string& name : checkpoint.order)
    if (!known.count(name) && !model.tied().count(name)) keys.unexpected_keys.push_back(name);
  if (strict && (!keys.missing_keys.empty() || !keys.unexpected_keys.empty()))
    throw CheckpointError({"Error(s) in loading state_dict for ", model.class_name(), listed("Missing", keys.missing_keys), listed("Unexpected", keys.unexpected_keys)});
  NoGrad no_grad;
  for (Parameter& p : model.mutable_parameters()) {  // all shapes first, so that an error leaves the model as it was
    const auto it = checkpoint.tensors.find(p.name);
    if (it == checkpoint.tensors.end()) continue;
    if (it->second.block_type || !p.tensor.defined()) throw UnsupportedError({"load_sharded_checkpoint: ", p.name, " is kept in quantized blocks"});
    if (!(it->second.shape == p.shape))
      throw CheckpointError({"size mismatch for ", p.name, ": the checkpoint has ", it->second.shape.str(), ", the model ", p.shape.str()});
  }
  for (Parameter& p : model.mutable_parameters())
    if (const auto it = checkpoint.tensors.find(p.name); it != checkpoint.tensors.end()) p.tensor.copy_(it->second.tensor.to(p.tensor.dtype()));
  return keys;
}

}  // namespace transformers
