// generate(): prepares the run (encoder, start tokens, masks, expansion) and calls a strategy.
// Reference: transformers/generation/utils.py.
#include <algorithm>
#include <chrono>

#include "generation/settings.h"
#include "nn/cache.h"
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/random.h"
#include "transformers/tokenizer.h"

namespace transformers {

Stepper::Stepper(const Model& model, Inputs base, bool use_cache) : model_(model), base_(std::move(base)) {
  base_.cache = use_cache ? model.make_cache() : nullptr;
}

Tensor Stepper::logits(const std::vector<Sequence>& sequences) {
  const int64_t rows = static_cast<int64_t>(sequences.size()), length = static_cast<int64_t>(sequences[0].size());
  const int64_t from = base_.cache ? seen_ : 0;
  Tensor ids = Tensor::empty({rows, length - from}, DType::i64);
  for (int64_t r = 0; r < rows; ++r)
    std::copy(sequences[static_cast<size_t>(r)].begin() + from, sequences[static_cast<size_t>(r)].end(), ids.mutable_data<int64_t>() + r * (length - from));
  const Tensor& mask = base_.tensor("attention_mask");
  if (!model_.is_encoder_decoder() && mask.defined() && mask.rank() == 2) {
    const int64_t prompt_extra = base_.tensor("inputs_embeds").defined() ? base_.tensor("inputs_embeds").dim(1) : 0;
    if (const int64_t missing = length + prompt_extra - mask.dim(1); missing > 0)
      base_.set("attention_mask", cat({mask, Tensor::full({rows, missing}, 1, mask.dtype())}, 1));
  }
  Inputs in = model_.prepare_inputs_for_generation(ids, base_, from);
  in.last_logits_only = true;
  last_ = model_.forward(in);
  seen_ = length;
  const Tensor& all = last_.tensor("logits");  // [rows, T or 1, V]
  return all.select(1, all.dim(1) - 1).to(DType::f32).contiguous();
}

void Stepper::reorder(const std::vector<int64_t>& rows) {
  bool same = true;
  for (size_t i = 0; i < rows.size(); ++i) same &= rows[i] == static_cast<int64_t>(i);
  if (same || !base_.cache) return;
  base_.cache->reorder(Tensor::from(rows));
}

static double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
Stopper::Stopper(const Run& run) : run_(run) {
  if (const double t = run.settings.get("max_time", 0.0); t > 0) deadline_ = now() + t;
}
bool Stopper::done(const Sequence& ids) const {
  if (static_cast<int64_t>(ids.size()) >= run_.context.max_length) return true;
  if (std::count(run_.context.eos.begin(), run_.context.eos.end(), ids.back())) return true;
  return deadline_ > 0 && now() > deadline_;
}

static std::vector<Sequence> rows_of(const Tensor& ids) {
  const std::vector<int64_t> flat = ids.to_ints();
  const int64_t n = ids.dim(1);
  std::vector<Sequence> rows;
  for (int64_t r = 0; r < ids.dim(0); ++r) rows.emplace_back(flat.begin() + r * n, flat.begin() + (r + 1) * n);
  return rows;
}

// Every tensor whose first dimension is the batch is repeated row by row.
static Named expand_rows(const Named& in, int64_t batch, int64_t times) {
  Named out;
  for (const auto& [name, value] : in.items()) {
    if (value.is_tensor() && value.tensor().rank() > 0 && value.tensor().dim(0) == batch) out.set(name, repeat_interleave(value.tensor(), times, 0));
    else if (value.is_named()) out.set(name, expand_rows(value.named(), batch, times));
    else if (!value.is_list()) out.set(name, value);
  }
  return out;
}

static int64_t first_id(const Json& j, int64_t fallback) {
  if (j.is_int()) return j.as_int();
  return j.is_array() && j.size() > 0 ? j.at(size_t{0}).as_int() : fallback;
}

GenerationOutput generate(const Model& model, const Inputs& given, const GenerationConfig& options) {
  if (!model.can_generate())
    throw ValueError({model.class_name(), ": the current model class is not compatible with `.generate()`, as it doesn't have a language model head"});
  NoGrad no_grad;
  if (options.seed) manual_seed(*options.seed);
  Json s = resolve_settings(model, options);
  Run run{model, given, {}, {}, {}, 0, options};
  GenerationContext& c = run.context;
  c.is_encoder_decoder = model.is_encoder_decoder();
  c.eos = s.get("eos_token_id", std::vector<int64_t>{});
  run.pad = first_id(s["pad_token_id"], c.eos.empty() ? 0 : c.eos[0]);

  const Tensor ids = given.tensor("input_ids");
  const Tensor& embeds = given.tensor("inputs_embeds");
  const Tensor& main = given.tensor(model.main_input_name());
  const int64_t batch = main.defined() ? main.dim(0) : ids.defined() ? ids.dim(0) : embeds.defined() ? embeds.dim(0) : 1;
  int64_t offset = 0;  // prompt tokens that are embeddings and not ids
  if (c.is_encoder_decoder) {
    if (!given.has("encoder_outputs")) {
      Inputs encoder_in = given;
      encoder_in.erase("decoder_input_ids"), encoder_in.erase("decoder_attention_mask"), encoder_in.erase("labels");
      if (ids.defined() && !encoder_in.has("attention_mask")) {
        const int64_t pad = first_id(s["pad_token_id"], -1);
        if (pad >= 0 && !std::count(c.eos.begin(), c.eos.end(), pad)) encoder_in.set("attention_mask", ne(ids, static_cast<double>(pad)).to(DType::i64));
      }
      if (const Tensor& mask = encoder_in.tensor("attention_mask"); mask.defined()) run.base.set("attention_mask", mask);
      run.base.set("encoder_outputs", Value(static_cast<const Named&>(model.encode(encoder_in))));
    }
    const Tensor& prompt = given.tensor("decoder_input_ids");
    const int64_t start = first_id(s["decoder_start_token_id"], first_id(s["bos_token_id"], -1));
    if (prompt.defined()) {
      run.prompts = rows_of(prompt);
      bool all_start = start < 0;
      for (const Sequence& p : run.prompts) all_start |= !p.empty() && p[0] == start;
      if (!all_start) for (Sequence& p : run.prompts) p.insert(p.begin(), start);
    } else {
      if (start < 0) throw ValueError("`decoder_start_token_id` or `bos_token_id` has to be defined for encoder-decoder generation.");
      run.prompts.assign(static_cast<size_t>(batch), Sequence{start});
    }
    run.base.erase("input_ids"), run.base.erase("decoder_input_ids");
    if (ids.defined()) c.encoder_ids = rows_of(ids);
  } else {
    if (ids.defined()) run.prompts = rows_of(ids);
    else if (embeds.defined()) run.prompts.assign(static_cast<size_t>(batch), Sequence{}), offset = embeds.dim(1);
    else {
      const int64_t bos = first_id(s["bos_token_id"], -1);
      if (bos < 0) throw ValueError("`bos_token_id` has to be defined when no `input_ids` are provided.");
      run.prompts.assign(static_cast<size_t>(batch), Sequence{bos});
    }
    if (run.prompts[0].empty() && !embeds.defined()) throw ValueError("generate: the prompt is empty; give at least one token (bos_token_id, say)");
    run.base.erase("input_ids");
    if (ids.defined()) c.encoder_ids = run.prompts;
    if (ids.defined() && !given.has("attention_mask")) {  // as the reference infers it: padding is masked unless it is also eos
      const int64_t pad = first_id(s["pad_token_id"], -1);
      if (pad >= 0 && !std::count(c.eos.begin(), c.eos.end(), pad)) {
        const Tensor mask = ne(ids, static_cast<double>(pad)).to(DType::i64);
        if (sum(mask).item() < static_cast<double>(mask.numel())) run.base.set("attention_mask", mask);
      }
    }
  }
  c.prompt_length = static_cast<int64_t>(run.prompts[0].size());

  const bool has_new = !s["max_new_tokens"].is_null();
  c.max_length = has_new ? c.prompt_length + s.get("max_new_tokens", 20) : s.get("max_length", 20) - offset;
  if (has_new && s.get("max_new_tokens", 20) < 1) throw ValueError({"`max_new_tokens` must be greater than 0, but is ", s.get("max_new_tokens", 20)});
  if (!has_new && !options.max_length && c.max_length <= c.prompt_length) c.max_length = c.prompt_length + 20;
  if (c.prompt_length >= c.max_length)
    throw ValueError({"Input length is ", c.prompt_length, ", but `max_length` is set to ", c.max_length, ". Increase `max_length` or, better, set `max_new_tokens`."});

  const int64_t beams = s.get("num_beams", 1), sequences = s.get("num_return_sequences", 1);
  const bool sample = s.get("do_sample", false);
  if (beams < 1) throw ValueError({"`num_beams` has to be an integer strictly greater than 0, but is ", beams});
  if (sequences < 1) throw ValueError({"`num_return_sequences` has to be at least 1, but is ", sequences});
  if (beams == 1 && !sample && sequences > 1)
    throw ValueError({"Greedy methods without beam search do not support `num_return_sequences` different than 1 (got ", sequences, ")."});
  if (beams > 1 && sequences > beams) throw ValueError({"`num_return_sequences` (", sequences, ") has to be smaller or equal to `num_beams` (", beams, ")."});
  for (const char* name : {"num_beam_groups", "penalty_alpha", "dola_layers", "prompt_lookup_num_tokens", "assistant_early_exit", "constraints", "force_words_ids", "guidance_scale", "watermarking_config", "sequence_bias", "stop_strings", "token_healing"}) {
    const Json& v = s[name];
    const bool neutral = v.is_null() || (v.is_int() && v.as_int() <= 1) || (v.is_number() && v.as_double() == (name == std::string("guidance_scale") ? 1.0 : 0.0)) || (v.is_bool() && !v.as_bool());
    if (!neutral && !(name == std::string("stop_strings") && options.stop_strings.empty())) throw UnsupportedError({"generate: option \"", name, "\" is not supported yet"});
  }

  const int64_t times = beams > 1 ? beams : sequences;
  if (times > 1) {
    const Named expanded = expand_rows(run.base, batch, times);
    const Inputs switches = run.base;
    run.base = Inputs();
    static_cast<Named&>(run.base) = expanded;
    run.base.output_hidden_states = switches.output_hidden_states, run.base.output_attentions = switches.output_attentions;
    std::vector<Sequence> prompts, encoder;
    for (const Sequence& p : run.prompts) prompts.insert(prompts.end(), static_cast<size_t>(times), p);
    for (const Sequence& p : c.encoder_ids) encoder.insert(encoder.end(), static_cast<size_t>(times), p);
    run.prompts = std::move(prompts), c.encoder_ids = std::move(encoder);
  }
  run.settings = std::move(s);
  GenerationOutput out = beams > 1 ? run_beam_search(run) : run_sampling(run);
  if (model.generates_without_prompt()) out.sequences = out.sequences.slice(1, c.prompt_length, out.sequences.dim(1)).contiguous();
  return out;
}

Inputs to_inputs(const BatchEncoding& rows) {
  Inputs in;
  const auto put = [&](const char* name, const BatchEncoding::Rows& values) {
    if (values.empty()) return;
    const int64_t width = static_cast<int64_t>(values[0].size());
    std::vector<int64_t> flat;
    for (const auto& row : values) {
      if (static_cast<int64_t>(row.size()) != width)
        throw ValueError("Unable to create tensor, you should activate truncation and/or padding: the rows have different lengths");
      flat.insert(flat.end(), row.begin(), row.end());
    }
    in.set(name, Tensor::from(flat, {static_cast<int64_t>(values.size()), width}));
  };
  put("input_ids", rows.input_ids), put("token_type_ids", rows.token_type_ids), put("attention_mask", rows.attention_mask);
  return in;
}

Outputs PretrainedModel::operator()(const BatchEncoding& encoding) const { return model_->forward(to_inputs(encoding)); }
Tensor PretrainedModel::generate(const BatchEncoding& encoding, const GenerationConfig& options) const { return generate(to_inputs(encoding), options); }
Tensor PretrainedModel::generate(const Inputs& in, const GenerationConfig& options) const { return transformers::generate(*model_, in, options).sequences; }

}  // namespace transformers
