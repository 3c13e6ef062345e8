#include <gtest/gtest.h>

#include "io/state_dict.h"
#include "io/test_bytes.h"

namespace transformers {
namespace {

using Named = std::vector<std::pair<std::string, Tensor>>;

Tensor floats(int64_t n, float first) {
  Tensor t = Tensor::empty({n});
  for (int64_t i = 0; i < n; ++i) t.mutable_data<float>()[i] = first + static_cast<float>(i);
  return t;
}

TEST(Checkpoint, DealsTensorsOutInShards) {
  TempDir dir;
  const Tensor shared = floats(4, 7);
  // 16, 40 (alone: larger than the limit), 16 -> joins the first shard's successor, 8, and one that shares.
  const Named tensors = {{"a", shared}, {"big", floats(10, 0)}, {"b", floats(4, 3)}, {"c", floats(2, 9)}, {"tied", shared}};
  EXPECT_EQ(save_checkpoint(dir.path, tensors, 24), (std::vector<std::string>{"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors",
                                                                           "model.safetensors.index.json"}));
  const Json index = Json::load(dir.file("model.safetensors.index.json"));
  EXPECT_EQ(index["metadata"]["total_size"].as_int(), 80);
  EXPECT_EQ(index["weight_map"]["big"].as_string(), "model-00001-of-00003.safetensors");
  EXPECT_EQ(index["weight_map"]["a"].as_string(), "model-00002-of-00003.safetensors");
  EXPECT_EQ(index["weight_map"]["tied"].as_string(), "model-00002-of-00003.safetensors");
  EXPECT_EQ(index["weight_map"]["c"].as_string(), "model-00003-of-00003.safetensors");
  const StateDict s = load_checkpoint(dir.path);
  EXPECT_EQ(s.tensors.size(), 5u);
  for (const auto& [name, t] : tensors) EXPECT_EQ(s.tensors.at(name).tensor.to_floats(), t.to_floats()) << name;

  // Saving whole again removes the shards and the index.
  EXPECT_EQ(save_checkpoint(dir.path, tensors, 1 << 20), std::vector<std::string>{"model.safetensors"});
  EXPECT_EQ(list_directory(dir.path), std::vector<std::string>{"model.safetensors"});
  EXPECT_EQ(load_checkpoint(dir.path).tensors.size(), 5u);
  EXPECT_THROW(save_checkpoint(dir.path, tensors, 0), ValueError);
}

TEST(Checkpoint, PrefersSafetensorsAndKnowsVariants) {
  TempDir dir;
  save_safetensors(dir.file("model.fp16.safetensors"), {{"a", floats(1, 1)}});
  write_file(dir.file("pytorch_model.bin"), "junk");
  EXPECT_THROW(load_checkpoint(dir.path), CheckpointError);
  EXPECT_EQ(load_checkpoint(dir.path, "fp16").order, std::vector<std::string>{"a"});
  save_safetensors(dir.file("model.safetensors"), {{"b", floats(1, 1)}});
  EXPECT_EQ(load_checkpoint(dir.path).order, std::vector<std::string>{"b"});
  EXPECT_EQ(load_checkpoint(dir.file("model.fp16.safetensors")).order, std::vector<std::string>{"a"});
  EXPECT_THROW(load_checkpoint(dir.path, "int4"), IoError);
}

TEST(Checkpoint, RefusesShardsThatLeaveTheFolder) {
  TempDir dir;
  save_safetensors(dir.file("secret.safetensors"), {{"a", floats(1, 1)}});
  make_directories(dir.file("model"));
  for (const char* name : {"../secret.safetensors", "x/../../secret.safetensors", "/etc/passwd", "..\\\\secret.safetensors", "", "a\\u0000b"}) {
    write_file(dir.file("model/model.safetensors.index.json"), std::string(R"({"weight_map":{"a":")") + name + R"("}})");
    EXPECT_THROW(load_checkpoint(dir.file("model")), CheckpointError) << name;
  }
  for (const char* index : {"{}", R"({"weight_map":[]})", R"({"weight_map":{"a":3}})", "nonsense", R"({"weight_map":{"a":"model.safetensors.index.json"}})"}) {
    write_file(dir.file("model/model.safetensors.index.json"), index);
    EXPECT_THROW(load_checkpoint(dir.file("model")), CheckpointError) << index;
  }
  write_file(dir.file("model/model.safetensors.index.json"), R"({"weight_map":{"a":"missing.safetensors"}})");
  EXPECT_THROW(load_checkpoint(dir.file("model")), IoError);
  save_safetensors(dir.file("model/s.safetensors"), {{"other", floats(1, 1)}});
  write_file(dir.file("model/model.safetensors.index.json"), R"({"weight_map":{"a":"s.safetensors"}})");
  EXPECT_THROW(load_checkpoint(dir.file("model")), CheckpointError);
}

}  // namespace
}  // namespace transformers
