// The tables of gguf_names.h. Reference: transformers/integrations/ggml.py; names as llama.cpp's converters write them.
#include "io/gguf_names.h"

#include <iterator>

namespace transformers {
namespace {

constexpr GgufKey kLlamaKeys[] = {
    {"context_length", "max_position_embeddings"}, {"block_count", "num_hidden_layers"}, {"feed_forward_length", "intermediate_size"},
    {"embedding_length", "hidden_size"}, {"rope.freq_base", "rope_theta"}, {"attention.head_count", "num_attention_heads"},
    {"attention.head_count_kv", "num_key_value_heads"}, {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
    {"rope.dimension_count", "head_dim"}, {"vocab_size", "vocab_size"}};
constexpr GgufKey kQwenKeys[] = {  // the rotary dimension is no field of theirs
    {"context_length", "max_position_embeddings"}, {"block_count", "num_hidden_layers"}, {"feed_forward_length", "intermediate_size"},
    {"embedding_length", "hidden_size"}, {"rope.freq_base", "rope_theta"}, {"attention.head_count", "num_attention_heads"},
    {"attention.head_count_kv", "num_key_value_heads"}, {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
    {"attention.key_length", "head_dim"}, {"vocab_size", "vocab_size"}};
constexpr GgufKey kBertKeys[] = {
    {"context_length", "max_position_embeddings"}, {"block_count", "num_hidden_layers"}, {"feed_forward_length", "intermediate_size"},
    {"embedding_length", "hidden_size"}, {"attention.head_count", "num_attention_heads"}, {"attention.layer_norm_epsilon", "layer_norm_eps"},
    {"vocab_size", "vocab_size"}};
constexpr GgufKey kGpt2Keys[] = {
    {"context_length", "n_positions"}, {"block_count", "n_layer"}, {"embedding_length", "n_embd"}, {"feed_forward_length", "n_inner"},
    {"attention.head_count", "n_head"}, {"attention.layer_norm_epsilon", "layer_norm_epsilon"}, {"vocab_size", "vocab_size"}};

constexpr GgufName kLlamaOuter[] = {{"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};
constexpr GgufName kLlamaInner[] = {
    {"attn_norm", "input_layernorm"}, {"attn_q", "self_attn.q_proj"}, {"attn_k", "self_attn.k_proj"}, {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"attn_q_norm", "self_attn.q_norm"}, {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_norm", "post_attention_layernorm"}, {"ffn_gate", "mlp.gate_proj"}, {"ffn_up", "mlp.up_proj"}, {"ffn_down", "mlp.down_proj"}};
constexpr GgufName kBertOuter[] = {
    {"token_embd", "embeddings.word_embeddings"}, {"position_embd", "embeddings.position_embeddings"},
    {"token_types", "embeddings.token_type_embeddings"}, {"token_embd_norm", "embeddings.LayerNorm"}};
constexpr GgufName kBertInner[] = {
    {"attn_q", "attention.self.query"}, {"attn_k", "attention.self.key"}, {"attn_v", "attention.self.value"},
    {"attn_output", "attention.output.dense"}, {"attn_output_norm", "attention.output.LayerNorm"}, {"ffn_up", "intermediate.dense"},
    {"ffn_down", "output.dense"}, {"layer_output_norm", "output.LayerNorm"}};
constexpr GgufName kGpt2Outer[] = {
    {"token_embd", "transformer.wte"}, {"position_embd", "transformer.wpe"}, {"output_norm", "transformer.ln_f"}, {"output", "lm_head"}};
constexpr GgufName kGpt2Inner[] = {
    {"attn_norm", "ln_1"}, {"attn_qkv", "attn.c_attn", true}, {"attn_output", "attn.c_proj", true}, {"ffn_norm", "ln_2"},
    {"ffn_up", "mlp.c_fc", true}, {"ffn_down", "mlp.c_proj", true}};

#define TABLE(x) x, std::size(x)
constexpr GgufArchitecture kArchitectures[] = {
    {"llama", "LlamaForCausalLM", "model.layers.", TABLE(kLlamaKeys), TABLE(kLlamaOuter), TABLE(kLlamaInner), true},
    {"mistral", "MistralForCausalLM", "model.layers.", TABLE(kLlamaKeys), TABLE(kLlamaOuter), TABLE(kLlamaInner), true},
    {"qwen2", "Qwen2ForCausalLM", "model.layers.", TABLE(kQwenKeys), TABLE(kLlamaOuter), TABLE(kLlamaInner), false},
    {"qwen3", "Qwen3ForCausalLM", "model.layers.", TABLE(kQwenKeys), TABLE(kLlamaOuter), TABLE(kLlamaInner), false},
    {"bert", "BertModel", "encoder.layer.", TABLE(kBertKeys), TABLE(kBertOuter), TABLE(kBertInner), false},
    {"gpt2", "GPT2LMHeadModel", "transformer.h.", TABLE(kGpt2Keys), TABLE(kGpt2Outer), TABLE(kGpt2Inner), false}};
#undef TABLE

}  // namespace

const GgufArchitecture* find_gguf_architecture(std::string_view name) {
  for (const GgufArchitecture& a : kArchitectures)
    if (name == a.name) return &a;
  return nullptr;
}

}  // namespace transformers
