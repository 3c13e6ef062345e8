// Which files of a model folder hold the weights, and sharded checkpoints.
// Reference: transformers/modeling_utils.py (_get_resolved_checkpoint_files), utils/hub.py (get_checkpoint_shard_files).
#include <cstring>
#include <set>

#include "base/file.h"
#include "io/bytes.h"
#include "io/hub_cache.h"
#include "io/state_dict.h"

namespace transformers {
namespace {

bool ends_with(std::string_view s, std::string_view end) { return s.size() >= end.size() && s.substr(s.size() - end.size()) == end; }
bool begins(const Bytes& in, std::string_view with) { return in.text().substr(0, with.size()) == with; }

// A single file of any format: by name where the name tells, else by its first bytes.
StateDict load_file(const std::string& path) {
  if (ends_with(path, ".safetensors")) return load_safetensors(path);
  if (ends_with(path, ".gguf")) return load_gguf(path);
  if (ends_with(path, ".msgpack")) return load_flax_msgpack(path);
  if (ends_with(path, ".h5")) return load_tf_h5(path);
  for (const char* end : {".bin", ".pt", ".pth", ".ckpt"})
    if (ends_with(path, end)) return load_torch(path);
  const Bytes in = map_bytes(path);
  if (begins(in, "GGUF")) return load_gguf(in);
  if (begins(in, "PK") || begins(in, "\x80")) return load_torch(in);
  if (begins(in, "\x89HDF")) return load_tf_h5(path);
  return load_safetensors(in);
}

StateDict load_sharded(const std::string& index) {
  Json json;
  try {
    json = Json::load(index);
  } catch (const ConfigError& e) {
    throw CheckpointError({index, ": ", e.what()});
  }
  const Json& map = json["weight_map"];
  if (!map.is_object()) throw CheckpointError({index, ": expected an object \"weight_map\" of tensor names and files"});
  std::set<std::string> files;
  std::map<std::string, std::string> file_of;
  for (const auto& [name, file] : map.as_object()) {
    if (!file.is_string()) throw CheckpointError({index, ": tensor \"", name, "\": expected the name of a file"});
    if (!stays_inside(file.as_string())) throw CheckpointError({index, ": shard \"", file.as_string(), "\" leaves the folder; refused"});
    files.insert(file.as_string());
    file_of[name] = file.as_string();
  }
  StateDict out;
  for (const std::string& file : files) {
    const std::string path = join_path(dir_name(index), file);
    if (!file_exists(path)) throw IoError({index, ": shard \"", file, "\" is missing; download the checkpoint again"});
    StateDict shard = load_file(path);
    for (const std::string& name : shard.order) {
      const auto home = file_of.find(name);
      if (home != file_of.end() && home->second != file) continue;
      if (home == file_of.end() && out.tensors.count(name)) continue;  // unlisted and in several shards
      out.add(name, std::move(shard.tensors.at(name)));
    }
    out.metadata.merge(shard.metadata);
  }
  for (const auto& [name, file] : file_of)
    if (!out.tensors.count(name)) throw CheckpointError({index, ": tensor \"", name, "\" is not in its shard \"", file, "\""});
  return out;
}

// "model.safetensors", "fp16" -> "model.fp16.safetensors"; an index becomes "model.safetensors.index.fp16.json".
std::string with_variant(const std::string& name, const std::string& variant) {
  const size_t dot = name.rfind('.');
  return variant.empty() ? name : name.substr(0, dot) + "." + variant + name.substr(dot);
}

}  // namespace

StateDict load_checkpoint(const std::string& folder, const std::string& variant) {
  if (file_exists(folder)) return ends_with(folder, ".json") ? load_sharded(folder) : load_file(folder);
  std::string looked_for;
  for (const char* base : {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "tf_model.h5.index.json",
                           "flax_model.msgpack", "flax_model.msgpack.index.json"}) {
    const std::string name = with_variant(base, variant), path = join_path(folder, name);
    if (file_exists(path)) return ends_with(name, ".json") ? load_sharded(path) : load_file(path);
    looked_for += (looked_for.empty() ? "" : ", ") + name;
  }
  throw IoError({folder, ": no weights found; looked for ", looked_for});
}

}  // namespace transformers
