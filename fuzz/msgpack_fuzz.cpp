// Fuzzer of Flax files: any bytes give a checkpoint or a typed error.
#include "io/state_dict.h"
#include "touch_checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return transformers::touch_checkpoint(data, size, [](const transformers::Bytes& in) { return transformers::load_flax_msgpack(in); });
}
