// Continues a text with a causal language model, and classifies one: the library in fifteen lines.
#include <transformers/transformers.h>

#include <cstdio>

int main(int argc, char** argv) {
  using namespace transformers;
  if (argc < 3) return std::fprintf(stderr, "usage: generate MODEL_FOLDER TEXT\n"), 2;
  const std::string dir = argv[1], text = argv[2];
  auto tok = AutoTokenizer::from_pretrained(dir);
  auto model = AutoModelForCausalLM::from_pretrained(dir, {.dtype = "auto"});
  auto ids = model.generate(tok(text), {.max_new_tokens = 32});
  std::printf("%s\n", tok.decode(ids.to_ints(), true).c_str());
  return 0;
}
