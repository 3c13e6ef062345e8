// Swin: windows, shifted windows, patch merging. Reference: transformers/models/swin/modeling_swin.py.
#include <algorithm>

#include "models/swin.h"

namespace transformers {

int64_t SwinConfig::width(size_t stage) const {
  if (depths.empty() || depths.size() > 20 || num_heads.size() != depths.size())
    throw ConfigError({"config: depths (", depths.size(), " entries) and num_heads (", num_heads.size(), ") must have the same length, at most 20"});
  return embed_dim << stage;
}

// Index of the bias of every pair of positions of an M x M window: [M * M, M * M].
static Tensor relative_positions(int64_t M) {
  std::vector<int64_t> index;
  index.reserve(static_cast<size_t>(M * M * M * M));
  for (int64_t a = 0; a < M * M; ++a)
    for (int64_t b = 0; b < M * M; ++b) index.push_back((a / M - b / M + M - 1) * (2 * M - 1) + a % M - b % M + M - 1);
  return Tensor::from(index, {M * M, M * M});
}

static int64_t checked_window(int64_t M) {
  if (M > 64) throw ConfigError({"config: window_size ", M, " is too large"});
  return M;
}

SwinLayer::SwinLayer(const Scope& w, const SwinConfig& c, int64_t width, int64_t heads, int64_t given_shift, double drop)
    : head_dim(divide_exactly("hidden size", width, "num_heads", heads)), window(checked_window(c.window_size)), shift(given_shift),
      attention_dropout(c.attention_probs_dropout_prob), hidden_dropout(c.hidden_dropout_prob), path_dropout(drop),
      layernorm_before(w / "layernorm_before", width, c.layer_norm_eps), layernorm_after(w / "layernorm_after", width, c.layer_norm_eps),
      relative_position_bias_table(w.param("attention.self.relative_position_bias_table", {(2 * window - 1) * (2 * window - 1), heads}, Init::zero())),
      relative_position_index(w.buffer("attention.self.relative_position_index", {window * window, window * window},
                                       Init::of(relative_positions(window)), DType::i64)),
      query(w / "attention.self.query", width, width, c.qkv_bias), key(w / "attention.self.key", width, width, c.qkv_bias),
      value(w / "attention.self.value", width, width, c.qkv_bias), attention_output(w / "attention.output.dense", width, width), act(c.hidden_act) {
  const int64_t wide = static_cast<int64_t>(c.mlp_ratio * static_cast<double>(width));
  intermediate = Linear(w / "intermediate.dense", width, wide);
  output = Linear(w / "output.dense", wide, width);
}

// [B, h, w, C] -> [B * windows, side * side, C] and back.
static Tensor to_windows(const Tensor& x, int64_t side) {
  const int64_t B = x.dim(0), h = x.dim(1) / side, w = x.dim(2) / side, C = x.dim(3);
  return x.reshape({B, h, side, w, side, C}).permute({0, 1, 3, 2, 4, 5}).reshape({-1, side * side, C});
}
static Tensor from_windows(const Tensor& x, int64_t side, int64_t height, int64_t width) {
  return x.reshape({-1, height / side, width / side, side, side, x.dim(-1)}).permute({0, 1, 3, 2, 4, 5}).reshape({-1, height, width, x.dim(-1)});
}

// -100 between positions of a shifted window that come from different sides of the map: [windows, 1, M * M, M * M].
static Tensor shift_mask(int64_t height, int64_t width, int64_t side, int64_t shift) {
  const auto region = [&](int64_t i, int64_t n) { return i < n - side ? 0 : i < n - shift ? 1 : 2; };
  const int64_t h = height / side, w = width / side, n = side * side;
  Tensor mask = Tensor::zeros({h * w, 1, n, n});
  float* p = mask.mutable_data<float>();
  std::vector<int> id(static_cast<size_t>(n));
  for (int64_t window = 0; window < h * w; ++window) {
    for (int64_t i = 0; i < n; ++i)
      id[static_cast<size_t>(i)] = 3 * region(window / w * side + i / side, height) + region(window % w * side + i % side, width);
    for (const int a : id)
      for (const int b : id) *p++ = a == b ? 0.f : -100.f;
  }
  return mask;
}

AttentionOptions SwinLayer::options(int64_t height, int64_t width, int64_t batch, int64_t shifted, int64_t side) const {
  const int64_t n = window * window;
  AttentionOptions o;
  o.bias = index_rows(relative_position_bias_table, relative_position_index.reshape({-1})).reshape({n, n, -1}).permute({2, 0, 1}).unsqueeze(0);
  if (shifted == 0) return o;
  const Tensor mask = shift_mask(height, width, side, shifted).to(o.bias.dtype());
  o.bias = repeat(o.bias + mask, {batch, 1, 1, 1});  // [B * windows, H, M * M, M * M]
  return o;
}

Tensor SwinLayer::operator()(const Tensor& x, ImageSize map, const Inputs& in, const Tensor& head_mask, Tensor* probabilities, bool always_partition) const {
  const int64_t B = x.dim(0), C = x.dim(2), smaller = std::min(map.height, map.width);
  const bool one_window = !always_partition && smaller <= window;  // no window is larger than the map
  const int64_t side = one_window ? smaller : window, shifted = one_window ? 0 : shift;
  const int64_t right = (side - map.width % side) % side, bottom = (side - map.height % side) % side;
  Tensor h = layernorm_before(x).reshape({B, map.height, map.width, C});
  if (right || bottom) h = pad(h, {0, 0, 0, right, 0, bottom});
  const int64_t height = map.height + bottom, width = map.width + right;
  if (shifted) h = roll(h, {-shifted, -shifted}, {1, 2});
  h = to_windows(h, side);
  AttentionOptions o = options(height, width, B, shifted, side);
  o.dropout = in.dropout(attention_dropout), o.head_mask = head_mask, o.probabilities = probabilities;
  const Tensor q = split_heads(query(h), head_dim), k = split_heads(key(h), head_dim);
  h = attention_output(merge_heads(attention(q, k, split_heads(value(h), head_dim), o)));
  h = from_windows(dropout(h, in.dropout(attention_dropout)), side, height, width);
  if (shifted) h = roll(h, {shifted, shifted}, {1, 2});
  if (right || bottom) h = h.slice(1, 0, map.height).slice(2, 0, map.width);
  const Tensor y = x + drop_path(h.reshape({B, map.height * map.width, C}), in.dropout(path_dropout));
  return y + dropout(output(act(intermediate(layernorm_after(y)))), in.dropout(hidden_dropout));
}

SwinPatchMerging::SwinPatchMerging(const Scope& w, int64_t width) : norm(w / "norm", 4 * width, 1e-5), reduction(w / "reduction", 4 * width, 2 * width, false) {}

Tensor SwinPatchMerging::operator()(const Tensor& x, ImageSize map) const {
  const int64_t B = x.dim(0), C = x.dim(2);
  Tensor h = x.reshape({B, map.height, map.width, C});
  if (map.height % 2 || map.width % 2) h = pad(h, {0, 0, 0, map.width % 2, 0, map.height % 2});
  const int64_t H = h.dim(1), W = h.dim(2);
  const Tensor even = h.slice(1, 0, H, 2), odd = h.slice(1, 1, H, 2);
  const Tensor four = cat({even.slice(2, 0, W, 2), odd.slice(2, 0, W, 2), even.slice(2, 1, W, 2), odd.slice(2, 1, W, 2)}, -1);
  return reduction(norm(four.reshape({B, -1, 4 * C})));
}

SwinEmbeddings::SwinEmbeddings(const Scope& w, const SwinConfig& c, bool use_mask_token)
    : patches(w / "patch_embeddings.projection", c.num_channels, c.embed_dim, c.patch_size), norm(w / "norm", c.embed_dim, 1e-5),
      patch(c.patch_size), channels(c.num_channels), p(c.hidden_dropout_prob) {
  const ImageSize grid = patch_grid(c.image_size, c.patch_size);
  if (use_mask_token) mask_token = w.param("mask_token", {1, 1, c.embed_dim}, Init::zero());
  if (c.use_absolute_embeddings) position_embeddings = w.param("position_embeddings", {1, grid.height * grid.width + 1, c.embed_dim}, Init::zero());
}

SwinMap SwinEmbeddings::operator()(const Inputs& in) const {
  Tensor pixels = pixels_of(in, channels, norm.weight.dtype());
  const int64_t right = (patch.width - pixels.dim(3) % patch.width) % patch.width, bottom = (patch.height - pixels.dim(2) % patch.height) % patch.height;
  if (right || bottom) pixels = pad(pixels, {0, right, 0, bottom});
  const ImageSize size{pixels.dim(2) / patch.height, pixels.dim(3) / patch.width};
  Tensor x = norm(patches(pixels));
  if (const Tensor& mask = in.tensor("bool_masked_pos"); mask.defined()) {
    if (!mask_token.defined()) throw ValueError("bool_masked_pos: this model has no mask token");
    x = mask_tokens(x, mask, mask_token);
  }
  if (position_embeddings.defined())
    x = x + (in.flag("interpolate_pos_encoding", false) ? resize_positions(position_embeddings, 1, size.height, size.width) : position_embeddings);
  return {dropout(x, in.dropout(p)), size};
}

SwinTrunk::SwinTrunk(const Scope& w, const Json& json, bool use_mask_token) : c(json), embeddings(w / "embeddings", c, use_mask_token) {
  c.last_width();  // checks the lists
  int64_t total = 0, index = 0;
  for (const int64_t d : c.depths) {
    if (d < 1 || d > 4096) throw ConfigError({"config: depths has ", d, ", which is not a number of layers"});
    total += d;
  }
  for (size_t s = 0; s < c.depths.size(); ++s) {
    const Scope stage = w / "encoder.layers" / static_cast<int64_t>(s);
    SwinStage made;
    for (int64_t i = 0; i < c.depths[s]; ++i, ++index) {
      const double drop = total > 1 ? c.drop_path_rate * static_cast<double>(index) / static_cast<double>(total - 1) : 0;
      made.blocks.emplace_back(stage / "blocks" / i, c, c.width(s), c.num_heads[s], i % 2 == 0 ? 0 : c.window_size / 2, drop);
    }
    if (s + 1 < c.depths.size()) made.downsample.emplace(stage / "downsample", c.width(s));
    stages.push_back(std::move(made));
  }
}

SwinTrunk::Result SwinTrunk::operator()(const Inputs& in, bool before_downsampling, bool always_partition) const {
  Result r;
  SwinMap x = embeddings(in);
  r.maps.push_back(x);
  for (size_t s = 0; s < stages.size(); ++s) {
    const Tensor head_mask = head_mask_of(in, static_cast<int64_t>(s), static_cast<int64_t>(stages.size()));
    const SwinStage& stage = stages[s];
    Tensor probabilities;
    for (const SwinLayer& block : stage.blocks)
      x.tokens = block(x.tokens, x.size, in, head_mask, in.output_attentions && &block == &stage.blocks.back() ? &probabilities : nullptr, always_partition);
    if (probabilities.defined()) r.attentions.push_back(probabilities);
    if (before_downsampling) r.maps.push_back(x);
    if (stage.downsample) {
      x.tokens = (*stage.downsample)(x.tokens, x.size);
      x.size = {(x.size.height + 1) / 2, (x.size.width + 1) / 2};
    }
    if (!before_downsampling) r.maps.push_back(x);
  }
  r.last = x;
  return r;
}

void write_swin_states(Outputs& out, const Inputs& in, const SwinTrunk::Result& r, bool maps) {
  if (in.output_hidden_states) {
    std::vector<Tensor> tokens, reshaped;
    for (const SwinMap& m : r.maps) tokens.push_back(m.tokens), reshaped.push_back(m.map());
    out.set("hidden_states", Value(tokens));
    if (maps) out.set("reshaped_hidden_states", Value(reshaped));
  }
  if (in.output_attentions) out.set("attentions", Value(r.attentions));
}

}  // namespace transformers
