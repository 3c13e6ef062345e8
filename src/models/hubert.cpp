// HuBERT: wav2vec 2.0's encoder trained on hidden units. Reference: transformers/models/hubert/modeling_hubert.py.
#include "models/wav2vec2.h"

namespace transformers {

static Wav2Vec2Config hubert_config(const Json& json) {
  Wav2Vec2Config c(json);
  c.feat_proj_layer_norm = c.get("feat_proj_layer_norm", true);
  if (c.get("conv_pos_batch_norm", false)) c.positions = Wav2Vec2Config::Positions::batch_norm;
  c.returns_features = c.add_adapter = false;
  if (c.json["adapter_attn_dim"].is_null()) c.adapter_attn_dim = 0;
  return c;
}

void register_hubert(ModelRegistry& r) {
  add_speech_family(r.family("hubert", "hubert"), "Hubert", "hubert", hubert_config, {"ForCTC", "ForSequenceClassification"});
}

}  // namespace transformers
