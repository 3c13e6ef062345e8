// Readers of vocabulary files other than tokenizer.json.
#pragma once
#include <string>
#include <vector>

#include "tokenizers/auto/loading.h"
#include "tokenizers/models/model.h"

namespace transformers::tokenizers {

std::vector<std::string> read_lines(const std::string& path);
/// {"token": id, ...}. Throws TokenizerError, IoError, ConfigError.
Vocabulary vocab_from_json(const Json& json, const std::string& path);
Vocabulary read_vocab_json(const std::string& path);
/// The letters of Wav2Vec2CTCTokenizer: one token per character, the vocabulary of config.target_lang.
void load_ctc(TokenizerImpl& t, const Source& s);
/// Builds the engine from a SentencePiece or tiktoken file; false when the folder has none.
bool load_sentencepiece(TokenizerImpl& t, const Source& s, const std::string& base);

}  // namespace transformers::tokenizers
