// PCRE2 with JIT. A match that outgrows the JIT's stack is done again by the interpreter with bounded memory.
#include "tokenizers/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {

// What a match needs and threads must not share.
struct MatchState {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(64 << 10, 16 << 20, nullptr);
  MatchState() {
    pcre2_jit_stack_assign(context, nullptr, stack);
    pcre2_set_match_limit(context, 50'000'000);
    pcre2_set_heap_limit(context, 512 << 10);  // KiB
  }
  ~MatchState() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
};

struct Regex::Impl {
  pcre2_code* code = nullptr;
  ~Impl() { pcre2_code_free(code); }
};

Regex::Regex(std::string_view pattern) : pattern_(pattern), impl_(std::make_unique<Impl>()) {
  if (!valid_utf8(pattern)) throw TokenizerError({"regex: the pattern is not UTF-8"});
  if (pattern.size() > (1 << 20)) throw TokenizerError({"regex: the pattern is longer than 1 MiB"});
  const std::string translated = translate_oniguruma(pattern);
  int error = 0;
  PCRE2_SIZE where = 0;
  impl_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &where, nullptr);
  if (!impl_->code) {
    char message[200] = "";
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof message);
    throw TokenizerError({"regex \"", pattern_, "\": ", message});
  }
  pcre2_jit_compile(impl_->code, PCRE2_JIT_COMPLETE);
}
Regex::~Regex() = default;

bool Regex::search(std::string_view text, size_t from, size_t& begin, size_t& end) const {
  thread_local MatchState state;
  const auto* s = reinterpret_cast<PCRE2_SPTR>(text.empty() ? "" : text.data());
  int rc = pcre2_match(impl_->code, s, text.size(), from, PCRE2_NO_UTF_CHECK, state.data, state.context);
  if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
    rc = pcre2_match(impl_->code, s, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, state.data, state.context);
  if (rc == PCRE2_ERROR_NOMATCH) return false;
  if (rc < 0) {
    char message[200] = "";
    pcre2_get_error_message(rc, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof message);
    throw TokenizerError({"regex \"", pattern_, "\" on a text of ", static_cast<uint64_t>(text.size()), " bytes: ", message});
  }
  const PCRE2_SIZE* o = pcre2_get_ovector_pointer(state.data);
  begin = o[0], end = o[1];
  if (end < begin) begin = end;  // \K in a lookahead
  return true;
}

void Regex::find_matches(std::string_view text, std::vector<Match>& out) const {
  out.clear();
  size_t previous = 0, from = 0, last_end = SIZE_MAX, begin, end;
  while (from <= text.size() && search(text, from, begin, end)) {
    if (begin == end && last_end == end) {  // no empty match right behind a match
      from += from < text.size() ? utf8_length(static_cast<unsigned char>(text[from])) : 1;
      continue;
    }
    from = last_end = end;
    if (begin < previous) begin = previous;
    if (previous != begin) out.push_back({static_cast<uint32_t>(previous), static_cast<uint32_t>(begin), false});
    out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end), true});
    previous = end;
  }
  if (previous != text.size()) out.push_back({static_cast<uint32_t>(previous), static_cast<uint32_t>(text.size()), false});
}

Pattern Pattern::literal(std::string s) {
  if (s.empty()) return regex("");
  Pattern p;
  p.text_ = std::move(s);
  return p;
}
Pattern Pattern::regex(std::string_view s) {
  Pattern p;
  p.text_ = s;
  p.regex_ = std::make_shared<Regex>(s);
  return p;
}
void Pattern::find_matches(std::string_view text, std::vector<Match>& out) const {
  if (regex_) return regex_->find_matches(text, out);
  out.clear();
  size_t previous = 0;
  for (size_t at; (at = text.find(text_, previous)) != std::string_view::npos; previous = at + text_.size()) {
    if (at > previous) out.push_back({static_cast<uint32_t>(previous), static_cast<uint32_t>(at), false});
    out.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + text_.size()), true});
  }
  if (previous != text.size()) out.push_back({static_cast<uint32_t>(previous), static_cast<uint32_t>(text.size()), false});
}

}  // namespace transformers::tokenizers
