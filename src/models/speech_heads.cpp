// Heads of wav2vec 2.0 and its siblings: CTC, sequence and frame classification, x-vectors.
// Reference: transformers/models/wav2vec2/modeling_wav2vec2.py. Letters as in wav2vec2.h; V vocabulary, N labels.
#include <cmath>

#include "models/heads.h"
#include "models/wav2vec2.h"
#include "nn/weight.h"
#include "ops/loss.h"

namespace transformers {
namespace {

struct SpeechHead : Model {
  Wav2Vec2Model base;
  Tensor layer_weights;  ///< [layers + 1] where use_weighted_layer_sum is set.
  const Wav2Vec2Config& c;
  SpeechHead(const Scope& w, const std::string& prefix, const Wav2Vec2Config& config, bool may_weigh) : base(w / prefix, config), c(base.c) {
    config_ = config.json;
    if (!may_weigh) return;
    const int64_t states = c.num_hidden_layers + 1;
    if (c.get("use_weighted_layer_sum", false)) layer_weights = w.param("layer_weights", {states}, Init::fill(1.0 / static_cast<double>(states)));
  }
  /// Runs the backbone; the second is the last hidden state or the weighted sum of all of them.
  std::pair<Outputs, Tensor> run(const Inputs& given) const {
    Inputs in = given;
    in.output_hidden_states |= layer_weights.defined();
    Outputs h = base.forward(in);
    Tensor x = h.tensor("last_hidden_state");
    if (layer_weights.defined()) x = sum(stack(h.tensors("hidden_states"), 1) * softmax(layer_weights, -1).view({1, -1, 1, 1}), {1});
    if (!given.output_hidden_states) h.erase("hidden_states");
    return {h, x};
  }
  void refuse_adapter(const char* what) const {
    if (c.add_adapter) throw ConfigError({what, " does not support the use of Wav2Vec2 adapters (config.add_adapter=True)"});
  }
  const char* main_input_name() const override { return "input_values"; }
};

struct Ctc : SpeechHead {
  Linear lm_head;
  Ctc(const Scope& w, const std::string& prefix, const Wav2Vec2Config& config)
      : SpeechHead(w, prefix, config, false), lm_head(w / "lm_head", c.add_adapter ? c.output_hidden_size : c.hidden_size, c.size("vocab_size", 32)) {}
  Outputs forward(const Inputs& in) const override {
    const Tensor& labels = in.tensor("labels");
    const int64_t V = lm_head.weight()->out();
    if (labels.defined() && labels.numel() > 0 && amax(labels).item_int() >= V) throw ValueError({"Label values must be <= vocab_size: ", V});
    const auto [h, x] = run(in);
    const Tensor logits = lm_head(dropout(x, in.dropout(c.get("final_dropout", 0.1))));  // [B, F, V]
    Outputs out;
    if (labels.defined()) out.set("loss", loss(logits, labels, in));
    out.set("logits", logits);
    pass_on(out, h);
    return out;
  }
  Tensor loss(const Tensor& logits, const Tensor& labels, const Inputs& in) const {
    if (labels.rank() != 2 || labels.dim(0) != logits.dim(0)) throw ShapeError({"labels: expected [batch, length] with batch ", logits.dim(0), ", got ", labels.shape().str()});
    const Tensor& mask = in.tensor("attention_mask");
    const Tensor all = mask.defined() ? mask : Tensor::full(in.tensor("input_values").shape(), 1, DType::i64);
    const Tensor counted = ge(labels, 0);  // negative labels are padding
    const Tensor log_probs = log_softmax(logits.dtype() == DType::f64 ? logits : logits.to(DType::f32), -1).transpose(0, 1);
    const std::string reduction = c.get("ctc_loss_reduction", "sum");
    if (reduction != "sum" && reduction != "mean") throw ConfigError({"config: ctc_loss_reduction \"", reduction, "\" is not one of \"sum\", \"mean\""});
    return ctc_loss(log_probs, masked_select_rows(labels, counted), Tensor::from(c.frames(all, c.add_adapter)), sum(counted, {1}), c.get("pad_token_id", 0),
                    reduction == "sum" ? Reduction::sum : Reduction::mean, c.get("ctc_zero_infinity", false));
  }
};

// The old name of the CTC head: no loss, and the reference does not pass the mask on.
struct MaskedLm final : SpeechHead {
  Linear lm_head;
  MaskedLm(const Scope& w, const std::string& prefix, const Wav2Vec2Config& config)
      : SpeechHead(w, prefix, config, false), lm_head(w / "lm_head", c.hidden_size, c.size("vocab_size", 32)) {}
  Outputs forward(const Inputs& given) const override {
    Inputs in = given;
    in.erase("attention_mask");
    const auto [h, x] = run(in);
    Outputs out;
    out.set("logits", lm_head(dropout(x, in.dropout(c.get("final_dropout", 0.1)))));
    pass_on(out, h);
    return out;
  }
};

struct SequenceClassification final : SpeechHead {
  Linear projector, classifier;
  SequenceClassification(const Scope& w, const std::string& prefix, const Wav2Vec2Config& config)
      : SpeechHead(w, prefix, config, true), projector(w / "projector", c.hidden_size, c.size("classifier_proj_size", 256)),
        classifier(w / "classifier", c.size("classifier_proj_size", 256), num_labels(c.json)) {
    refuse_adapter("Sequence classification");
  }
  Outputs forward(const Inputs& in) const override {
    auto [h, x] = run(in);
    x = projector(x);
    const Tensor& given = in.tensor("attention_mask");
    Tensor pooled;
    if (given.defined()) {
      const Tensor mask = c.frame_mask(given, x.dim(1), c.add_adapter);
      x = masked_fill(x, logical_not(mask).unsqueeze(-1), 0);
      pooled = sum(x, {1}) / sum(mask, {1}, true).to(x.dtype());
    } else {
      pooled = mean(x, {1});
    }
    const Tensor logits = classifier(pooled);  // [B, N]
    Outputs out;
    out.set("loss", token_loss(logits, in.tensor("labels"))).set("logits", logits);
    pass_on(out, h);
    return out;
  }
};

struct AudioFrameClassification final : SpeechHead {
  Linear classifier;
  AudioFrameClassification(const Scope& w, const std::string& prefix, const Wav2Vec2Config& config)
      : SpeechHead(w, prefix, config, true), classifier(w / "classifier", c.hidden_size, num_labels(c.json)) {
    refuse_adapter("Audio frame classification");
  }
  Outputs forward(const Inputs& in) const override {
    const auto [h, x] = run(in);
    const Tensor logits = classifier(x);  // [B, F, N]
    const Tensor& labels = in.tensor("labels");  // one-hot [B, F, N]
    Outputs out;
    if (labels.defined()) out.set("loss", token_loss(logits.flatten(0, 1), argmax(labels.reshape({-1, logits.dim(2)}), 1)));
    out.set("logits", logits);
    pass_on(out, h);
    return out;
  }
};

// Time-delay network over the frames, mean and deviation over time, two projections. Loss: additive-margin softmax.
struct XVector final : SpeechHead {
  struct Layer {
    Tensor weight, bias;  ///< [out, kernel * in]
    int64_t kernel, dilation;
  };
  Linear projector;
  std::vector<Layer> tdnn;
  Linear feature_extractor, classifier;
  Tensor objective;
  XVector(const Scope& w, const std::string& prefix, const Wav2Vec2Config& config) : SpeechHead(w, prefix, config, true) {
    const auto dims = c.get("tdnn_dim", std::vector<int64_t>{512, 512, 512, 512, 1500}), kernels = c.get("tdnn_kernel", std::vector<int64_t>{5, 3, 3, 1, 1}),
               dilations = c.get("tdnn_dilation", std::vector<int64_t>{1, 2, 3, 1, 1});
    if (dims.empty() || dims.size() != kernels.size() || dims.size() != dilations.size()) throw ConfigError("config: tdnn_dim, tdnn_kernel and tdnn_dilation must have the same length");
    projector = Linear(w / "projector", c.hidden_size, dims[0]);
    for (size_t i = 0; i < dims.size(); ++i) {
      const int64_t in = dims[i == 0 ? 0 : i - 1];
      if (dims[i] < 1 || in < 1 || kernels[i] < 1 || dilations[i] < 1 || dims[i] > (1 << 24) || kernels[i] > (1 << 24) || dilations[i] > (1 << 24))
        throw ConfigError({"config: tdnn layer ", i, " of width ", dims[i], ", kernel ", kernels[i], ", dilation ", dilations[i], " is impossible"});
      const Scope k = w / "tdnn" / static_cast<int64_t>(i) / "kernel";
      tdnn.push_back({k.param("weight", {dims[i], in * kernels[i]}), k.param("bias", {dims[i]}, Init::zero()), kernels[i], dilations[i]});
    }
    const int64_t width = c.size("xvector_output_dim", 512);
    feature_extractor = Linear(w / "feature_extractor", dims.back() * 2, width);
    classifier = Linear(w / "classifier", width, width);
    objective = (w / "objective").param("weight", {width, num_labels(c.json)}, Init::std(1));
  }
  Outputs forward(const Inputs& in) const override {
    auto [h, x] = run(in);
    x = projector(x).transpose(1, 2);  // [B, width, F]
    for (const Layer& l : tdnn) {
      const int64_t wide = l.weight.dim(1) / l.kernel;
      x = relu(conv(x, l.weight.view({-1, l.kernel, wide}).transpose(1, 2).contiguous(), l.bias, {.dilation = {l.dilation}}));
    }
    const Tensor& mask = in.tensor("attention_mask");
    Tensor pooled;  // [B, 2 * width]
    if (!mask.defined()) {
      pooled = cat({mean(x, {2}), std_dev(x, {2})}, -1);
    } else {
      std::vector<int64_t> lengths = c.frames(mask, c.add_adapter);
      std::vector<Tensor> rows;
      for (size_t b = 0; b < lengths.size(); ++b) {
        for (const Layer& l : tdnn) lengths[b] -= l.kernel - 1;  // as in the reference: dilation is not counted
        const Tensor row = x.select(0, static_cast<int64_t>(b)).slice(1, 0, lengths[b]);
        if (row.dim(1) < 1) throw ValueError({"attention_mask: row ", b, " is too short for the x-vector layers"});
        rows.push_back(cat({mean(row, {1}), std_dev(row, {1})}, 0));
      }
      pooled = stack(rows);
    }
    const Tensor embeddings = feature_extractor(pooled), logits = classifier(embeddings);
    Outputs out;
    if (const Tensor& labels = in.tensor("labels"); labels.defined()) out.set("loss", margin_loss(logits, labels.reshape({-1})));
    out.set("logits", logits).set("embeddings", embeddings);
    pass_on(out, h);
    return out;
  }
  Tensor margin_loss(const Tensor& x, const Tensor& labels) const {
    const double scale = 30, margin = 0.4;
    const Tensor cosine = matmul(normalize(x, 2, 1), normalize(objective, 2, 0));  // [B, N]
    const Tensor own = ne(one_hot(labels, cosine.dim(1)), 0);
    return cross_entropy(where(own, cosine - margin, cosine) * scale, labels);
  }
};

template <class Head> Factory head(const std::string& prefix, const SpeechConfig& config) {
  return [=](const Scope& w, const Json& json) -> std::unique_ptr<Model> { return std::make_unique<Head>(w, prefix, config(json)); };
}

}  // namespace

void add_speech_family(ModelFamily& f, const std::string& name, const std::string& prefix, const SpeechConfig& config, std::initializer_list<const char*> heads) {
  struct Entry { const char *suffix; Factory make; std::vector<std::string> autos; };
  const Entry known[] = {
      {"ForCTC", head<Ctc>(prefix, config), {"AutoModelForCTC"}},
      {"ForMaskedLM", head<MaskedLm>(prefix, config), {"AutoModelForMaskedLM", "AutoModelWithLMHead"}},
      {"ForSequenceClassification", head<SequenceClassification>(prefix, config), {"AutoModelForAudioClassification"}},
      {"ForAudioFrameClassification", head<AudioFrameClassification>(prefix, config), {"AutoModelForAudioFrameClassification"}},
      {"ForXVector", head<XVector>(prefix, config), {"AutoModelForAudioXVector"}},
  };
  f.add(name + "Model", [config](const Scope& w, const Json& json) -> std::unique_ptr<Model> { return std::make_unique<Wav2Vec2Model>(w, config(json)); }, {"AutoModel"});
  for (const char* wanted : heads)
    for (const Entry& e : known)
      if (std::string_view(e.suffix) == wanted) f.add(name + wanted, e.make, e.autos);
  f.rename("conv.weight_g", "conv.parametrizations.weight.original0").rename("conv.weight_v", "conv.parametrizations.weight.original1");
}

}  // namespace transformers
