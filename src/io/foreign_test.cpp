// Flax and TensorFlow files.
#include <gtest/gtest.h>

#include "io/foreign_names.h"
#include "io/state_dict.h"
#include "io/test_bytes.h"

namespace transformers {
namespace {

std::string array(std::initializer_list<char> shape, const std::string& dtype, const std::string& data) {
  std::string s = "\x93";
  s += static_cast<char>(0x90 | shape.size());
  s.append(shape.begin(), shape.end());
  s += static_cast<char>(0xa0 | dtype.size());
  s += dtype + "\xc4" + static_cast<char>(data.size()) + data;
  return std::string("\xc7") + static_cast<char>(s.size()) + "\x01" + s;
}

TEST(Flax, RenamesAndTransposes) {
  const std::string values = raw(1.f) + raw(2.f) + raw(3.f) + raw(4.f) + raw(5.f) + raw(6.f);
  const StateDict s = load_flax_msgpack(bytes_of("\x82\xa1h\x81\xa6kernel" + array({2, 3}, "float32", values) + "\xa1n\x81\xa5scale" + array({1}, "bfloat16", "\x80\x3f")));
  EXPECT_EQ(s.tensors.at("h.weight").shape, (Shape{3, 2}));
  EXPECT_EQ(s.tensors.at("h.weight").tensor.to_floats(), (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

TEST(Flax, RefusesDamage) {
  const std::string good = "\x81\xa1h" + array({2}, "int32", "abcdefgh");
  EXPECT_EQ(load_flax_msgpack(bytes_of(good)).order, std::vector<std::string>{"h"});
  for (size_t n = 0; n < good.size(); ++n) EXPECT_THROW(load_flax_msgpack(bytes_of(good.substr(0, n))), CheckpointError) << n;
  EXPECT_THROW(load_flax_msgpack(bytes_of(good + "x")), CheckpointError);
  EXPECT_THROW(load_flax_msgpack(bytes_of("\x81\xa1h" + array({3}, "int32", "abcdefgh"))), CheckpointError);
  EXPECT_THROW(load_flax_msgpack(bytes_of("\x81\xa1h" + array({2}, "strange", "abcdefgh"))), UnsupportedError);
  EXPECT_THROW(load_flax_msgpack(bytes_of(std::string("\xdf\xff\xff\xff\xff"))), CheckpointError);
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "\x81\xa1h";
  EXPECT_THROW(load_flax_msgpack(bytes_of(deep)), CheckpointError);
}

TEST(ForeignNames, TensorFlow) {
  const Tensor m = Tensor::zeros({2, 3});
  const auto name = [&](const char* path) { return tf_weight(path, m).name; };
  EXPECT_EQ(name("tf_bert/bert/encoder/layer_._0/output/dense/kernel:0"), "bert.encoder.layer.0.output.dense.weight");
  EXPECT_EQ(name("tf_bert/bert/embeddings/LayerNorm/gamma:0"), "bert.embeddings.LayerNorm.weight");
  EXPECT_EQ(name("tf_bert/bert/embeddings/LayerNorm/beta:0"), "bert.embeddings.LayerNorm.bias");
  EXPECT_EQ(name("model/nsp___cls/seq_relationship/embeddings:0"), "cls.seq_relationship.weight");
  EXPECT_EQ(name("final_logits_bias:0"), "final_logits_bias");
  EXPECT_EQ(tf_weight("a/b/kernel:0", m).tensor.shape(), (Shape{3, 2}));
  EXPECT_EQ(tf_weight("a/b/kernel:0", Tensor::zeros({5, 4, 3, 2})).tensor.shape(), (Shape{2, 3, 5, 4}));
  EXPECT_EQ(tf_weight("a/b/bias:0", Tensor::zeros({1, 4})).tensor.shape(), (Shape{4}));
}

TEST(TfH5, RefusesDamage) {
  EXPECT_THROW(load_tf_h5(bytes_of("")), CheckpointError);
  std::string file = std::string("\x89HDF\r\n\x1a\n") + std::string(5, '\0') + "\x08\x08" + std::string(200, '\0');
  EXPECT_THROW(load_tf_h5(bytes_of(file)), CheckpointError);
  file[8] = 2;
  EXPECT_THROW(load_tf_h5(bytes_of(file)), UnsupportedError);
}

}  // namespace
}  // namespace transformers
