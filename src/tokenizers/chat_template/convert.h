// JSON to values.
#pragma once
#include "tokenizers/chat_template/runtime.h"
#include "transformers/json.h"

namespace transformers::jinja {

/// The value of `json`, which must outlive the rendering: strings are not copied.
Value to_value(Runtime& rt, const Json& json);

}  // namespace transformers::jinja
