// Examples of the public documentation as tests: module printout, loading options, head pruning, composites, memory.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "base/file.h"
#include "models/loader.h"
#include "nn/layers.h"
#include "transformers/error.h"
#include "transformers/processor.h"

namespace transformers {
namespace {

std::string folder(const std::string& name) {
  const std::string path = join_path(testing::TempDir(), cat({"spec_examples_", int64_t{getpid()}, "_", name}));
  make_directories(path);
  return path;
}

Json tiny_bert() {
  return Json::parse(R"({"model_type": "bert", "vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4,
                         "intermediate_size": 24, "max_position_embeddings": 20, "type_vocab_size": 2})");
}
Json tiny_vit() {
  return Json::parse(R"({"model_type": "vit", "hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
                         "image_size": 8, "patch_size": 4})");
}
Tensor ids() { return Tensor::from(std::vector<int64_t>{5, 6, 7, 8, 9, 10}, {2, 3}); }

template <class E, class F> std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "nothing of this type was thrown";
}

void expect_near(const Tensor& a, const Tensor& b, double limit = 1e-5) {
  ASSERT_TRUE(a.shape() == b.shape()) << a.shape().str() << " " << b.shape().str();
  const std::vector<float> x = a.to_floats(), y = b.to_floats();
  for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], limit) << i;
}

// ---- printing -------------------------------------------------------------------------------------------------------

struct SimpleModel final : Model {
  Linear dense, intermediate;
  LayerNorm layer_norm;
  SimpleModel(const Scope& w, const Json& config)
      : dense(w / "dense", 10, 10), intermediate(w / "intermediate", 10, 10), layer_norm(w / "layer_norm", 10, 1e-5) {
    config_ = config;
  }
  Outputs forward(const Inputs& in) const override {
    Outputs out;
    out.set("last_hidden_state", layer_norm(intermediate(dense(in.tensor("inputs_embeds")))));
    return out;
  }
};

TEST(SpecExamples, PrintsASimpleModelAsPythonDoes) {
  const ModelClass type{"SimpleModel", "simple", "", make<SimpleModel>(), {}};
  const std::unique_ptr<Model> model = ModelLoader::build(type, Json::object(), nullptr, {});
  EXPECT_EQ(model->str(),
            "SimpleModel(\n"
            "  (dense): Linear(in_features=10, out_features=10, bias=True)\n"
            "  (intermediate): Linear(in_features=10, out_features=10, bias=True)\n"
            "  (layer_norm): LayerNorm((10,), eps=1e-05, elementwise_affine=True)\n"
            ")");
  std::vector<std::string> names;
  for (const Parameter& p : model->parameters()) names.push_back(p.name);
  EXPECT_EQ(names, (std::vector<std::string>{"dense.weight", "dense.bias", "intermediate.weight", "intermediate.bias", "layer_norm.weight", "layer_norm.bias"}));
}

TEST(SpecExamples, PrintsListsOnceAndTiedLayers) {
  const std::string bert = AutoModelForMaskedLM::from_config(tiny_bert())->str();
  EXPECT_EQ(bert.rfind("BertForMaskedLM(\n  (bert): Bert(\n    (embeddings): Embeddings(\n      (word_embeddings): Embedding(30, 16, padding_idx=0)\n", 0), 0u) << bert;
  EXPECT_NE(bert.find("      (layer): ModuleList(\n        (0-2): 3 x Layer(\n"), std::string::npos) << bert;
  EXPECT_NE(bert.find("(decoder): Linear(in_features=16, out_features=30, bias=True)"), std::string::npos) << bert;
  const std::string vit = AutoModel::from_config(tiny_vit())->str();
  EXPECT_NE(vit.find("(projection): Conv2d(3, 12, kernel_size=(4, 4), stride=(4, 4))"), std::string::npos) << vit;
  const Json gpt2 = Json::parse(R"({"model_type": "gpt2", "vocab_size": 20, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 16})");
  const std::string gpt = AutoModelForCausalLM::from_config(gpt2)->str();
  EXPECT_NE(gpt.find("(c_attn): Conv1D(nf=24, nx=8)"), std::string::npos) << gpt;
  EXPECT_NE(gpt.find("\n  (lm_head): Linear(in_features=8, out_features=20, bias=False)\n"), std::string::npos) << gpt;
}

// ---- loading options ------------------------------------------------------------------------------------------------

TEST(SpecExamples, DtypeIsFloat32UnlessAutoOrNamed) {
  PretrainedOptions half;
  half.dtype = "float16";
  const std::string dir = folder("dtype");
  AutoModel::from_config(tiny_bert(), half)->save_pretrained(dir);
  EXPECT_EQ(Json::load(join_path(dir, "config.json"))["dtype"].as_string(), "float16");
  EXPECT_EQ(AutoModel::from_pretrained(dir)->dtype(), DType::f32);
  EXPECT_EQ(AutoModel::from_pretrained(dir)->parameters()[0].tensor.dtype(), DType::f32);
  PretrainedOptions as_stored;
  as_stored.dtype = "auto";
  EXPECT_EQ(AutoModel::from_pretrained(dir, as_stored)->dtype(), DType::f16);
  Json config = Json::load(join_path(dir, "config.json"));
  config.erase("dtype");  // then the first floating tensor says it
  config.save(join_path(dir, "config.json"));
  EXPECT_EQ(AutoModel::from_pretrained(dir, as_stored)->parameters()[0].tensor.dtype(), DType::f16);
  PretrainedOptions integer;
  integer.dtype = "int64";
  EXPECT_THROW(AutoModel::from_pretrained(dir, integer), DTypeError);
}

TEST(SpecExamples, OutputAttentionsGoesIntoTheConfigAndTheOutputs) {
  const std::string dir = folder("attentions");
  AutoModel::from_config(tiny_bert())->save_pretrained(dir);
  PretrainedOptions options;
  options.output_attentions = true;
  const PretrainedModel model = AutoModel::from_pretrained(dir, options);
  EXPECT_TRUE(model->config()["output_attentions"].as_bool());
  const Outputs out = model(Inputs{{"input_ids", ids()}});
  const std::vector<Tensor> attentions = out.tensors("attentions");
  ASSERT_EQ(attentions.size(), 3u);
  EXPECT_EQ(attentions[0].shape(), (Shape{2, 4, 3, 3}));
  const std::vector<float> p = attentions[1].to_floats();
  for (size_t row = 0; row < p.size(); row += 3) EXPECT_NEAR(p[row] + p[row + 1] + p[row + 2], 1, 1e-5);
  EXPECT_FALSE(AutoModel::from_pretrained(dir)(Inputs{{"input_ids", ids()}}).has("attentions"));
}

TEST(SpecExamples, DeviceMapOfModulesIsAccepted) {
  PretrainedOptions options;
  options.device_map = R"({"shared": 0, "encoder": 0, "decoder": 1, "lm_head": 1})";
  const Json t5 = Json::parse(R"({"model_type": "t5", "vocab_size": 20, "d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_heads": 2})");
  const std::string dir = folder("device_map");
  AutoModelForSeq2SeqLM::from_config(t5)->save_pretrained(dir);
  EXPECT_EQ(AutoModelForSeq2SeqLM::from_pretrained(dir, options)->class_name(), "T5ForConditionalGeneration");
  options.device_map = "auto";
  EXPECT_EQ(AutoModelForSeq2SeqLM::from_pretrained(dir, options)->class_name(), "T5ForConditionalGeneration");
  options.device_map = "cuda:0";
  EXPECT_THROW(AutoModelForSeq2SeqLM::from_pretrained(dir, options), UnsupportedError);
  options.device_map = R"({"shared": [0]})";
  EXPECT_THROW(AutoModelForSeq2SeqLM::from_pretrained(dir, options), ValueError);
  options.device_map = R"({"shared": )";
  EXPECT_THROW(AutoModelForSeq2SeqLM::from_pretrained(dir, options), ConfigError);
}

TEST(SpecExamples, AutoFeatureExtractorIsNotMadeDirectly) {
  EXPECT_EQ(message_of<IoError>([] { AutoFeatureExtractor(); }),
            "AutoFeatureExtractor is designed to be instantiated using the `AutoFeatureExtractor.from_pretrained(pretrained_model_name_or_path)` method.");
}

// ---- memory ---------------------------------------------------------------------------------------------------------

TEST(SpecExamples, MemoryIsParametersTimesBytes) {
  constexpr int64_t kBillion = 1000000000;
  EXPECT_EQ(estimate_memory(7 * kBillion, 16).total(), 14 * kBillion);
  EXPECT_EQ(estimate_memory(7 * kBillion, 4).total(), 7 * kBillion / 2);
  EXPECT_EQ(estimate_memory(3 * kBillion, 32).total(), 12 * kBillion);
  EXPECT_EQ(estimate_memory(3 * kBillion, 16).total(), 6 * kBillion);
  const MemoryEstimate adam = estimate_memory(kBillion, 32, "adam");
  EXPECT_EQ(adam.weights, 4 * kBillion);
  EXPECT_EQ(adam.optimizer, 8 * kBillion);
  EXPECT_EQ(adam.gradients, 4 * kBillion);
  EXPECT_EQ(adam.total(), 16 * kBillion);
  EXPECT_THROW(estimate_memory(1, 16, "adamm"), ValueError);
  EXPECT_THROW(estimate_memory(-1, 16), ValueError);
  EXPECT_THROW(estimate_memory(1, 0), ValueError);
  PretrainedOptions half;
  half.dtype = "bfloat16";
  const PretrainedModel full = AutoModel::from_config(tiny_bert()), small = AutoModel::from_config(tiny_bert(), half);
  // tables (30 + 20 + 2) 16 and a norm; per layer 4 projections, 2 feed-forward layers, 2 norms; the pooler
  const int64_t expected = (52 * 16 + 32) + 3 * (4 * (16 * 16 + 16) + (16 * 24 + 24) + (24 * 16 + 16) + 2 * 32) + (16 * 16 + 16);
  EXPECT_EQ(full->num_parameters(), expected);
  EXPECT_EQ(full->num_parameters(false, true), expected - 30 * 16);
  EXPECT_EQ(full->get_memory_footprint(), estimate_memory(expected, 32).total());
  EXPECT_EQ(small->get_memory_footprint(), estimate_memory(expected, 16).total());
}

// ---- sharded checkpoints --------------------------------------------------------------------------------------------

TEST(SpecExamples, LoadShardedCheckpointTellsMissingAndUnexpectedKeys) {
  const std::string dir = folder("sharded"), whole = folder("whole");
  const PretrainedModel source = AutoModel::from_config(tiny_bert()), target = AutoModel::from_config(tiny_bert());
  source->save_pretrained(dir, "4KB");
  ASSERT_TRUE(file_exists(join_path(dir, "model.safetensors.index.json")));
  const IncompatibleKeys same = load_sharded_checkpoint(*target, dir);
  EXPECT_TRUE(same.missing_keys.empty());
  EXPECT_TRUE(same.unexpected_keys.empty());
  const Inputs in{{"input_ids", ids()}};
  NoGrad no_grad;
  expect_near(target(in).tensor("last_hidden_state"), source(in).tensor("last_hidden_state"), 0);

  const PretrainedModel headed = AutoModelForTokenClassification::from_config(tiny_bert());  // other names: all are foreign
  EXPECT_THROW(load_sharded_checkpoint(*headed, dir), CheckpointError);
  const IncompatibleKeys keys = load_sharded_checkpoint(*headed, dir, false);
  EXPECT_EQ(keys.missing_keys.size(), headed->parameters().size());
  EXPECT_EQ(keys.unexpected_keys.size(), source->parameters().size());
  EXPECT_EQ(keys.missing_keys.front(), "bert.embeddings.word_embeddings.weight");

  Json wider = tiny_bert();
  wider.set("intermediate_size", 32);
  const PretrainedModel other = AutoModel::from_config(wider);
  EXPECT_THROW(load_sharded_checkpoint(*other, dir), CheckpointError);
  source->save_pretrained(whole);
  EXPECT_THROW(load_sharded_checkpoint(*target, whole), IoError);  // one file is no sharded checkpoint
}

// ---- pruning --------------------------------------------------------------------------------------------------------

TEST(SpecExamples, PrunedHeadsAreGoneAndStayGone) {
  const PretrainedModel model = AutoModelForSequenceClassification::from_config(tiny_bert());
  const Inputs in{{"input_ids", ids()}};
  Inputs masked = in;  // pruning equals masking
  std::vector<float> mask(12, 1);
  for (int head : {4 + 0, 4 + 2, 8 + 2, 8 + 3}) mask[static_cast<size_t>(head)] = 0;
  masked.set("head_mask", Tensor::from(mask, {3, 4}));
  NoGrad no_grad;
  const Tensor expected = model(masked).tensor("logits");
  const int64_t before = model->num_parameters();
  model->prune_heads({{1, {0, 2}}, {2, {2, 3}}});
  EXPECT_EQ(before - model->num_parameters(), 4 * (3 * (4 * 16 + 4) + 16 * 4));  // per head: rows and biases of q, k, v, columns of dense
  EXPECT_EQ(model->config()["pruned_heads"].dump(), Json::parse(R"({"1": [0, 2], "2": [2, 3]})").dump());
  expect_near(model(in).tensor("logits"), expected);
  for (const Parameter& p : model->parameters())
    if (p.name == "bert.encoder.layer.1.attention.output.dense.weight") {
      EXPECT_EQ(p.shape, (Shape{16, 8}));
    }

  const std::string dir = folder("pruned");
  model->save_pretrained(dir);
  const PretrainedModel again = AutoModelForSequenceClassification::from_pretrained(dir);
  EXPECT_TRUE(again->load_report().missing_keys.empty());
  expect_near(again(in).tensor("logits"), expected);
  again->prune_heads({{1, {0, 3}}});  // head 0 is gone already; numbers are the first ones
  EXPECT_EQ(again->config()["pruned_heads"]["1"].dump(), Json::parse("[0, 2, 3]").dump());
  mask[4 + 3] = 0;
  const PretrainedModel fresh = AutoModelForSequenceClassification::from_pretrained(dir);
  fresh->prune_heads({{1, {3}}});
  expect_near(again(in).tensor("logits"), fresh(in).tensor("logits"));
}

TEST(SpecExamples, PruningRefusesWhatIsNotThere) {
  const PretrainedModel bert = AutoModel::from_config(tiny_bert());
  EXPECT_THROW(bert->prune_heads({{3, {0}}}), ValueError);
  EXPECT_THROW(bert->prune_heads({{-1, {0}}}), ValueError);
  EXPECT_THROW(bert->prune_heads({{0, {4}}}), ValueError);
  EXPECT_THROW(bert->prune_heads({{0, {0, 1, 2, 3}}}), ValueError);
  EXPECT_TRUE(bert->config()["pruned_heads"].is_null());
  EXPECT_THROW(AutoModel::from_config(tiny_vit())->prune_heads({{0, {0}}}), UnsupportedError);
  Json config = tiny_bert();
  config.set("pruned_heads", Json::parse(R"({"0": [9]})"));
  EXPECT_THROW(AutoModel::from_config(config), ConfigError);
}

// ---- composites -----------------------------------------------------------------------------------------------------

TEST(SpecExamples, CompositesOfTwoConfigs) {
  const Json text = EncoderDecoderConfig::from_encoder_decoder_configs(tiny_bert(), tiny_bert(),
                                                                       Json::parse(R"({"decoder_start_token_id": 1, "pad_token_id": 0})"));
  EXPECT_TRUE(text["decoder"]["is_decoder"].as_bool());
  EXPECT_TRUE(text["decoder"]["add_cross_attention"].as_bool());
  EXPECT_TRUE(text["encoder"]["is_decoder"].is_null());
  const PretrainedModel model = AutoModelForSeq2SeqLM::from_config(text);
  EXPECT_EQ(model->class_name(), "EncoderDecoderModel");
  const Outputs out = model(Inputs{{"input_ids", ids()}, {"labels", ids()}});
  EXPECT_EQ(out.tensor("logits").shape(), (Shape{2, 3, 30}));
  EXPECT_NEAR(out.tensor("loss").item(), std::log(30.0), 0.5);  // random weights know nothing
  EXPECT_EQ(out.tensor("encoder_last_hidden_state").shape(), (Shape{2, 3, 16}));

  const Json vision = VisionEncoderDecoderConfig::from_encoder_decoder_configs(tiny_vit(), tiny_bert());
  const PretrainedModel captions = AutoModelForVision2Seq::from_config(vision);
  EXPECT_EQ(captions->class_name(), "VisionEncoderDecoderModel");
  EXPECT_STREQ(captions->main_input_name(), "pixel_values");
  const Outputs words = captions(Inputs{{"pixel_values", Tensor::zeros({2, 3, 8, 8})}, {"decoder_input_ids", ids()}});
  EXPECT_EQ(words.tensor("logits").shape(), (Shape{2, 3, 30}));
  EXPECT_NE(captions->str().find("(enc_to_dec_proj): Linear(in_features=12, out_features=16, bias=True)"), std::string::npos);
  EXPECT_THROW(EncoderDecoderConfig::from_encoder_decoder_configs(Json::object(), tiny_bert()), ConfigError);
}

}  // namespace
}  // namespace transformers
