// data2vec audio: wav2vec 2.0's encoder with stacked position convolutions. Reference: transformers/models/data2vec/modeling_data2vec_audio.py.
#include "models/wav2vec2.h"

namespace transformers {

static Wav2Vec2Config data2vec_audio_config(const Json& json) {
  Wav2Vec2Config c(with_defaults(json, {{"num_conv_pos_embeddings", 5}}));
  c.json = json;
  c.positions = Wav2Vec2Config::Positions::stacked;
  c.conv_pos_kernel_size = c.size("conv_pos_kernel_size", 19);
  c.feat_extract_norm = "layer";
  c.do_stable_layer_norm = false, c.adapter_attn_dim = 0;
  return c;
}

void register_data2vec_audio(ModelRegistry& r) {
  add_speech_family(r.family("data2vec-audio", "data2vec_audio"), "Data2VecAudio", "data2vec_audio", data2vec_audio_config,
                    {"ForCTC", "ForSequenceClassification", "ForAudioFrameClassification", "ForXVector"});
}

}  // namespace transformers
