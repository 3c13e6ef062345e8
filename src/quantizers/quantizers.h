// Checkpoints quantized by other tools: the tensors stored for one layer to its dense weight.
// References: transformers/quantizers/, and each tool's published layout (named in its file).
#pragma once
#include <map>
#include <string>

#include "transformers/json.h"
#include "transformers/tensor.h"

namespace transformers {

/// The tensors of one layer by what follows the layer's name ("qweight", "weight.absmax", ...).
using LayerTensors = std::map<std::string, Tensor>;

/// Dense f32 weight of a layer. `config`: quantization_config of config.json; quant_method (there, or `method` when it is
/// not empty) picks the format. out_in: [out, in] of the layer, needed where the stored shape does not tell.
/// Throws UnsupportedError for unknown methods, CheckpointError when tensors are missing or do not fit.
Tensor dequantize_layer(const std::string& method, const Json& config, const LayerTensors& tensors, const Shape& out_in);

}  // namespace transformers
