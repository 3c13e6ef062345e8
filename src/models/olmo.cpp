// OLMo: Llama with norms without weights and clipped projections. Reference: transformers/models/olmo/modeling_olmo.py.
#include "models/llama.h"

namespace transformers {
namespace {

struct OlmoConfig : LlamaConfig {
  explicit OlmoConfig(const Json& j) : LlamaConfig(with_defaults(j, {{"vocab_size", 50304}, {"pad_token_id", 1}})) {}
  double clip_qkv = get("clip_qkv", 0.0);
};

struct OlmoNorm {
  OlmoNorm(const Scope&, int64_t, double) {}
  Tensor operator()(const Tensor& x) const { return layer_norm(x, {}, {}, 1e-5); }
};

struct OlmoAttention : LlamaAttention {
  double clip_qkv;
  OlmoAttention(const Scope& w, const OlmoConfig& c, int64_t index) : LlamaAttention(w, c, index), clip_qkv(c.clip_qkv) {}
  Tensor operator()(const Tensor& x, const DecoderStep& s) const {
    const auto heads = [&](const Linear& project) {
      const Tensor y = project(x);
      return split_heads(clip_qkv > 0 ? clamp(y, -clip_qkv, clip_qkv) : y, head_dim);
    };
    return o_proj(attend(heads(q_proj), heads(k_proj), heads(v_proj), s));
  }
};

}  // namespace

void register_olmo(ModelRegistry& r) {
  add_decoder_classes(r.family("olmo", "model"), "Olmo", make<DecoderModel<OlmoConfig, PreNormLayer<OlmoAttention, LlamaMlp, OlmoNorm>, OlmoNorm>>(), "c");
}

}  // namespace transformers
