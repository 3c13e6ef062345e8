// UniSpeech: wav2vec 2.0's encoder with its own pre-training head. Reference: transformers/models/unispeech/modeling_unispeech.py.
// Letters as in wav2vec2.h.
#include "models/heads.h"
#include "models/wav2vec2.h"

namespace transformers {
namespace {

Wav2Vec2Config unispeech_config(const Json& json) {
  Wav2Vec2Config c(json);
  c.add_adapter = false;
  if (c.json["adapter_attn_dim"].is_null()) c.adapter_attn_dim = 0;
  return c;
}

struct UniSpeechForPreTraining final : Model {
  Wav2Vec2Model unispeech;
  GumbelQuantizer quantizer;
  Linear project_q, project_hid, ctc_proj;
  UniSpeechForPreTraining(const Scope& w, const Json& json)
      : unispeech(w / "unispeech", unispeech_config(json)), quantizer(w / "quantizer", unispeech.c, unispeech.c.features()) {
    config_ = json;
    const Wav2Vec2Config& c = unispeech.c;
    const int64_t P = c.size("proj_codevector_dim", 256);
    project_q = Linear(w / "project_q", quantizer.groups * quantizer.width, P);
    project_hid = Linear(w / "project_hid", P, c.hidden_size);
    ctc_proj = Linear(w / "ctc_proj", c.hidden_size, c.size("num_ctc_classes", 80));  // the reference computes no loss from it
  }
  Outputs forward(const Inputs& in) const override {
    const Outputs h = unispeech.forward(in);
    const Tensor features = dropout(h.tensor("extract_features"), in.dropout(unispeech.c.get("feat_quantizer_dropout", 0.0)));
    const auto [codes, perplexity] = quantizer(features, {}, in);
    Outputs out;
    out.set("projected_states", h.tensor("last_hidden_state")).set("projected_quantized_states", project_hid(project_q(codes)));
    out.set("codevector_perplexity", perplexity);
    pass_on(out, h);
    return out;
  }
  const char* main_input_name() const override { return "input_values"; }
};

}  // namespace

void register_unispeech(ModelRegistry& r) {
  ModelFamily& f = r.family("unispeech", "unispeech");
  add_speech_family(f, "UniSpeech", "unispeech", unispeech_config, {"ForCTC", "ForSequenceClassification"});
  f.add("UniSpeechForPreTraining", make<UniSpeechForPreTraining>(), {"AutoModelForPreTraining"});
}

}  // namespace transformers
