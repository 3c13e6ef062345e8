// Conversations: rendering with the tokenizer's template, and model inputs from tokenized text.
#pragma once
#include "transformers/generation.h"
#include "transformers/tokenizer.h"

namespace transformers {

/// The text of a conversation (a list of {"role", "content"}) by the tokenizer's chat template and special tokens.
/// Throws TemplateError, ValueError when the tokenizer has no template.
std::string render_chat(const PreTrainedTokenizer& tokenizer, const Json& messages, bool add_generation_prompt, const Json& tools = {}, const Json& variables = {});

}  // namespace transformers
