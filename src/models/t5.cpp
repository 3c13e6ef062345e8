// T5: attention with relative position buckets, stacks, model. Letters as in t5.h. Heads are in t5_heads.cpp.
#include "models/t5.h"

#include <cmath>

#include "nn/weight.h"

namespace transformers {

std::string T5Config::activation() const {
  if (feed_forward_proj == "gated-gelu") return "gelu_new";  // the reference's exception for old checkpoints
  const std::string act = gated() ? feed_forward_proj.substr(6) : feed_forward_proj;
  if (act.find('-') != std::string::npos) throw ConfigError({"config: feed_forward_proj \"", feed_forward_proj, "\" must be an activation or gated-{activation}"});
  return act;
}

static Init scaled(const T5Config& c, int64_t fan) { return Init::std(c.initializer_factor / std::sqrt(static_cast<double>(fan))); }

T5Attention::T5Attention(const Scope& w, const T5Config& c, int64_t index, bool has_bias)
    : layer(index), head_dim(c.d_kv), dropout_rate(c.dropout_rate), q(w / "q", c.d_model, c.num_heads * c.d_kv, false, scaled(c, c.d_model * c.d_kv)),
      k(w / "k", c.d_model, c.num_heads * c.d_kv, false, scaled(c, c.d_model)), v(w / "v", c.d_model, c.num_heads * c.d_kv, false, scaled(c, c.d_model)),
      o(w / "o", c.num_heads * c.d_kv, c.d_model, false, scaled(c, c.num_heads * c.d_kv)) {
  if (has_bias) relative_attention_bias = Embedding(w / "relative_attention_bias", c.relative_attention_num_buckets, c.num_heads, -1, scaled(c, c.d_model));
}

Tensor T5Attention::operator()(const Tensor& x, const T5Step& s, bool cross) const {
  const Tensor queries = split_heads(q(x), head_dim);  // [B, H, T, D]
  Tensor keys, values;
  if (cross && s.in.cache) std::tie(keys, values) = s.in.cache->cross(layer);
  if (!keys.defined()) {
    const Tensor& from = cross ? s.encoder : x;
    keys = split_heads(k(from), head_dim), values = split_heads(v(from), head_dim);
    if (s.in.cache && cross) s.in.cache->set_cross(layer, keys, values);
    if (s.in.cache && !cross && s.mask.causal) std::tie(keys, values) = s.in.cache->update(layer, keys, values);
  }
  AttentionOptions options = cross ? s.cross_mask : s.mask;
  if (!cross && layer > 0 && relative_attention_bias) options.bias = position_bias(s.buckets);
  options.scale = 1;  // T5 folds the scale into its initialisation
  options.dropout = s.in.dropout(dropout_rate);
  options.head_mask = head_mask_of(s.in, layer, cross ? "cross_attn_head_mask" : "head_mask");
  options.probabilities = cross ? s.recorder.cross_slot() : s.recorder.attention_slot();
  return o(merge_heads(attention(queries, keys, values, options)));
}

Tensor T5Attention::position_bias(const Tensor& buckets) const { return relative_attention_bias(buckets).permute({2, 0, 1}).unsqueeze(0); }

T5FeedForward::T5FeedForward(const Scope& w, const T5Config& c) : act(c.activation()), dropout_rate(c.dropout_rate) {
  if (c.gated()) wi_0 = Linear(w / "wi_0", c.d_model, c.d_ff, false, scaled(c, c.d_model)), wi_1 = Linear(w / "wi_1", c.d_model, c.d_ff, false, scaled(c, c.d_model));
  else wi = Linear(w / "wi", c.d_model, c.d_ff, false, scaled(c, c.d_model));
  wo = Linear(w / "wo", c.d_ff, c.d_model, false, scaled(c, c.d_ff));
}
Tensor T5FeedForward::operator()(const Tensor& x, const Inputs& in) const {
  const Tensor h = wi ? act(wi(x)) : act(wi_0(x)) * wi_1(x);
  return wo(dropout(h, in.dropout(dropout_rate)));
}

T5Block::T5Block(const Scope& w, const T5Config& c, int64_t index, bool is_decoder)
    : attention_norm(w / "layer.0.layer_norm", c.d_model, c.layer_norm_epsilon), attention(w / "layer.0.SelfAttention", c, index, index == 0 || c.bias_everywhere),
      ff((w / "layer") / (is_decoder ? 2 : 1) / "DenseReluDense", c), dropout_rate(c.dropout_rate) {
  if (is_decoder) {
    cross_attention.emplace(w / "layer.1.EncDecAttention", c, index, false);
    cross_norm = RmsNorm(w / "layer.1.layer_norm", c.d_model, c.layer_norm_epsilon);
  }
  ff_norm = RmsNorm((w / "layer") / (is_decoder ? 2 : 1) / "layer_norm", c.d_model, c.layer_norm_epsilon);
}
Tensor T5Block::operator()(const Tensor& input, const T5Step& s) const {
  const double p = s.in.dropout(dropout_rate);
  Tensor x = input + dropout(attention(attention_norm(input), s, false), p);
  if (cross_attention && (s.encoder.defined() || (s.in.cache && s.in.cache->cross(attention.layer).first.defined())))
    x = x + dropout((*cross_attention)(cross_norm(x), s, true), p);
  return x + dropout(ff(ff_norm(x), s.in), p);
}

T5Stack::T5Stack(const Scope& w, const T5Config& config, bool decoder, const Embedding& table) : c(config), is_decoder(decoder), embed_tokens(table) {
  const int64_t n = decoder ? c.num_decoder_layers : c.num_layers;
  if (n < 1 || n > 4096) throw ConfigError({"config: num_layers = ", n, " is not a number of layers"});
  for (int64_t i = 0; i < n; ++i) blocks.emplace_back(w / "block" / i, c, i, decoder);
  final_layer_norm = RmsNorm(w / "final_layer_norm", c.d_model, c.layer_norm_epsilon);
}

// Distance key - query to a bucket: exact up to a limit, then logarithmic.
static int64_t bucket_of(int64_t distance, bool bidirectional, int64_t buckets, int64_t max_distance) {
  int64_t base = 0;
  if (bidirectional) {
    buckets /= 2;
    if (distance > 0) base = buckets;
    distance = std::abs(distance);
  } else {
    distance = -std::min<int64_t>(distance, 0);
  }
  const int64_t exact = buckets / 2;
  if (distance < exact) return base + distance;
  const float ratio = std::log(static_cast<float>(distance) / static_cast<float>(exact)) / static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
  return base + std::min(exact + static_cast<int64_t>(ratio * static_cast<float>(buckets - exact)), buckets - 1);
}

Tensor T5Stack::buckets(int64_t queries, int64_t keys) const {
  std::vector<int64_t> ids;
  ids.reserve(static_cast<size_t>(queries * keys));
  for (int64_t t = 0; t < queries; ++t)
    for (int64_t s = 0; s < keys; ++s)
      ids.push_back(bucket_of(s - (keys - queries + t), !is_decoder, c.relative_attention_num_buckets, c.relative_attention_max_distance));
  return Tensor::from(ids, {queries, keys});
}

Outputs T5Stack::operator()(const Inputs& in) const {
  Tensor x = dropout(embeds_or(in, embed_tokens), in.dropout(c.dropout_rate));  // [B, T, C]
  const int64_t T = x.dim(1), past = is_decoder ? past_length(in) : 0;
  const Tensor& mask = in.tensor("attention_mask");
  Recorder recorder(in);
  T5Step step{in, is_decoder ? causal_mask(mask) : padding_mask(mask), padding_mask(in.tensor("encoder_attention_mask")), buckets(T, past + T), in.tensor("encoder_hidden_states"), recorder};
  step.mask.bias = blocks[0].attention.position_bias(step.buckets);
  for (const T5Block& block : blocks) {
    recorder.hidden(x);
    x = block(x, step);
  }
  x = dropout(final_layer_norm(x), in.dropout(c.dropout_rate));
  recorder.hidden(x);
  Outputs out;
  out.set("last_hidden_state", x);
  recorder.write(out);
  return out;
}

T5Model::T5Model(const Scope& w, const T5Config& config)
    : c(config), shared(w / "shared", c.vocab_size, c.d_model, -1, Init::std(c.initializer_factor)), encoder(w / "encoder", c, false, shared), decoder(w / "decoder", c, true, shared) {
  config_ = c.json;
  w.tie("encoder.embed_tokens.weight", shared.name());
  w.tie("decoder.embed_tokens.weight", shared.name());
}
Outputs T5Model::encode(const Inputs& in) const {
  Inputs e = in;
  e.cache = nullptr;
  return encoder(e);
}
Outputs T5Model::forward(const Inputs& in) const {
  const Outputs encoded = encoder_outputs_or(in, [&] { return encode(in); });
  Inputs d = decoder_inputs(in);
  if (!d.has("input_ids") && !d.has("inputs_embeds")) throw ValueError("You have to specify either decoder_input_ids or decoder_inputs_embeds");
  d.set("encoder_hidden_states", encoded.tensor("last_hidden_state")).set("encoder_attention_mask", in.tensor("attention_mask"));
  return seq2seq_outputs(encoded, decoder(d));
}

}  // namespace transformers
