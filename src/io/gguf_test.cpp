#include <gtest/gtest.h>

#include "io/gguf_model.h"
#include "io/test_bytes.h"

namespace transformers {
namespace {

Tensor counted(const Shape& shape) {
  Tensor t = Tensor::empty(shape);
  for (int64_t i = 0; i < t.numel(); ++i) t.mutable_data<float>()[i] = static_cast<float>(i);
  return t;
}
StoredTensor dense(const Tensor& t) { return {t.shape(), t, {}, {}, false}; }

Json llama_config() {
  return Json::parse(R"({"model_type": "llama", "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 1, "max_position_embeddings": 32, "rms_norm_eps": 0.5, "rope_theta": 500.0, "vocab_size": 4})");
}
GgufVocabulary vocabulary() {
  GgufVocabulary v;
  v.model = "llama";
  v.tokens = {"<unk>", "<s>", "</s>", "é"};
  v.scores = {0, 0, 0, -1.5f};
  v.token_type = {2, 3, 3, 1};
  v.bos_id = 1;
  v.eos_id = 2;
  v.add_bos = true;
  v.chat_template = "{{ x }}";
  return v;
}
StateDict llama_weights() {
  StateDict w;
  w.add("model.embed_tokens.weight", counted({4, 8}));
  w.add("model.layers.0.self_attn.q_proj.weight", counted({8, 8}));
  w.add("model.layers.0.self_attn.k_proj.weight", counted({4, 8}));
  w.add("model.layers.0.mlp.down_proj.weight", counted({8, 16}).to(DType::f16));
  w.add("model.norm.weight", counted({8}));
  return w;
}

TEST(Gguf, AModelSurvivesTheWayThroughAFile) {
  TempDir dir;
  const StateDict weights = llama_weights();
  const GgufContents c = gguf_from_model(llama_config(), weights, vocabulary());
  save_gguf(dir.file("m.gguf"), c.metadata, c.tensors);
  const StateDict file = load_gguf(dir.file("m.gguf"));
  // Row 1 of the file's q is the first row of the second rotary half.
  EXPECT_EQ(file.tensors.at("blk.0.attn_q.weight").tensor.select(0, 1).to_floats()[0], 16);
  const Json config = gguf_config(file);
  const Json wanted = llama_config();
  for (const auto& [key, value] : wanted.as_object()) EXPECT_TRUE(config[key] == value) << key << " " << config[key].dump();
  EXPECT_EQ(config["head_dim"].as_int(), 4);
  EXPECT_TRUE(config["tie_word_embeddings"].as_bool());
  EXPECT_EQ(config["eos_token_id"].as_int(), 2);
  const StateDict back = gguf_weights(file, config);
  EXPECT_EQ(back.order.size(), weights.order.size());
  for (const auto& [name, t] : weights.tensors) {
    EXPECT_EQ(back.tensors.at(name).tensor.dtype(), t.tensor.dtype());
    EXPECT_EQ(back.tensors.at(name).tensor.to_floats(), t.tensor.to_floats()) << name;
  }
  const GgufVocabulary v = gguf_vocabulary(file);
  EXPECT_EQ(v.tokens, vocabulary().tokens);
  EXPECT_EQ(v.scores, vocabulary().scores);
  EXPECT_EQ(v.token_type, vocabulary().token_type);
  EXPECT_EQ(v.bos_id, 1);
  EXPECT_FALSE(v.pad_id);
  EXPECT_EQ(v.add_bos, true);
  EXPECT_EQ(v.chat_template, "{{ x }}");
}

TEST(Gguf, BlocksMoveAsWholeRows) {
  StateDict file;
  file.gguf = Json::parse(R"({"general.architecture": "llama", "llama.attention.head_count": 1})");
  Tensor blocks = Tensor::empty({4, 34}, DType::u8);
  for (int64_t i = 0; i < blocks.numel(); ++i) blocks.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(i / 34);
  file.add("blk.3.attn_q.weight", StoredTensor{{4, 32}, {}, BlockType::q8_0, blocks, false});
  const StateDict w = gguf_weights(file, gguf_config(file));
  const StoredTensor& q = w.tensors.at("model.layers.3.self_attn.q_proj.weight");
  EXPECT_EQ(q.shape, (Shape{4, 32}));
  std::vector<float> rows;
  for (int64_t i = 0; i < 4; ++i) rows.push_back(q.blocks.select(0, i).to_floats()[33]);
  EXPECT_EQ(rows, (std::vector<float>{0, 2, 1, 3}));
}

TEST(Gguf, Gpt2MatricesAreTransposed) {
  StateDict weights;
  weights.add("transformer.h.0.mlp.c_fc.weight", counted({2, 3}));
  const Json config = Json::parse(R"({"model_type": "gpt2", "n_embd": 2, "n_head": 1, "n_layer": 1})");
  const GgufContents c = gguf_from_model(config, weights, {});
  EXPECT_EQ(c.tensors.at(0).first, "blk.0.ffn_up.weight");
  EXPECT_EQ(c.tensors.at(0).second.shape, (Shape{3, 2}));
  EXPECT_EQ(c.tensors.at(0).second.tensor.to_floats(), (std::vector<float>{0, 3, 1, 4, 2, 5}));
}

TEST(Gguf, WritesEveryKindOfValue) {
  TempDir dir;
  const Json values = Json::parse(R"({"a": -5, "b": 4294967295, "c": 1099511627777, "d": 0.5, "e": true, "f": "é", "g": [1, -2, 3], "h": ["x", ""], "i": [0.5, 2], "j": [true], "k": []})");
  save_gguf(dir.file("m.gguf"), values, {{"s", dense(Tensor::scalar(3))}, {"t", dense(counted({2, 3, 4}))}});
  const StateDict s = load_gguf(dir.file("m.gguf"));
  EXPECT_TRUE(s.gguf == values) << s.gguf.dump();
  EXPECT_EQ(s.tensors.at("t").shape, (Shape{2, 3, 4}));
  EXPECT_EQ(s.tensors.at("s").tensor.item(), 3);
  EXPECT_THROW(save_gguf(dir.file("n.gguf"), Json::parse(R"({"a": [1, "x"]})"), {}), ValueError);
  EXPECT_THROW(save_gguf(dir.file("n.gguf"), Json::parse(R"({"a": null})"), {}), ValueError);
  EXPECT_THROW(save_gguf(dir.file("n.gguf"), Json::object(), {{"b", dense(Tensor::zeros({1}, DType::boolean))}}), UnsupportedError);
  EXPECT_FALSE(file_exists(dir.file("n.gguf")));
}

TEST(Gguf, RefusesDamage) {
  TempDir dir;
  save_gguf(dir.file("m.gguf"), Json::parse(R"({"general.architecture": "llama", "x": [1, 2]})"), {{"t", dense(counted({4, 3}))}});
  const std::string good = read_file(dir.file("m.gguf"));
  for (size_t n = 0; n < good.size() - 32; ++n) EXPECT_THROW(load_gguf(bytes_of(good.substr(0, n))), CheckpointError) << n;
  for (size_t i = 0; i < good.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string broken = good;
      broken[i] = static_cast<char>(broken[i] ^ (1 << bit));
      try {
        load_gguf(bytes_of(broken));
      } catch (const Error&) {  // anything but a crash: a flipped bit may also be harmless
      }
    }
  StateDict file;
  file.gguf = Json::object();
  EXPECT_THROW(gguf_config(file), CheckpointError);
  file.gguf.set("general.architecture", "lama");
  EXPECT_THROW(gguf_config(file), UnsupportedError);
  file.gguf.set("general.architecture", "llama");
  file.gguf.set("tokenizer.ggml.tokens", Json::parse(R"(["a", "b"])"));
  file.gguf.set("tokenizer.ggml.scores", Json::parse("[1]"));
  EXPECT_THROW(gguf_config(file), CheckpointError);
}

}  // namespace
}  // namespace transformers
