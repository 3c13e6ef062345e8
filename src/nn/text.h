// What text models share: embeddings of ids, positions, masks, recording of hidden states.
#pragma once
#include "nn/cache.h"
#include "nn/layers.h"
#include "nn/rope.h"

namespace transformers {

/// inputs_embeds if given, else table(input_ids). Throws ValueError when both or neither are given.
Tensor embeds_or(const Inputs& in, const Embedding& table);
/// Tokens already in the cache.
int64_t past_length(const Inputs& in);
/// position_ids if given, else past .. past + T - 1 as int64 [1, T].
Tensor positions_of(const Inputs& in, int64_t tokens);
/// token_type_ids if given, else zeros of the ids' shape [B, T].
Tensor token_types_of(const Inputs& in, int64_t batch, int64_t tokens);

/// A layer's row of the input `name` ([H] or [layers, H]) as [1, H, 1, 1]; undefined when absent.
Tensor head_mask_of(const Inputs& in, int64_t layer, const char* name = "head_mask");

/// Attention options with the padding mask `attention_mask` applied: [B, S] (1 = seen), [B, T, S] or [B, 1, T, S].
/// A mask of ones is dropped.
AttentionOptions padding_mask(const Tensor& attention_mask);
/// The same with causality, for decoders.
AttentionOptions causal_mask(const Tensor& attention_mask, int64_t window = 0);

/// Collects hidden_states and attentions when the caller wants them, and writes them into the outputs.
class Recorder {
 public:
  explicit Recorder(const Inputs& in) : hidden_(in.output_hidden_states), attentions_(in.output_attentions) {}
  void hidden(const Tensor& h) { if (hidden_) states_.push_back(h); }
  /// Replaces the last hidden state (the normed one, as in the reference's decoders).
  void replace_last(const Tensor& h) { if (hidden_ && !states_.empty()) states_.back() = h; }
  bool wants_attentions() const { return attentions_; }
  /// Where an attention layer puts its probabilities; nullptr when nobody wants them. Call before each layer.
  Tensor* attention_slot() { if (!attentions_) return nullptr; probs_.emplace_back(); return &probs_.back(); }
  Tensor* cross_slot() { if (!attentions_) return nullptr; cross_.emplace_back(); return &cross_.back(); }
  /// Sets "<prefix>hidden_states", "<prefix>attentions" and "cross_attentions".
  void write(Outputs& out, const std::string& prefix = "") const;
  const std::vector<Tensor>& states() const { return states_; }

 private:
  bool hidden_, attentions_;
  std::vector<Tensor> states_;
  std::vector<Tensor> probs_, cross_;  // reserve() is not needed: slots are used before the next one is taken
};

}  // namespace transformers
