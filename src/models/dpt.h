// DPT's neck, shared with Depth Anything: tokens of several layers become maps of several sizes, which are fused from
// coarse to fine. Reference: transformers/models/dpt/modeling_dpt.py. B batch, T tokens (class token first), C channels, H x W.
#pragma once
#include "models/vision_heads.h"

namespace transformers {

struct DptNeckConfig {
  std::vector<int64_t> neck_hidden_sizes;
  std::vector<double> reassemble_factors;
  int64_t fusion_hidden_size = 256, token_width = 768;
  std::string readout_type = "ignore", hidden_act = "gelu";
  bool batch_norm = false, bias = true;
  bool grow_to_next = false;  ///< Depth Anything: a fused map takes the size of the next one instead of twice its own.
};

struct DptReassemble {
  double factor;
  Conv projection, shrink;
  ConvTranspose grow;
  Linear readout;              // only with readout_type "project"
  Activation act;
  DptReassemble(const Scope& w, const DptNeckConfig& c, int64_t index);
  Tensor operator()(const Tensor& tokens, int64_t rows, int64_t columns, const std::string& readout_type) const;
};

/// relu, convolution (, batch norm) twice, plus the input.
struct DptResidual {
  Conv convolution1, convolution2;
  BatchNorm batch_norm1, batch_norm2;
  bool normalized;
  DptResidual(const Scope& w, const DptNeckConfig& c);
  Tensor operator()(const Tensor& x, bool training) const;
};

struct DptFusion {
  Conv projection;
  DptResidual residual_layer1, residual_layer2;
  DptFusion(const Scope& w, const DptNeckConfig& c);
};

struct DptNeck {
  DptNeckConfig c;
  std::vector<DptReassemble> reassemble;
  std::vector<Conv> convs;
  std::vector<DptFusion> fusion;
  DptNeck(const Scope& w, DptNeckConfig config);
  /// tokens of each stage [B, T, C] (class token first) -> fused maps, coarse to fine.
  std::vector<Tensor> operator()(const std::vector<Tensor>& tokens, int64_t rows, int64_t columns, bool training) const;
};

/// One of a list, negative counted from the end. Throws ConfigError naming head_in_index.
const Tensor& pick_map(const std::vector<Tensor>& maps, int64_t index);
/// A convolution with padding that keeps the size.
Conv same_conv(const Scope& w, int64_t in, int64_t out, int64_t kernel, bool bias = true);

}  // namespace transformers
