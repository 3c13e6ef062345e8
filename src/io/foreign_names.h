// Names and layouts of weights of other frameworks, brought to the reference's own (PyTorch) ones.
#pragma once
#include <string>

#include "transformers/tensor.h"

namespace transformers {

struct ForeignWeight { std::string name; Tensor tensor; };

/// "bert/pooler/dense/kernel" -> "bert.pooler.dense.weight", matrices transposed (as a view).
ForeignWeight flax_weight(const std::string& path, const Tensor& tensor);
/// "tf_bert/bert/encoder/layer_._0/output/dense/kernel:0" -> "bert.encoder.layer.0.output.dense.weight".
ForeignWeight tf_weight(const std::string& path, const Tensor& tensor);

}  // namespace transformers
