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
  std::string activation_function = get("activation_function", "gelu");
  double dropout = get("dropout", 0.1);
  double attention_dropout = get("attention_dropout", 0.0);
  double activation_dropout = get("activation_dropout", 0.0);
  double classifier_dropout = get("classifier_dropout", 0.0);
  bool scale_embedding = get("scale_embedding", false);
  int64_t pad_token_id = get("pad_token_id", 1);
  int64_t eos_token_id = get("eos_token_id", 2);
  int64_t decoder_start_token_id = get("decoder_start_token_id", 2);
  // What siblings change after construction:
  bool pre_norm = false;            ///< mBART, Pegasus, Blenderbot: norms before the blocks,
  bool final_norm = false;          ///< and one after the last layer ("layer_norm").
  bool embedding_norm = true;       ///< "layernorm_embedding"
  int64_t position_offset = 2;      ///< Rows of the position table before position 0.
  bool sinusoidal = false;          ///< Fixed positions (Marian, Pegasus).
  Seq2SeqSide encoder_side() const;
  Seq2SeqSide decoder_side() const;
};

/// One side's stack over token embeddings. `table` is the shared embedding.
struct BartStack {
  BartConfig c;
  bool is_decoder;
  Embedding embed_tokens, embed_positions;
  LayerNorm layernorm_embedding, layer_norm;
  std::vector<Seq2SeqLayer> layers;
  BartStack(const Scope& w, const BartConfig& c, bool is_decoder, const Embedding& table);
  /// in: input_ids or inputs_embeds, attention_mask; decoders also encoder_hidden_states and encoder_attention_mask.
  Outputs operator()(const Inputs& in) const;
};

/// Encoder and decoder with one embedding table "shared".
struct BartModel : Model {
  BartConfig c;
  Embedding shared;
  BartStack encoder, decoder;
  BartModel(const Scope& w, const BartConfig& c);
  Outputs forward(const Inputs& in) const override;
  Outputs encode(const Inputs& in) const override;
  bool is_encoder_decoder() const override { return true; }
  const Embedding* input_embeddings() const override { return &shared; }
};

/// Registers the classes of a BART-like family: Model, ForConditionalGeneration, ForCausalLM, and on demand classification
/// and question answering.
void add_bart_family(ModelFamily& f, const std::string& name, std::function<BartConfig(const Json&)> config, bool classification);

}  // namespace transformers
