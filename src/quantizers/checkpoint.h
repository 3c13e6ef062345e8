// A checkpoint whose layers another tool quantized, with those layers made dense again.
#pragma once
#include "io/state_dict.h"
#include "transformers/json.h"

namespace transformers {

/// Replaces the stored tensors of every quantized layer by its dense float32 weight; all else is passed on untouched.
/// `config`: quantization_config of config.json. Throws UnsupportedError for unknown methods and for layers whose shape the
/// files do not tell, CheckpointError when tensors are missing or do not fit.
StateDict dequantize_checkpoint(const StateDict& stored, const Json& config);

}  // namespace transformers
