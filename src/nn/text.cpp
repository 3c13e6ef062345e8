// What text models share: ids, positions, masks, recording.
#include "nn/text.h"

namespace transformers {

Tensor embeds_or(const Inputs& in, const Embedding& table) {
  const Tensor& ids = in.tensor("input_ids");
  const Tensor& embeds = in.tensor("inputs_embeds");
  if (ids.defined() == embeds.defined()) throw ValueError("You must specify exactly one of input_ids or inputs_embeds");
  if (embeds.defined()) return embeds;
  if (ids.rank() != 2) throw ShapeError({"input_ids: expected [batch, tokens], got ", ids.shape().str()});
  return table(ids);
}
int64_t past_length(const Inputs& in) { return in.cache ? in.cache->length() : 0; }
Tensor positions_of(const Inputs& in, int64_t tokens) {
  const Tensor& given = in.tensor("position_ids");
  if (given.defined()) return given;
  const int64_t past = past_length(in);
  return arange(static_cast<double>(past), static_cast<double>(past + tokens), 1, DType::i64).unsqueeze(0);
}
Tensor token_types_of(const Inputs& in, int64_t batch, int64_t tokens) {
  const Tensor& given = in.tensor("token_type_ids");
  return given.defined() ? given : Tensor::zeros({batch, tokens}, DType::i64);
}

Tensor head_mask_of(const Inputs& in, int64_t layer, const char* name) {
  const Tensor& mask = in.tensor(name);
  if (!mask.defined()) return {};
  if (mask.rank() != 1 && mask.rank() != 2) throw ShapeError({name, ": expected [heads] or [layers, heads], got ", mask.shape().str()});
  const Tensor row = mask.rank() == 1 ? mask : mask.select(0, layer);
  return row.reshape({1, row.dim(0), 1, 1});
}

AttentionOptions padding_mask(const Tensor& attention_mask) {
  AttentionOptions o;
  if (!attention_mask.defined()) return o;
  const Tensor seen = attention_mask.dtype() == DType::boolean ? attention_mask : ne(attention_mask, 0);
  const Tensor flat = seen.contiguous();
  bool all_seen = true;
  for (int64_t i = 0; i < flat.numel() && all_seen; ++i) all_seen = flat.data<bool>()[i];
  if (all_seen) return o;
  if (seen.rank() == 2) o.key_mask = flat;
  else if (seen.rank() == 3) o.mask = flat.unsqueeze(1);
  else if (seen.rank() == 4) o.mask = flat;
  else throw ShapeError({"attention_mask: expected [B, S], [B, T, S] or [B, 1, T, S], got ", attention_mask.shape().str()});
  return o;
}
AttentionOptions causal_mask(const Tensor& attention_mask, int64_t window) {
  AttentionOptions o = padding_mask(attention_mask);
  o.causal = true;
  o.window = window;
  return o;
}

void Recorder::write(Outputs& out, const std::string& prefix) const {
  if (hidden_) out.set(prefix + "hidden_states", Value(states_));
  if (attentions_) out.set(prefix + "attentions", Value(probs_));
  if (attentions_ && !cross_.empty()) out.set("cross_attentions", Value(cross_));
}

}  // namespace transformers
