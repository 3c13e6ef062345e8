// Saving weights, in shards when they are large. Reference: transformers/modeling_utils.py (save_pretrained) and
// huggingface_hub's split_state_dict_into_shards_factory (how tensors are dealt out).
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <unordered_map>

#include <unistd.h>

#include "base/file.h"
#include "io/state_dict.h"
#include "tensor/impl.h"

namespace transformers {
namespace {

using Named = std::pair<std::string, Tensor>;

std::string shard_name(size_t i, size_t count) {
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", i + 1, count);
  return name;
}

// "model-00001-of-00002.safetensors"
bool is_shard_name(const std::string& name) {
  static const std::string pattern = "model-#####-of-#####.safetensors";
  if (name.size() != pattern.size()) return false;
  for (size_t i = 0; i < name.size(); ++i)
    if (pattern[i] == '#' ? !std::isdigit(static_cast<unsigned char>(name[i])) : name[i] != pattern[i]) return false;
  return true;
}

// Tensors in order, a new shard when the next would not fit; one that is larger alone gets its own. Tensors that share
// a storage follow the first of them.
std::vector<std::vector<size_t>> split(const std::vector<Named>& tensors, int64_t most, int64_t& total) {
  std::vector<std::vector<size_t>> shards;
  std::vector<size_t> current;
  int64_t current_bytes = 0;
  std::unordered_map<const void*, size_t> first;
  std::unordered_map<size_t, std::vector<size_t>> sharing;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto [it, fresh] = first.emplace(tensors[i].second.impl()->storage, i);
    if (!fresh) { sharing[it->second].push_back(i); continue; }
    const int64_t bytes = tensors[i].second.nbytes();
    total += bytes;
    if (bytes > most) { shards.push_back({i}); continue; }
    if (current_bytes + bytes > most) {
      shards.push_back(std::move(current));
      current.clear();
      current_bytes = 0;
    }
    current.push_back(i);
    current_bytes += bytes;
  }
  if (!current.empty()) shards.push_back(std::move(current));
  std::erase_if(shards, [](const auto& s) { return s.empty(); });
  for (auto& shard : shards)
    for (size_t k = 0, n = shard.size(); k < n; ++k) {
      const auto it = sharing.find(shard[k]);
      if (it != sharing.end()) shard.insert(shard.end(), it->second.begin(), it->second.end());
    }
  return shards;
}

}  // namespace

std::vector<std::string> save_checkpoint(const std::string& folder, const std::vector<Named>& tensors, int64_t max_shard_bytes) {
  if (max_shard_bytes <= 0) throw ValueError({"save_checkpoint: max_shard_size must be positive, got ", max_shard_bytes});
  make_directories(folder);
  int64_t total_size = 0, total_parameters = 0;
  const std::vector<std::vector<size_t>> shards = split(tensors, max_shard_bytes, total_size);
  for (const Named& t : tensors) total_parameters += t.second.numel();

  std::vector<std::string> files;
  std::map<std::string, std::string> weight_map;  // sorted, as the reference writes it
  for (size_t s = 0; s < std::max<size_t>(shards.size(), 1); ++s) {
    files.push_back(shards.size() <= 1 ? "model.safetensors" : shard_name(s, shards.size()));
    std::vector<Named> part;
    if (s < shards.size())
      for (size_t i : shards[s]) {
        part.push_back(tensors[i]);
        weight_map[tensors[i].first] = files.back();
      }
    save_safetensors(join_path(folder, files.back()), part);
  }
  const std::string index_name = "model.safetensors.index.json";
  if (files.size() > 1) {
    Json names = Json::object(), metadata = Json::object(), index = Json::object();
    Json::Object& list = names.as_object();
    for (const auto& [name, file] : weight_map) list.emplace_back(name, file);
    metadata.set("total_parameters", total_parameters);
    metadata.set("total_size", total_size);
    index.set("metadata", metadata);
    index.set("weight_map", names);
    write_file(join_path(folder, index_name), index.dump(2, true) + "\n");
  }
  // What an earlier save left would be picked up instead of, or beside, the new files.
  for (const std::string& name : list_directory(folder)) {
    const bool stale = (is_shard_name(name) && std::find(files.begin(), files.end(), name) == files.end()) ||
                       (files.size() == 1 && name == index_name) || (files.size() > 1 && name == "model.safetensors");
    if (stale) ::unlink(join_path(folder, name).c_str());
  }
  if (files.size() > 1) files.push_back(index_name);
  return files;
}

}  // namespace transformers
