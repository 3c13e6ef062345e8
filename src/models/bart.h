// Parts of BART that its siblings (mBART, Marian, Pegasus, ...) share. Letters as in nn/seq2seq.h; V vocabulary.
#pragma once
#include "models/heads.h"
#include "nn/seq2seq.h"

namespace transformers {

struct BartConfig : Config {
  using Config::Config;
  int64_t vocab_size = size("vocab_size", 50265);
  int64_t max_position_embeddings = size("max_position_embeddings", 1024);
  int64_t d_model = size("d_model", 1024);
  int64_t encoder_layers = get("encoder_layers", 12);
  int64_t encoder_ffn_dim = size("encoder_ffn_dim", 4096);
  int64_t encoder_attention_heads = size("encoder_attention_heads", 16);
  int64_t decoder_layers = get("decoder_layers", 12);
  int64_t decoder_ffn_dim = size("decoder_ffn_dim", 4096);
  int64_t decoder_attention_heads = size("decoder_attention_heads", 16);
  double encoder_layerdrop = get("encoder_layerdrop", 0.0);
  double decoder_layerdrop = get("decoder_layerdrop", 0.0);
  std::string activation_function = get("activation_function", "gelu");
  double dropout = get("dropout", 0.1);
  double attention_dropout = get("attention_dropout", 0.0);
  double activation_dropout = get("activation_dropout", 0.0);
  double classifier_dropout = get("classifier_dropout", 0.0);
  bool scale_embedding = get("scale_embedding", false);
  bool tie_word_embeddings = get("tie_word_embeddings", true);
  int64_t pad_token_id = get("pad_token_id", 1);
  int64_t eos_token_id = get("eos_token_id", 2);
  int64_t decoder_start_token_id = get("decoder_start_token_id", 2);
  // What siblings change after construction:
  bool pre_norm = false;            ///< mBART, Pegasus, Blenderbot: norms before the blocks,
  bool final_norm = false;          ///< and one after the last layer ("layer_norm").
  bool embedding_norm = true;       ///< "layernorm_embedding"
  bool norm_before_positions = false;     ///< Blenderbot small: the decoder's embedding norm comes before the positions.
  bool scale_given_embeds = false;        ///< Marian, Pegasus: the decoder also scales inputs_embeds.
  enum class Positions { learned, sinusoidal, computed } positions = Positions::learned;  ///< computed: M2M100, never stored.
  int64_t position_offset = 2;      ///< Rows of the learned table before position 0.
  bool wraps_labels = false;        ///< mBART: decoder inputs start with the last token (the language).
  bool logits_bias = true;          ///< "final_logits_bias"
  int64_t decoder_vocab_size = 0;   ///< > 0: encoder and decoder have tables of their own (Marian).
  Seq2SeqSide encoder_side() const;
  Seq2SeqSide decoder_side() const;
  /// Decoder inputs from labels or encoder inputs.
  Tensor shifted(const Tensor& ids) const;
};

/// One side's stack over token embeddings `table`.
struct BartStack {
  BartConfig c;
  bool is_decoder;
  Embedding embed_tokens, embed_positions;
  Tensor fixed_positions;           ///< [positions, C], not trained.
  LayerNorm layernorm_embedding, layer_norm;
  std::vector<Seq2SeqLayer> layers;
  BartStack(const Scope& w, const BartConfig& c, bool is_decoder, const Embedding& table);
  /// in: input_ids or inputs_embeds, attention_mask; decoders also encoder_hidden_states and encoder_attention_mask.
  Outputs operator()(const Inputs& in) const;
  Tensor position_embeddings(const Inputs& in, int64_t past, int64_t tokens) const;  ///< [1 or B, T, C]
};

/// Encoder and decoder, usually with one embedding table "shared".
struct BartModel : Model {
  BartConfig c;
  Embedding shared, decoder_table;  ///< The same unless decoder_vocab_size is set.
  BartStack encoder, decoder;
  BartModel(const Scope& w, const BartConfig& c);
  Outputs forward(const Inputs& in) const override;
  Outputs encode(const Inputs& in) const override;
  bool is_encoder_decoder() const override { return true; }
  const Embedding* input_embeddings() const override { return &shared; }
};

/// What a BART-like family consists of: classes are named name + "Model", name + generation, name + "ForCausalLM", ...
struct BartFamily {
  std::string name;
  std::function<BartConfig(const Json&)> config;
  std::vector<std::string> generation_autos = {"AutoModelForSeq2SeqLM"};
  std::string generation = "ForConditionalGeneration";
  bool causal_lm = true;            ///< "ForCausalLM" and "Decoder".
  bool sequence_classification = false, question_answering = false;
};
void add_bart_family(ModelFamily& f, const BartFamily& family);

}  // namespace transformers
