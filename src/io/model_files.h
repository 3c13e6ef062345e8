// What a path given by a user means: a model folder, a GGUF file, or a folder that holds one.
#pragma once
#include <string>

namespace transformers {

/// The GGUF file that `path` is, or the only one that the folder `path` holds when it has no config.json; "" otherwise.
std::string gguf_file_of(const std::string& path);

}  // namespace transformers
