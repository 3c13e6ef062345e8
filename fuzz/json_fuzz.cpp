// Fuzzer of the JSON reader: any bytes give a value or a typed error, and what is written reads back the same.
#include <cstdlib>

#include "transformers/error.h"
#include "transformers/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using transformers::Json;
  Json json;
  try {
    json = Json::parse({reinterpret_cast<const char*>(data), size}, "input");
  } catch (const transformers::Error&) {
    return 0;
  }
  const std::string text = json.dump();
  for (const bool ascii : {false, true})
    if (Json::parse(json.dump(2, ascii), "written").dump() != text) std::abort();
  return 0;
}
