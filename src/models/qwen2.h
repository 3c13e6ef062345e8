// What the Qwen 2 and 3 decoders share.
#pragma once
#include "models/llama.h"

namespace transformers {

/// The window counts only with use_sliding_window, and in the layers that layer_types or max_window_layers names.
struct QwenConfig : LlamaConfig {
  explicit QwenConfig(const Json& j);
};

}  // namespace transformers
