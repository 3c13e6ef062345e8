// The directory of a zip archive whose entries are stored, not compressed, as torch.save writes them.
#pragma once
#include <map>
#include <string>

#include "io/bytes.h"

namespace transformers {

/// Whether the bytes begin as a zip archive does.
bool is_zip(const Bytes& in);

/// Names and contents (views of `in`). Zip64 is understood. Throws CheckpointError on damage and on compressed entries.
std::map<std::string, Bytes, std::less<>> read_zip(const Bytes& in);

}  // namespace transformers
