// The script of a character, as the reference's UnicodeScripts pre-tokenizer sees it.
#pragma once
#include <cstdint>

namespace transformers::tokenizers {

constexpr int kScriptAny = 0;
/// A number for the script; kScriptAny for spaces and unassigned characters. Hiragana, Katakana and Han are one.
int script_of(uint32_t c);

}  // namespace transformers::tokenizers
