// Mamba: a decoder of selective state spaces, without attention. Reference:
// transformers/models/mamba/modeling_mamba.py. B batch, T new tokens, C hidden, I inner channels, N state size, K
// convolution width, R rank of the time step.
#include <cmath>

#include "models/heads.h"
#include "nn/selective_scan.h"

namespace transformers {
namespace {

struct MambaConfig : Config {
  using Config::Config;
  int64_t vocab_size = size("vocab_size", 50280);
  int64_t hidden_size = size("hidden_size", 768);
  int64_t state_size = size("state_size", 16);
  int64_t num_hidden_layers = get("num_hidden_layers", 32);
  double expand = get("expand", 2.0);
  int64_t intermediate_size = size("intermediate_size", static_cast<int64_t>(expand* static_cast<double>(hidden_size)));
  int64_t conv_kernel = size("conv_kernel", 4);
  int64_t time_step_rank =
      json["time_step_rank"].is_int() ? size("time_step_rank", 1) : (hidden_size + 15) / 16;  // "auto"
  double layer_norm_epsilon = get("layer_norm_epsilon", 1e-5);
  double initializer_range = get("initializer_range", 0.1);
  double time_step_scale = get("time_step_scale", 1.0);
  double time_step_min = get("time_step_min", 0.001);
  double time_step_max = get("time_step_max", 0.1);
  double time_step_floor = get("time_step_floor", 1e-4);
  std::string time_step_init_scheme = get("time_step_init_scheme", "random");
  std::string hidden_act = get("hidden_act", "silu");
  bool use_bias = get("use_bias", false);
  bool use_conv_bias = get("use_conv_bias", true);
  bool residual_in_fp32 = get("residual_in_fp32", true);
  bool rescale_prenorm_residual = get("rescale_prenorm_residual", false);

  Init normal() const { return Init::std(initializer_range); }
  Init dt_weight() const {
    const double s = time_step_scale / std::sqrt(static_cast<double>(time_step_rank));
    return time_step_init_scheme == "constant" ? Init::fill(s) : Init::bounded(s);
  }
  /// Time steps spread evenly in log space between min and max, through the inverse of softplus.
  Init dt_bias() const {
    const double low = std::log(time_step_min), high = std::log(time_step_max);
    const Tensor dt = clamp(exp(rand({intermediate_size}) * (high - low) + low), time_step_floor, INFINITY);
    return Init::of(dt + log(-expm1(-dt)));
  }
  Init out_weight() const {
    const double depth = rescale_prenorm_residual ? static_cast<double>(num_hidden_layers) : 1;
    return Init::bounded(1 / std::sqrt(static_cast<double>(intermediate_size) * depth));
  }
};

struct MambaMixer {
  int64_t layer, inner, states, kernel, rank;
  Linear in_proj, x_proj, dt_proj, out_proj;
  Conv conv1d;
  Tensor a_log, d;
  Activation act;

  MambaMixer(const Scope& w, const MambaConfig& c, int64_t index)
      : layer(index),
        inner(c.intermediate_size),
        states(c.state_size),
        kernel(c.conv_kernel),
        rank(c.time_step_rank),
        in_proj(w / "in_proj", c.hidden_size, 2 * inner, c.use_bias, c.normal()),
        x_proj(w / "x_proj", inner, rank + 2 * states, false, c.normal()),
        dt_proj(w / "dt_proj", rank, inner, true, c.dt_weight(), c.dt_bias()),
        out_proj(w / "out_proj", inner, c.hidden_size, c.use_bias, c.out_weight()),
        conv1d(w / "conv1d", inner, inner, {kernel}, {.groups = inner}, c.use_conv_bias,
               Init::bounded(1 / std::sqrt(static_cast<double>(kernel)))),
        a_log(
            w.param("A_log", {inner, states},
                    Init::of(log(arange(1, static_cast<double>(states + 1), 1, DType::f32)).expand({inner, states})))),
        d(w.param("D", {inner}, Init::one())),
        act(c.hidden_act) {}

  /// Causal depthwise convolution of [B, T, I]; with a cache, the last K - 1 inputs go before the new ones.
  Tensor convolve(const Tensor& x, Cache* cache) const {
    const Tensor channels = x.transpose(1, 2);  // [B, I, T]
    const Tensor before = cache ? cache->state(layer, "conv") : Tensor();
    const Tensor padded = before.defined() ? cat({before, channels}, 2) : pad(channels, {kernel - 1, 0});
    const int64_t total = padded.dim(2);
    if (cache) cache->set_state(layer, "conv", padded.slice(2, total - (kernel - 1), total).detach().clone());
    return act(conv1d(padded)).transpose(1, 2);  // [B, T, I]
  }
  Tensor operator()(const Tensor& x, const Inputs& in, const Tensor& mask) const {  // [B, T, C] -> [B, T, C]
    const Tensor both = in_proj(x);                                                 // [B, T, 2I]
    Tensor h = both.narrow(2, 0, inner);
    if (mask.defined()) h = h * mask;
    h = convolve(h, in.cache.get());
    if (mask.defined()) h = h * mask;
    const std::vector<Tensor> parts = x_proj(h).split(std::vector<int64_t>{rank, states, states}, 2);  // R, N, N
    const Tensor dt = softplus(dt_proj(parts[0]));                                                     // [B, T, I]
    const Tensor a = -exp(a_log.to(DType::f32));
    const ScanResult scan =
        selective_scan(h, dt, a, parts[1], parts[2], in.cache ? in.cache->state(layer, "ssm") : Tensor());
    if (in.cache) in.cache->set_state(layer, "ssm", scan.state);
    const Tensor y = scan.y.to(h.dtype()) + h * d;
    return out_proj(y * act(both.narrow(2, inner, inner)));
  }
};

struct MambaBlock {
  RmsNorm norm;
  MambaMixer mixer;
  bool residual_in_fp32;
  MambaBlock(const Scope& w, const MambaConfig& c, int64_t layer)
      : norm(w / "norm", c.hidden_size, c.layer_norm_epsilon),
        mixer(w / "mixer", c, layer),
        residual_in_fp32(c.residual_in_fp32) {}
  Tensor operator()(const Tensor& x, const Inputs& in, const Tensor& mask) const {
    const Tensor h = mixer(norm(x.to(norm.weight.dtype())), in, mask);
    return (residual_in_fp32 && x.dtype() != DType::f64 ? x.to(DType::f32) : x) + h;
  }
};

struct MambaModel final : Model {
  MambaConfig c;
  Embedding embeddings;
  std::vector<MambaBlock> layers;
  RmsNorm norm_f;
  MambaModel(const Scope& w, const Json& json)
      : c(json),
        embeddings(w / "embeddings", c.vocab_size, c.hidden_size, -1, c.normal()),
        layers(make_layers<MambaBlock>(w / "layers", c.num_hidden_layers, c)),
        norm_f(w / "norm_f", c.hidden_size, c.layer_norm_epsilon) {
    config_ = json;
  }
  Outputs forward(const Inputs& in) const override {  // ids [B, T] -> last_hidden_state [B, T, C]
    Tensor x = embeds_or(in, embeddings);
    const int64_t T = x.dim(1);
    Tensor mask = in.tensor("attention_mask");  // padding is zeroed, so that it leaves no trace in the states
    if (mask.defined()) mask = mask.slice(1, mask.dim(1) - T, mask.dim(1)).to(x.dtype()).unsqueeze(-1);  // [B, T, 1]
    Recorder recorder(in);
    for (const MambaBlock& layer : layers) {
      x = layer(x, in, mask);
      recorder.hidden(x);
    }
    x = rms_norm(x, norm_f.weight.to(x.dtype()), norm_f.eps).to(norm_f.weight.dtype());
    recorder.hidden(x);
    if (in.cache) in.cache->advance(T);
    Outputs out;
    out.set("last_hidden_state", x);
    recorder.write(out);
    return out;
  }
  const Embedding* input_embeddings() const override { return &embeddings; }
};

}  // namespace

void register_mamba(ModelRegistry& r) {
  const Factory backbone = make<MambaModel>();
  r.family("mamba", "backbone")
      .rename("embedding.", "embeddings.")
      .add("MambaModel", backbone, {"AutoModel"})
      .add("MambaForCausalLM", causal_lm_head(backbone, {"backbone", "lm_head", false, false, true}),
           {"AutoModelForCausalLM", "AutoModelForPreTraining", "AutoModelWithLMHead"});
}

}  // namespace transformers
