#include <gtest/gtest.h>

#include "io/state_dict.h"
#include "io/test_bytes.h"

namespace transformers {
namespace {

StateDict load_text(const std::string& header, const std::string& data, uint64_t length) { return load_safetensors(bytes_of(raw(length) + header + data)); }
StateDict load_text(const std::string& header, const std::string& data) { return load_text(header, data, header.size()); }

TEST(Safetensors, WhatIsSavedLoadsAsViewsOfOneMap) {
  TempDir dir;
  const std::string path = join_path(dir.path, "m.safetensors");
  const Tensor a = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  save_safetensors(path, {{"a", a.t()}, {"ids", Tensor::ids({7, -8})}, {"half", a.to(DType::bf16)}, {"none", Tensor::zeros({0, 4})}, {"one", Tensor::scalar(3)}});
  const StateDict s = load_safetensors(path);
  EXPECT_EQ(s.order, (std::vector<std::string>{"ids", "a", "none", "one", "half"}));
  EXPECT_EQ(s.metadata.at("format"), "pt");
  EXPECT_EQ(s.tensors.at("a").tensor.to_floats(), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(s.tensors.at("a").shape, (Shape{3, 2}));
  EXPECT_EQ(s.tensors.at("ids").tensor.to_ints(), (std::vector<int64_t>{7, -8}));
  EXPECT_EQ(s.tensors.at("half").tensor.dtype(), DType::bf16);
  EXPECT_EQ(s.tensors.at("none").tensor.numel(), 0);
  EXPECT_EQ(s.tensors.at("one").tensor.item(), 3);
  const auto* first = static_cast<const uint8_t*>(s.tensors.at("ids").tensor.raw());
  EXPECT_EQ(static_cast<const uint8_t*>(s.tensors.at("a").tensor.raw()), first + 16);
}

TEST(Safetensors, WidensUnsignedAndMendsBooleans) {
  const StateDict s = load_text(R"({"u":{"dtype":"U16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BOOL","shape":[2],"data_offsets":[4,6]}})",
                                std::string("\xff\xff\x01\x00\x00\x07", 6));
  EXPECT_EQ(s.tensors.at("u").tensor.to_ints(), (std::vector<int64_t>{65535, 1}));
  EXPECT_EQ(s.tensors.at("b").tensor.to_ints(), (std::vector<int64_t>{0, 1}));
}

TEST(Safetensors, RefusesDamage) {
  const std::string data(12, '\0');
  EXPECT_NO_THROW(load_text(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}  )", data));
  for (const char* bad : {R"([1])", R"({"a":3})", R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,11]}})",
                          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                          R"({"a":{"dtype":"F32","shape":[-3],"data_offsets":[0,12]}})",
                          R"({"a":{"dtype":"F32","shape":[4611686018427387904,4611686018427387907],"data_offsets":[0,12]}})",
                          R"({"a":{"dtype":"F33","shape":[3],"data_offsets":[0,12]}})", R"({"a":{"dtype":"F32","data_offsets":[0,12]}})",
                          R"({"a":{"dtype":"U32","shape":[4],"data_offsets":[0,12]}})",
                          R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,3],"data_offsets":[0,12]}})",
                          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})"})
    EXPECT_THROW(load_text(bad, data), CheckpointError) << bad;
  EXPECT_THROW(load_text("{}", "", ~uint64_t{0}), CheckpointError);
  EXPECT_THROW(load_safetensors("/nonexistent/file"), IoError);
}

}  // namespace
}  // namespace transformers
