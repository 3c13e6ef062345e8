// The growing key/value cache.
#include "nn/cache.h"

#include "ops/index.h"

namespace transformers {

Cache::Layer& Cache::layer(int64_t i) {
  if (i >= layers()) layers_.resize(static_cast<size_t>(i) + 1);
  return layers_[static_cast<size_t>(i)];
}

static Tensor grown(const Tensor& old, const Tensor& like, int64_t used, int64_t capacity) {
  Tensor t = Tensor::empty({like.dim(0), like.dim(1), capacity, like.dim(3)}, like.dtype());
  if (used > 0) t.narrow(2, 0, used).copy_(old.narrow(2, 0, used));
  return t;
}

std::pair<Tensor, Tensor> Cache::update(int64_t index, const Tensor& k, const Tensor& v) {
  Layer& l = layer(index);
  const int64_t need = l.length + k.dim(2);
  if (needs_grad({k, v})) {  // training through a cache: plain concatenation keeps the tape
    if (l.length > 0) return {cat({l.keys.narrow(2, 0, l.length), k}, 2), cat({l.values.narrow(2, 0, l.length), v}, 2)};
    return {k, v};
  }
  if (!l.keys.defined() || l.keys.dim(2) < need) {
    const int64_t capacity = std::max<int64_t>((need + 63) / 64 * 64, l.keys.defined() ? l.keys.dim(2) * 2 : 0);
    l.keys = grown(l.keys, k, l.length, capacity);
    l.values = grown(l.values, v, l.length, capacity);
  }
  if (k.dim(0) != l.keys.dim(0)) throw ShapeError({"cache: batch of ", k.dim(0), ", the cache holds ", l.keys.dim(0)});
  l.keys.narrow(2, l.length, k.dim(2)).copy_(k);
  l.values.narrow(2, l.length, v.dim(2)).copy_(v);
  l.length = need;
  return {l.keys.narrow(2, 0, need), l.values.narrow(2, 0, need)};
}

int64_t Cache::length(int64_t index) const {
  if (index < layers() && layers_[static_cast<size_t>(index)].keys.defined()) return layers_[static_cast<size_t>(index)].length;
  return seen_;
}
std::pair<Tensor, Tensor> Cache::cross(int64_t index) const {
  if (index >= layers()) return {};
  return {layers_[static_cast<size_t>(index)].cross_keys, layers_[static_cast<size_t>(index)].cross_values};
}
void Cache::set_cross(int64_t index, const Tensor& k, const Tensor& v) { layer(index).cross_keys = k, layer(index).cross_values = v; }
Tensor Cache::state(int64_t index, const std::string& name) const {
  if (index >= layers()) return {};
  const auto& states = layers_[static_cast<size_t>(index)].states;
  const auto it = states.find(name);
  return it == states.end() ? Tensor() : it->second;
}
void Cache::set_state(int64_t index, const std::string& name, const Tensor& value) { layer(index).states[name] = value; }

void Cache::reorder(const Tensor& rows) {
  const auto pick = [&](Tensor& t) {
    if (t.defined()) t = index_select(t, 0, rows);
  };
  for (Layer& l : layers_) {
    if (l.keys.defined()) {
      const int64_t capacity = l.keys.dim(2);
      const Tensor k = index_select(l.keys.narrow(2, 0, l.length), 0, rows), v = index_select(l.values.narrow(2, 0, l.length), 0, rows);
      l.keys = grown(k, k, l.length, capacity), l.values = grown(v, v, l.length, capacity);
    }
    pick(l.cross_keys), pick(l.cross_values);
    for (auto& [name, state] : l.states) pick(state);
  }
}
void Cache::crop(int64_t length) {
  for (Layer& l : layers_) {
    if (!l.states.empty()) throw UnsupportedError("cache: a recurrent state cannot be cropped");
    l.length = std::min(l.length, length < 0 ? std::max<int64_t>(0, l.length + length) : length);
  }
}
void Cache::reset() {
  for (Layer& l : layers_) l.length = 0, l.cross_keys = l.cross_values = Tensor(), l.states.clear();
  seen_ = 0;
}

}  // namespace transformers
