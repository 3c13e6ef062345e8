// wav2vec 2.0's pre-training head: code books by Gumbel softmax, contrastive and diversity losses; registration.
// Papers: arXiv 2006.11477, 1611.01144. Letters as in wav2vec2.h; K negatives, P projected width.
#include <cmath>

#include "models/heads.h"
#include "models/wav2vec2.h"
#include "ops/loss.h"

namespace transformers {

GumbelQuantizer::GumbelQuantizer(const Scope& w, const Config& c, int64_t in)
    : groups(c.size("num_codevector_groups", 2)), codes(c.size("num_codevectors_per_group", 320)),
      width(divide_exactly("codevector_dim", c.size("codevector_dim", 256), "num_codevector_groups", groups)),
      codevectors(unit_param(w, "codevectors", {1, groups * codes, width})), weight_proj(w / "weight_proj", in, groups * codes, true, Init::std(1)) {}

std::pair<Tensor, Tensor> GumbelQuantizer::operator()(const Tensor& x, const Tensor& mask, const Inputs& in) const {
  const int64_t B = x.dim(0), F = x.dim(1);
  const Tensor scores = weight_proj(x).reshape({B * F, groups, codes});
  const Tensor wide = scores.dtype() == DType::f64 ? scores : scores.to(DType::f32);
  const Tensor book = codevectors.view({groups, codes, width});
  Tensor probs, vectors;
  if (in.training) {  // a sample, hard in the forward and soft in the backward pass
    const Value* given = in.find("gumbel_temperature");
    const double temperature = given && given->plain().is_number() ? given->plain().as_double() : 2;
    const Tensor noise = -log(-log(clamp(rand(wide.shape()).to(wide.dtype()), 1e-20, 1 - 1e-7)));
    const Tensor soft = softmax((wide + noise) / temperature, -1);
    const Tensor hard = one_hot(argmax(soft, -1), codes).to(soft.dtype()) - soft.detach() + soft;
    vectors = matmul(hard.to(scores.dtype()).transpose(0, 1), book).transpose(0, 1);  // [G, B F, V] x [G, V, width]
    probs = softmax(wide, -1);
  } else {
    const Tensor best = argmax(scores, -1);  // [B F, G]
    const Tensor rows = best + arange(0, static_cast<double>(groups * codes), static_cast<double>(codes), DType::i64);
    vectors = index_rows(codevectors.select(0, 0), rows);
    probs = one_hot(best, codes).to(wide.dtype());
  }
  Tensor marginal;  // [G, V]
  if (mask.defined()) {
    const Tensor counted = mask.reshape({-1, 1, 1});
    marginal = sum(where(counted, probs, 0.0), {0}) / static_cast<double>(sum(mask).item_int());
  } else {
    marginal = mean(probs, {0});
  }
  const Tensor perplexity = sum(exp(-sum(marginal * log(marginal + 1e-7), {-1})));
  return {vectors.reshape({B, F, groups * width}), perplexity};
}

namespace {

struct Wav2Vec2ForPreTraining final : Model {
  Wav2Vec2Model wav2vec2;
  GumbelQuantizer quantizer;
  Linear project_hid, project_q;
  Wav2Vec2ForPreTraining(const Scope& w, const Json& json) : wav2vec2(w / "wav2vec2", Wav2Vec2Config(json)), quantizer(w / "quantizer", wav2vec2.c, wav2vec2.c.features()) {
    config_ = json;
    const Wav2Vec2Config& c = wav2vec2.c;
    const int64_t P = c.size("proj_codevector_dim", 256), code = quantizer.groups * quantizer.width;
    const auto plain = [](int64_t in) { return Init::bounded(1 / std::sqrt(static_cast<double>(in))); };
    project_hid = Linear(w / "project_hid", c.hidden_size, P, true, plain(c.hidden_size), plain(c.hidden_size));
    project_q = Linear(w / "project_q", code, P, true, plain(code), plain(code));
  }

  Outputs forward(const Inputs& given) const override {
    Inputs in = given;
    Tensor mask = in.tensor("mask_time_indices");
    if (mask.defined()) in.set("mask_time_indices", mask = ne(mask, 0));
    const Outputs h = wav2vec2.forward(in);
    const Tensor states = project_hid(h.tensor("last_hidden_state"));  // [B, F, P]
    const Tensor features = dropout(h.tensor("extract_features"), in.dropout(wav2vec2.c.get("feat_quantizer_dropout", 0.0)));
    const auto [codes, perplexity] = quantizer(features, mask, in);
    const Tensor quantized = project_q(codes);  // [B, F, P]
    Outputs out;
    if (const Tensor& negatives = in.tensor("sampled_negative_indices"); negatives.defined()) {
      if (!mask.defined()) throw ValueError("sampled_negative_indices: the contrastive loss needs mask_time_indices");
      const Tensor contrastive = contrastive_loss(states, quantized, negatives, mask);
      const double total = static_cast<double>(quantizer.groups * quantizer.codes);
      const Tensor diversity = (total - perplexity) / total * static_cast<double>(sum(mask).item_int());
      out.set("loss", contrastive + diversity * wav2vec2.c.get("diversity_loss_weight", 0.1));
      out.set("contrastive_loss", contrastive).set("diversity_loss", diversity);
    }
    out.set("projected_states", states).set("projected_quantized_states", quantized).set("codevector_perplexity", perplexity);
    pass_on(out, h);
    return out;
  }

  // Every masked frame must find its own code among K others: negatives int64 [B, F, K] index the rows of [B * F, P].
  Tensor contrastive_loss(const Tensor& states, const Tensor& quantized, const Tensor& negatives, const Tensor& mask) const {
    const int64_t B = quantized.dim(0), F = quantized.dim(1), P = quantized.dim(2);
    if (negatives.rank() != 3 || negatives.dim(0) != B || negatives.dim(1) != F)
      throw ShapeError({"sampled_negative_indices: expected [", B, ", ", F, ", negatives], got ", negatives.shape().str()});
    const Tensor others = index_rows(quantized.reshape({B * F, P}), negatives.to(DType::i64)).permute({2, 0, 1, 3});  // [K, B, F, P]
    const Tensor own = quantized.unsqueeze(0);
    const auto wide = [](const Tensor& t) { return t.dtype() == DType::f64 ? t : t.to(DType::f32); };
    Tensor logits = cosine_similarity(wide(states.unsqueeze(0)), wide(cat({own, others}, 0)), -1) / wav2vec2.c.get("contrastive_logits_temperature", 0.1);  // [1 + K, B, F]
    const Tensor same = all(eq(own, others), {-1});  // a negative that equals the positive does not count
    const Tensor dropped = cat({Tensor::zeros({1, B, F}, DType::boolean), same}, 0);
    logits = masked_fill(logits, dropped, -INFINITY).transpose(0, 2).reshape({F * B, -1});
    const Tensor target = ((mask.to(DType::i64) - 1) * 100).transpose(0, 1).reshape({-1});  // 0, or -100 where not masked
    CrossEntropyOptions o;
    o.reduction = Reduction::sum;
    return cross_entropy(logits, target, o);
  }
  const char* main_input_name() const override { return "input_values"; }
};

}  // namespace

void register_wav2vec2(ModelRegistry& r) {
  ModelFamily& f = r.family("wav2vec2", "wav2vec2");
  add_speech_family(f, "Wav2Vec2", "wav2vec2", [](const Json& j) { return Wav2Vec2Config(j); },
                    {"ForCTC", "ForMaskedLM", "ForSequenceClassification", "ForAudioFrameClassification", "ForXVector"});
  f.add("Wav2Vec2ForPreTraining", make<Wav2Vec2ForPreTraining>(), {"AutoModelForPreTraining"});
}

}  // namespace transformers
