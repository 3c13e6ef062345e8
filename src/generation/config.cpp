// GenerationConfig: JSON in both directions, validation of names, and merging with the model's own settings.
#include "generation/settings.h"

#include <algorithm>

#include "base/file.h"
#include "transformers/generation.h"

namespace transformers {

static const std::vector<std::string>& known_names() {
  static const std::vector<std::string> names{
      "max_length", "max_new_tokens", "min_length", "min_new_tokens", "early_stopping", "max_time", "stop_strings", "do_sample", "num_beams",
      "num_beam_groups", "penalty_alpha", "dola_layers", "use_cache", "cache_implementation", "cache_config", "return_legacy_cache", "prefill_chunk_size",
      "temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "diversity_penalty", "repetition_penalty",
      "encoder_repetition_penalty", "length_penalty", "no_repeat_ngram_size", "bad_words_ids", "force_words_ids", "renormalize_logits", "constraints",
      "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens",
      "forced_decoder_ids", "sequence_bias", "token_healing", "guidance_scale", "low_memory", "watermarking_config", "num_return_sequences",
      "output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate", "pad_token_id", "bos_token_id",
      "eos_token_id", "encoder_no_repeat_ngram_size", "decoder_start_token_id", "is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule",
      "assistant_confidence_threshold", "prompt_lookup_num_tokens", "max_matching_ngram_size", "assistant_early_exit", "assistant_lookbehind",
      "target_lookbehind", "compile_config", "disable_compile", "transformers_version", "alignment_heads", "is_multilingual", "lang_to_id", "task_to_id",
      "language", "task", "no_timestamps_token_id", "prev_sot_token_id", "max_initial_timestamp_index", "return_timestamps", "median_filter_width",
      "return_segments", "logprob_threshold", "compression_ratio_threshold", "no_speech_threshold", "condition_on_prev_tokens", "seed"};
  return names;
}

template <class T, class F> static void take(std::optional<T>& field, const Json& j, F convert) {
  if (!j.is_null()) field = static_cast<T>(convert(j));
}

GenerationConfig GenerationConfig::from_json(const Json& fields) {
  GenerationConfig c;
  const auto integer = [](const Json& j) { return j.as_int(); };
  const auto real = [](const Json& j) { return j.as_double(); };
  const auto flag = [](const Json& j) { return j.as_bool(); };
  if (fields.is_null()) return c;
  for (const auto& [name, value] : fields.as_object()) {
    const auto is = [&, n = std::string_view(name)](const char* s) { return n == s; };
    try {
      if (is("max_new_tokens")) take(c.max_new_tokens, value, integer);
      else if (is("max_length")) take(c.max_length, value, integer);
      else if (is("min_new_tokens")) take(c.min_new_tokens, value, integer);
      else if (is("min_length")) take(c.min_length, value, integer);
      else if (is("do_sample")) take(c.do_sample, value, flag);
      else if (is("num_beams")) take(c.num_beams, value, integer);
      else if (is("temperature")) take(c.temperature, value, real);
      else if (is("top_k")) take(c.top_k, value, integer);
      else if (is("top_p")) take(c.top_p, value, real);
      else if (is("min_p")) take(c.min_p, value, real);
      else if (is("typical_p")) take(c.typical_p, value, real);
      else if (is("epsilon_cutoff")) take(c.epsilon_cutoff, value, real);
      else if (is("eta_cutoff")) take(c.eta_cutoff, value, real);
      else if (is("repetition_penalty")) take(c.repetition_penalty, value, real);
      else if (is("encoder_repetition_penalty")) take(c.encoder_repetition_penalty, value, real);
      else if (is("length_penalty")) take(c.length_penalty, value, real);
      else if (is("no_repeat_ngram_size")) take(c.no_repeat_ngram_size, value, integer);
      else if (is("encoder_no_repeat_ngram_size")) take(c.encoder_no_repeat_ngram_size, value, integer);
      else if (is("num_return_sequences")) take(c.num_return_sequences, value, integer);
      else if (is("max_time")) take(c.max_time, value, real);
      else if (is("use_cache")) take(c.use_cache, value, flag);
      else if (is("output_scores")) take(c.output_scores, value, flag);
      else if (is("output_logits")) take(c.output_logits, value, flag);
      else if (is("output_hidden_states")) take(c.output_hidden_states, value, flag);
      else if (is("output_attentions")) take(c.output_attentions, value, flag);
      else if (is("seed")) take(c.seed, value, integer);
      else if (is("early_stopping")) c.early_stopping = value;
      else if (is("eos_token_id")) c.eos_token_id = value;
      else if (is("pad_token_id")) c.pad_token_id = value;
      else if (is("bos_token_id")) c.bos_token_id = value;
      else if (is("decoder_start_token_id")) c.decoder_start_token_id = value;
      else if (is("stop_strings")) c.stop_strings = fields.get("stop_strings", std::vector<std::string>{});
      else {
        if (name[0] != '_' && !std::count(known_names().begin(), known_names().end(), name))
          throw ValueError({"generate: unknown option \"", name, "\".", did_you_mean(name, known_names())});
        c.extra.set(name, value);
      }
    } catch (const ConfigError& e) {
      throw ValueError({"generate: option \"", name, "\": ", e.what()});
    }
  }
  return c;
}

Json GenerationConfig::to_json() const {
  Json j = Json::object();
  const auto put = [&](const char* name, const auto& field) {
    if (field) j.set(name, Json(*field));
  };
  put("max_new_tokens", max_new_tokens), put("max_length", max_length), put("min_new_tokens", min_new_tokens), put("min_length", min_length);
  put("do_sample", do_sample), put("num_beams", num_beams), put("temperature", temperature), put("top_k", top_k), put("top_p", top_p);
  put("min_p", min_p), put("typical_p", typical_p), put("epsilon_cutoff", epsilon_cutoff), put("eta_cutoff", eta_cutoff);
  put("repetition_penalty", repetition_penalty), put("encoder_repetition_penalty", encoder_repetition_penalty), put("length_penalty", length_penalty);
  put("no_repeat_ngram_size", no_repeat_ngram_size), put("encoder_no_repeat_ngram_size", encoder_no_repeat_ngram_size);
  put("num_return_sequences", num_return_sequences), put("max_time", max_time), put("use_cache", use_cache);
  put("output_scores", output_scores), put("output_logits", output_logits), put("output_hidden_states", output_hidden_states);
  put("output_attentions", output_attentions);
  const std::pair<const char*, const Json*> values[] = {{"early_stopping", &early_stopping}, {"eos_token_id", &eos_token_id}, {"pad_token_id", &pad_token_id},
                                                        {"bos_token_id", &bos_token_id}, {"decoder_start_token_id", &decoder_start_token_id}};
  for (const auto& [name, value] : values)
    if (!value->is_null()) j.set(name, *value);
  if (!stop_strings.empty()) {
    Json list = Json::array();
    for (const std::string& s : stop_strings) list.push_back(s);
    j.set("stop_strings", list);
  }
  if (extra.is_object())
    for (const auto& [name, value] : extra.as_object()) j.set(name, value);
  return j;
}

GenerationConfig GenerationConfig::from_pretrained(const std::string& folder) { return from_json(Json::load(join_path(folder, "generation_config.json"))); }
void GenerationConfig::save_pretrained(const std::string& folder) const {
  make_directories(folder);
  to_json().save(join_path(folder, "generation_config.json"));
}

Json resolve_settings(const Model& model, const GenerationConfig& options) {
  Json s = Json::object();
  const auto merge = [&](const Json& from) {
    if (from.is_object())
      for (const auto& [name, value] : from.as_object()) s.set(name, value);
  };
  // Without generation_config.json the reference takes the special tokens and old-style settings from config.json.
  for (const char* name : {"bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id",
                           "suppress_tokens", "begin_suppress_tokens", "no_repeat_ngram_size", "num_beams", "length_penalty", "early_stopping", "max_length", "min_length"})
    if (const Json* v = model.config().find(name); v && !model.generation_config().is_object()) s.set(name, *v);
  merge(model.generation_config());
  const Json given = options.to_json();
  if (given.contains("max_length") && !given.contains("max_new_tokens")) s.erase("max_new_tokens");
  merge(given);
  return s;
}

}  // namespace transformers
