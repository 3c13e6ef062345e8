// UniSpeech-SAT: wav2vec 2.0's encoder with speaker-aware pre-training. Reference:
// transformers/models/unispeech_sat/modeling_unispeech_sat.py. Letters as in wav2vec2.h.
#include "models/heads.h"
#include "models/wav2vec2.h"

namespace transformers {
namespace {

Wav2Vec2Config unispeech_sat_config(const Json& json) {
  Wav2Vec2Config c(json);
  c.add_adapter = false, c.always_mask_embed = true;
  if (c.json["adapter_attn_dim"].is_null()) c.adapter_attn_dim = 0;
  return c;
}

// The reference holds the parts of the loss but does not compute it.
struct UniSpeechSatForPreTraining final : Model {
  Wav2Vec2Model unispeech_sat;
  GumbelQuantizer quantizer;
  Linear project_q, project_hid, speaker_proj;
  Tensor label_embeddings_concat;
  LayerNorm layer_norm_for_extract;
  UniSpeechSatForPreTraining(const Scope& w, const Json& json)
      : unispeech_sat(w / "unispeech_sat", unispeech_sat_config(json)), quantizer(w / "quantizer", unispeech_sat.c, unispeech_sat.c.hidden_size) {
    config_ = json;
    const Wav2Vec2Config& c = unispeech_sat.c;
    const int64_t P = c.size("proj_codevector_dim", 256), code = c.size("codevector_dim", 256);
    project_q = Linear(w / "project_q", code, P), project_hid = Linear(w / "project_hid", c.hidden_size, P);
    speaker_proj = Linear(w / "speaker_proj", c.hidden_size, code);
    label_embeddings_concat = w.param("label_embeddings_concat", {c.size("num_clusters", 504), code}, Init::zero());
    layer_norm_for_extract = LayerNorm(w / "layer_norm_for_extract", c.hidden_size, c.layer_norm_eps);
  }
  Outputs forward(const Inputs& in) const override {
    const Outputs h = unispeech_sat.forward(in);
    Outputs out;
    out.set("logits", dropout(h.tensor("extract_features"), in.dropout(unispeech_sat.c.get("feat_quantizer_dropout", 0.0))));
    out.set("projected_states", h.tensor("last_hidden_state"));
    pass_on(out, h);
    return out;
  }
  const char* main_input_name() const override { return "input_values"; }
};

}  // namespace

void register_unispeech_sat(ModelRegistry& r) {
  ModelFamily& f = r.family("unispeech-sat", "unispeech_sat");
  add_speech_family(f, "UniSpeechSat", "unispeech_sat", unispeech_sat_config, {"ForCTC", "ForSequenceClassification", "ForAudioFrameClassification", "ForXVector"});
  f.add("UniSpeechSatForPreTraining", make<UniSpeechSatForPreTraining>(), {"AutoModelForPreTraining"});
}

}  // namespace transformers
