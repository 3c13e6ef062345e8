// Fuzzer of GGUF files: any bytes give a model or a typed error, its config, vocabulary and weights included.
#include "io/gguf_model.h"
#include "touch_checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return transformers::touch_checkpoint(data, size, [](const transformers::Bytes& in) {
    const transformers::StateDict file = transformers::load_gguf(in);
    transformers::touch(file);
    return transformers::gguf_weights(file, transformers::gguf_config(file));
  });
}
