// Lines that only some families have: Whisper, NLLB, code infilling, CTC, LUKE, LayoutLM, TAPAS, DPR, RAG.
#include "tokenizers_common.h"

namespace transformers::conformance {

std::string check_family_line(const PreTrainedTokenizer&, const Json& line, const std::string&) {
  return "unknown op " + line.at("op").as_string();
}

}  // namespace transformers::conformance
