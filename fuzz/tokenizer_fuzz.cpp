// Fuzzer of tokenizer.json: the file, then optionally a NUL byte and a text to encode and decode. Any bytes give a working
// tokenizer or a typed error.
#include "transformers/tokenizer.h"

#include "transformers/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace transformers;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find('\0');
  try {
    const PreTrainedTokenizer t = AutoTokenizer::from_tokenizer_text(input.substr(0, cut));
    const std::string_view text = cut == std::string_view::npos ? std::string_view("ab zz \xF0\x9F\x98\x80 b\xFF a") : input.substr(cut + 1);
    const std::vector<int64_t> ids = t.encode(text);
    t.decode(ids, true);
    TokenizeOptions o;
    o.return_encodings = true;
    t(text, o);
  } catch (const Error&) {
  }
  return 0;
}
