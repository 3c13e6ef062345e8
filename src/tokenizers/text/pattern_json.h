// Reads {"String": s} or {"Regex": r}.
#pragma once
#include "tokenizers/text/regex.h"
#include "transformers/error.h"
#include "transformers/json.h"

namespace transformers::tokenizers {

inline Pattern pattern_from_json(const Json& json) {
  if (const Json* s = json.find("String")) return Pattern::literal(s->as_string());
  if (const Json* r = json.find("Regex")) return Pattern::regex(r->as_string());
  if (json.is_string()) return Pattern::literal(json.as_string());
  throw TokenizerError({"tokenizer.json: a pattern must be {\"String\": ...} or {\"Regex\": ...}, got ", json.dump()});
}

}  // namespace transformers::tokenizers
