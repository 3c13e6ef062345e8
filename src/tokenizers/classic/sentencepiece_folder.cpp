// SentencePiece and tiktoken files of a model folder.
#include "tokenizers/classic/classic.h"

namespace transformers::tokenizers {

bool load_sentencepiece(TokenizerImpl&, const Source&, const std::string&) { return false; }

}  // namespace transformers::tokenizers
