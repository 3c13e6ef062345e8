// Tokenizers and GGUF: from the vocabulary inside a GGUF file to a tokenizer, and from a tokenizer.json to such a vocabulary.
#pragma once
#include "base/gguf_vocabulary.h"
#include "transformers/tokenizer.h"

namespace transformers {

/// Models "llama" (SentencePiece BPE), "gpt2" (byte-level BPE, by pre-tokenizer name) and "bert" (WordPiece).
/// Throws UnsupportedError for others, TokenizerError when lists are missing.
PreTrainedTokenizer tokenizer_from_gguf(const GgufVocabulary& vocabulary);

/// The other way, from tokenizer.json and tokenizer_config.json of a model folder. Throws UnsupportedError for tokenizers
/// that GGUF cannot hold.
GgufVocabulary gguf_vocabulary_of(const std::string& folder);

}  // namespace transformers
