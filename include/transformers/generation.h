// generate(): options, outputs, streaming. Names and meanings are those of the reference's GenerationConfig.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "transformers/auto.h"
#include "transformers/json.h"
#include "transformers/tensor.h"

namespace transformers {

/// Options of generate(). An empty optional means: take it from generation_config.json, else the reference's default.
struct GenerationConfig {
  std::optional<int64_t> max_new_tokens = {}, max_length = {}, min_new_tokens = {}, min_length = {};
  std::optional<bool> do_sample = {};
  std::optional<int64_t> num_beams = {};
  std::optional<double> temperature = {};
  std::optional<int64_t> top_k = {};
  std::optional<double> top_p = {}, min_p = {}, typical_p = {}, epsilon_cutoff = {}, eta_cutoff = {};
  std::optional<double> repetition_penalty = {}, encoder_repetition_penalty = {}, length_penalty = {};
  std::optional<int64_t> no_repeat_ngram_size = {}, encoder_no_repeat_ngram_size = {};
  std::optional<int64_t> num_return_sequences = {};
  Json early_stopping = {};                           ///< false, true or "never"
  Json eos_token_id = {}, pad_token_id = {}, bos_token_id = {}, decoder_start_token_id = {};  ///< An integer; eos also a list.
  std::vector<std::string> stop_strings = {};
  std::optional<double> max_time = {};                ///< Seconds.
  std::optional<bool> use_cache = {};
  std::optional<bool> output_scores = {}, output_logits = {}, output_hidden_states = {}, output_attentions = {};
  std::optional<uint64_t> seed = {};                  ///< Seeds the generator before sampling.
  Json extra = {};                                    ///< Any other field of the reference by name (an object).
  /// Called with the ids [B] of every new step (greedy and sampling only); return false to stop.
  std::function<bool(const std::vector<int64_t>&)> streamer = {};

  /// From the reference's JSON. Unknown names: ValueError with the nearest known ones.
  static GenerationConfig from_json(const Json& fields);
  Json to_json() const;
  static GenerationConfig from_pretrained(const std::string& folder);
  void save_pretrained(const std::string& folder) const;
};

/// What generate returns in full.
struct GenerationOutput {
  Tensor sequences;                                  ///< int64 [B * num_return_sequences, L]
  Tensor sequences_scores;                           ///< f32 [B * num_return_sequences]; beams only
  std::vector<Tensor> scores, logits;                ///< Per step [rows, V], processed and raw.
  Tensor beam_indices;
};

/// Model inputs of tokenized rows. Throws ValueError unless they have equal lengths.
Inputs to_inputs(const BatchEncoding& rows);

/// The full form. `in` holds the prompt ("input_ids", or "input_features" ... for encoder-decoders) and masks.
GenerationOutput generate(const Model& model, const Inputs& in, const GenerationConfig& options);

}  // namespace transformers
