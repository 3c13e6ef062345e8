// Stock heads, written once: they wrap any backbone whose forward gives "last_hidden_state" (and "pooler_output").
#pragma once
#include "models/losses.h"
#include "models/registry.h"

namespace transformers {

/// A head over a backbone. Passes the hooks for embeddings and caches on to it.
class HeadModel : public Model {
 public:
  HeadModel(const Scope& w, const Json& config, const std::string& prefix, const Factory& backbone)
      : base(backbone(prefix.empty() ? w : w / prefix, config)) {
    config_ = config;
  }
  std::shared_ptr<Cache> make_cache() const override { return base->make_cache(); }
  bool is_encoder_decoder() const override { return base->is_encoder_decoder(); }
  Outputs encode(const Inputs& in) const override { return base->encode(in); }
  const char* main_input_name() const override { return base->main_input_name(); }
  const Embedding* input_embeddings() const override { return base->input_embeddings(); }
  void prune_attention(int64_t layer, const std::vector<int64_t>& heads, const Replace& replace) override { base->prune_attention(layer, heads, replace); }
  std::unique_ptr<Model> base;
};

/// Names and switches of a stock head.
struct HeadNames {
  std::string prefix;              ///< Where the backbone's weights lie ("model", "bert", "transformer").
  std::string output = "classifier";  ///< Name of the output layer.
  bool bias = true;
  bool dropout = true;             ///< Whether the reference applies dropout before the output layer.
  bool tied = true;                ///< The config class's default of tie_word_embeddings (causal LM only).
  std::string dropout_field = {};  ///< Config field of that dropout, where it is none of the usual ones (also before "qa_outputs").
};

/// output = lm_head (tied to the input embedding when tie_word_embeddings). "logits", "loss".
/// softcap: name of a config field with a logits soft cap, or "".
Factory causal_lm_head(Factory backbone, HeadNames names = {"model", "lm_head", false, false, false}, const std::string& softcap = "");
/// Classification by the last token that is no padding (decoders): "score" without bias.
Factory last_token_classifier(Factory backbone, HeadNames names = {"model", "score", false, false, false});
/// Classification from "pooler_output" with dropout (BERT).
Factory pooled_classifier(Factory backbone, HeadNames names);
/// One output per token.
Factory token_classifier(Factory backbone, HeadNames names);
/// Start and end logits: "qa_outputs".
Factory question_answering_head(Factory backbone, HeadNames names);
/// inputs [B, choices, T] -> logits [B, choices].
Factory multiple_choice_head(Factory backbone, HeadNames names);

/// `make` with the given config fields set where the config lacks them.
Factory with_config_defaults(Factory make, std::vector<std::pair<const char*, Json>> defaults);
/// Width of a backbone's hidden states: hidden_size (n_embd, dim, d_model), else the width of its embedding table.
int64_t hidden_width(const Json& config, const Model& backbone);
/// The last layer of a masked-LM head: the table's matrix when `tied`, else w.decoder.weight; its bias lies at w.bias and is
/// also known as w.decoder.bias.
Linear tied_decoder(const Scope& w, bool tied, const Embedding& table);
/// Inputs [B, choices, ...] as [B * choices, ...], without "labels"; sets *choices.
Inputs flatten_choices(const Inputs& in, int64_t* choices);

/// Adds "last_hidden_state" etc. of a backbone's outputs to a head's outputs (hidden_states, attentions, extras), not the
/// last hidden state itself.
void pass_on(Outputs& out, const Outputs& base);

}  // namespace transformers
