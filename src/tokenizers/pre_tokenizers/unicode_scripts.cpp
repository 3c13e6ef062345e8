// UnicodeScripts: cuts where the script changes; Hiragana and Katakana count as Han, spaces belong to any script.
#include "tokenizers/pre_tokenizers/char_match.h"
#include "tokenizers/text/scripts.h"

namespace transformers::tokenizers {

class UnicodeScripts : public PreTokenizer {
  void pre_tokenize(PreTokenized& text) const override {
    text.split(
        [](std::string_view s, const PreTokenized::Split&, std::vector<Match>& m) {
          int last = -1;  // script of the last character that has one
          uint32_t begin = UINT32_MAX;
          for (const char *p = s.data(), *end = p + s.size(); p < end;) {
            const auto at = static_cast<uint32_t>(p - s.data());
            const int script = script_of(next_char(p, end));
            if (script == kScriptAny) continue;
            if (last != script) {
              if (begin != UINT32_MAX) m.push_back({begin, at, false});
              begin = at;
            }
            last = script;
          }
          if (begin != UINT32_MAX) m.push_back({begin, static_cast<uint32_t>(s.size()), false});
        },
        Behavior::isolated);
  }
};

PreTokenizerPtr make_unicode_scripts_pre_tokenizer() { return std::make_shared<UnicodeScripts>(); }

}  // namespace transformers::tokenizers
