// Readers of vocabulary files other than tokenizer.json.
#pragma once
#include <string>
#include <vector>

#include "tokenizers/auto/loading.h"
#include "tokenizers/models/model.h"

namespace transformers::tokenizers {

std::vector<std::string> read_lines(const std::string& path);
/// {"token": id, ...}. Throws TokenizerError, IoError, ConfigError.
Vocabulary read_vocab_json(const std::string& path);
/// Builds the engine from a SentencePiece or tiktoken file; false when the folder has none.
bool load_sentencepiece(TokenizerImpl& t, const Source& s, const std::string& base);

}  // namespace transformers::tokenizers
