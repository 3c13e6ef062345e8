// The list of methods.
#include "quantizers/quantizers.h"

#include "transformers/error.h"

namespace transformers {

Tensor dequantize_layer(const std::string& method, const Json& config, const LayerTensors&, const Shape&) {
  const std::string name = method.empty() ? config.get("quant_method", "") : method;
  throw UnsupportedError({"quantization method \"", name, "\" is not built yet"});
}

}  // namespace transformers
