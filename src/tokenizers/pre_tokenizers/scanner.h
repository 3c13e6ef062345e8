// Hand-written scanners for the few split patterns that nearly all byte-level tokenizers use.
#pragma once
#include <string_view>
#include <vector>

#include "tokenizers/text/regex.h"

namespace transformers::tokenizers {

/// Tiles the text with matches, as the pattern's find_matches does.
using Scanner = void (*)(std::string_view text, std::vector<Match>& out);
/// The scanner of a pattern that is known word by word; nullptr for any other.
Scanner find_scanner(std::string_view pattern);
/// GPT-2's pattern, which ByteLevel uses by itself.
void scan_gpt2(std::string_view text, std::vector<Match>& out);
extern const char* const kGpt2Pattern;

}  // namespace transformers::tokenizers
