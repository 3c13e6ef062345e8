// Models: named inputs and outputs, caches' handle, parameters, and the base class of every architecture and head.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transformers/json.h"
#include "transformers/tensor.h"

namespace transformers {

class Named;
class Cache;      // nn/cache.h
class Embedding;  // nn/layers.h
class Linear;     // nn/layers.h

/// A named argument or result: tensor, list, nested names, or a plain value.
class Value {
 public:
  Value() = default;
  Value(Tensor t) : tensor_(std::move(t)) {}
  Value(std::vector<Value> list);
  Value(const std::vector<Tensor>& list);
  Value(const Named& named);
  Value(Json plain) : plain_(std::move(plain)) {}  ///< bool, integer, real or string
  bool is_tensor() const { return tensor_.defined(); }
  bool is_list() const { return list_ != nullptr; }
  bool is_named() const { return named_ != nullptr; }
  const Tensor& tensor() const { return tensor_; }
  const std::vector<Value>& list() const;  ///< Throws ValueError when this is no list.
  const Named& named() const;              ///< Throws ValueError when this has no names.
  const Json& plain() const { return plain_; }

 private:
  Tensor tensor_;
  std::shared_ptr<const std::vector<Value>> list_;
  std::shared_ptr<const Named> named_;
  Json plain_;
};

/// An ordered set of named values: what forward takes and returns. Names are the reference's.
class Named {
 public:
  const Value* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// The tensor of that name; an undefined one when absent.
  const Tensor& tensor(std::string_view name) const;
  /// The tensors of a list; empty when absent.
  std::vector<Tensor> tensors(std::string_view name) const;
  bool flag(std::string_view name, bool fallback) const;
  const Named& named(std::string_view name) const;  ///< Throws ValueError when absent.
  /// Adds or replaces. Undefined tensors and empty values are left out.
  Named& set(std::string_view name, Value value);
  void erase(std::string_view name);
  const std::vector<std::pair<std::string, Value>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, Value>> items_;
};

/// Arguments of forward: the reference's keyword arguments by name, and switches.
class Inputs : public Named {
 public:
  Inputs() = default;
  Inputs(std::initializer_list<std::pair<const char*, Tensor>> tensors) {
    for (const auto& [name, tensor] : tensors) set(name, tensor);
  }
  bool output_hidden_states = false;
  bool output_attentions = false;
  bool training = false;            ///< Dropout and batch statistics; needs grad mode for gradients.
  std::shared_ptr<Cache> cache;     ///< Filled and read by decoders; nullptr: no cache.
  bool last_logits_only = false;    ///< Causal LM heads compute logits of the last position only.
  /// p while training, else 0: the dropout to use now.
  double dropout(double p) const { return training ? p : 0; }
};

/// Results of forward: "last_hidden_state", "logits", "loss", "hidden_states" (a list), ...
class Outputs : public Named {};

/// One stored parameter of a model.
struct Parameter {
  std::string name;   ///< As on disk.
  Tensor tensor;      ///< Shared with the layer that uses it; undefined while the weight is kept in quantized blocks.
  bool buffer = false;                 ///< Not trained (running statistics).
  Shape shape;
  int64_t stored_bytes = 0;            ///< Bytes held for it in memory.
  bool frozen = false;                 ///< A parameter that set_requires_grad(true) leaves alone (a fixed backbone).
};

/// One layer that holds weights: its place in the module tree and how Python prints it.
struct ModuleEntry {
  std::string path;         ///< "encoder.layer.0.attention.self.query"
  std::string text;         ///< "Linear(in_features=10, out_features=10, bias=True)"
};

/// What loading found. Names are full parameter names.
struct LoadReport {
  std::vector<std::string> missing_keys, unexpected_keys;
  struct Mismatch { std::string name; Shape checkpoint, model; };
  std::vector<Mismatch> mismatched_keys;
};

/// Base of every model. forward is const: one set of weights serves many requests at once.
class Model {
 public:
  virtual ~Model() = default;
  virtual Outputs forward(const Inputs& in) const = 0;
  /// forward, where the config's output_attentions and output_hidden_states count as asked for.
  Outputs operator()(const Inputs& in) const;

  // ---- facts --------------------------------------------------------------------------------------------------------
  const Json& config() const { return config_; }
  Json& mutable_config() { return config_; }
  const std::string& class_name() const { return class_name_; }
  const std::string& model_type() const { return model_type_; }
  const Json& generation_config() const { return generation_config_; }
  void set_generation_config(Json g) { generation_config_ = std::move(g); }
  const LoadReport& load_report() const { return report_; }
  /// Parameters and buffers in construction order; tied ones once.
  const std::vector<Parameter>& parameters() const { return *parameters_; }
  std::vector<Parameter>& mutable_parameters() { return *parameters_; }
  const std::map<std::string, std::string>& tied() const { return *tied_; }  ///< Alias -> the name that is stored.
  int64_t num_parameters(bool only_trainable = false, bool exclude_embeddings = false) const;
  int64_t get_memory_footprint() const;
  DType dtype() const { return dtype_; }
  /// Asks for gradients of every parameter (or freezes them).
  void set_requires_grad(bool value = true);
  void zero_grad();
  /// config.json, generation_config.json and safetensors (sharded by max_shard_size, e.g. "5GB"). Throws IoError.
  void save_pretrained(const std::string& folder, const std::string& max_shard_size = "5GB") const;
  /// Vocabulary rows of the input embedding and of the output layer become `size` (new rows: normal, initializer_range).
  virtual void resize_token_embeddings(int64_t size);
  /// Module tree as Python's print(model) shows it: the layers that hold weights (dropouts and activations are not
  /// modules here). Inner modules have the name of their member in capitals, as their Python class is not known.
  std::string str() const;
  /// Removes attention heads: layer -> heads, numbered as before any pruning. Heads already gone are skipped; the config's
  /// pruned_heads grows, so a saved model loads in its pruned form. Throws UnsupportedError where the reference has no
  /// pruning, ValueError on a layer or head that is not there and when no head would be left.
  void prune_heads(const std::map<int64_t, std::vector<int64_t>>& heads);

  /// The table of input tokens and the layer that gives logits over the vocabulary; nullptr where there is none.
  virtual const Embedding* input_embeddings() const { return nullptr; }
  virtual const Linear* output_embeddings() const { return nullptr; }

  // ---- hooks for generation; the defaults suit decoder-only models ------------------------------------------------------
  virtual bool can_generate() const { return false; }
  virtual bool is_encoder_decoder() const { return false; }
  /// Runs the encoder once: result has "last_hidden_state". Called when is_encoder_decoder().
  virtual Outputs encode(const Inputs& in) const;
  /// A fresh cache for this model.
  virtual std::shared_ptr<Cache> make_cache() const;
  /// Arguments of one step. `ids` [B, T] are the tokens not yet in the cache (all of them when cache is null); `base` holds
  /// what the caller passed (attention_mask already grown to all tokens) and, for encoder-decoders, "encoder_outputs".
  virtual Inputs prepare_inputs_for_generation(const Tensor& ids, const Inputs& base, int64_t past) const;
  /// Whether generate() returns only the new tokens, without the decoder's start tokens (Whisper).
  virtual bool generates_without_prompt() const { return false; }
  /// Name of the main input ("input_ids", "input_features", "pixel_values", "input_values").
  virtual const char* main_input_name() const { return "input_ids"; }

  /// Puts `by` in the place of a parameter, in its layer and in the list.
  using Replace = std::function<void(Tensor& parameter, const Tensor& by)>;
  /// What prune_heads asks of an architecture: remove these heads from one layer's attention, dividing its config's heads.
  virtual void prune_attention(int64_t layer, const std::vector<int64_t>& heads, const Replace& replace);

 protected:
  Json config_, generation_config_;
  std::string class_name_, model_type_;
  LoadReport report_;
  DType dtype_ = DType::f32;
  std::shared_ptr<std::vector<Parameter>> parameters_ = std::make_shared<std::vector<Parameter>>();
  std::shared_ptr<std::vector<ModuleEntry>> modules_ = std::make_shared<std::vector<ModuleEntry>>();
  std::shared_ptr<std::map<std::string, std::string>> tied_ = std::make_shared<std::map<std::string, std::string>>();
  friend class ModelLoader;
};

/// Bytes that training or inference needs for the weights and what goes with them (activations and caches not counted).
struct MemoryEstimate {
  int64_t weights = 0, optimizer = 0, gradients = 0;
  int64_t total() const { return weights + optimizer + gradients; }
};
/// `bits` per weight: 32, 16, 8, 4 ... Optimizer "" (inference: no gradients, 4 bytes per parameter otherwise), "adam" or
/// "adamw" (two f32 states, 8 bytes), "adamw_8bit" (2), "sgd" (momentum, 4), "adafactor" (4). Throws ValueError.
MemoryEstimate estimate_memory(int64_t parameters, int64_t bits, const std::string& optimizer = "");

}  // namespace transformers
