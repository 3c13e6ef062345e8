// For tests: bytes in memory, and a temporary folder.
#pragma once
#include <memory>
#include <string>

#include "base/file.h"
#include "io/bytes.h"

namespace transformers {

inline Bytes bytes_of(std::string content) {
  auto owner = std::make_shared<const std::string>(std::move(content));
  return {owner, reinterpret_cast<const uint8_t*>(owner->data()), owner->size(), "test"};
}

template <class T> std::string raw(T v) { return std::string(reinterpret_cast<const char*>(&v), sizeof v); }

struct TempDir {
  std::string path = make_temp_directory("io_test_");
  ~TempDir() { remove_directory(path); }
  std::string file(const std::string& name) const { return join_path(path, name); }
};

}  // namespace transformers
