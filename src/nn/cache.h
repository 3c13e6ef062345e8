// Key/value caches of decoders. B batch, K key/value heads, S tokens so far, D head size.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "transformers/tensor.h"

namespace transformers {

/// Grows as tokens come (the reference's DynamicCache); buffers keep spare room so that a warm step allocates nothing.
/// Also holds cross-attention keys (EncoderDecoderCache) and recurrent states (Mamba). Variants override update.
class Cache {
 public:
  virtual ~Cache() = default;
  /// Appends k, v [B, K, T, D] to a layer and returns all keys and values [B, K, S, D].
  virtual std::pair<Tensor, Tensor> update(int64_t layer, const Tensor& k, const Tensor& v);
  /// Tokens seen so far (before the running step's update of this layer).
  virtual int64_t length(int64_t layer = 0) const;
  /// Cross-attention keys and values of a layer: undefined until set.
  std::pair<Tensor, Tensor> cross(int64_t layer) const;
  void set_cross(int64_t layer, const Tensor& k, const Tensor& v);
  /// A recurrent state by layer and name; undefined until set. The first dimension is the batch.
  Tensor state(int64_t layer, const std::string& name) const;
  void set_state(int64_t layer, const std::string& name, const Tensor& value);
  /// Tokens counted for models that keep only recurrent states.
  void advance(int64_t tokens) { seen_ += tokens; }
  /// Picks batch rows (beams): rows int64 [n].
  virtual void reorder(const Tensor& rows);
  /// Drops tokens beyond `length` (negative: that many from the end). Throws UnsupportedError with recurrent states.
  virtual void crop(int64_t length);
  virtual void reset();
  int64_t layers() const { return static_cast<int64_t>(layers_.size()); }

 protected:
  struct Layer {
    Tensor keys, values;  // [B, K, capacity, D]
    int64_t length = 0;
    Tensor cross_keys, cross_values;
    std::map<std::string, Tensor> states;
  };
  Layer& layer(int64_t i);
  std::vector<Layer> layers_;
  int64_t seen_ = 0;
};

}  // namespace transformers
