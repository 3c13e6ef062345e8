// Encoding and decoding (tokenizer/mod.rs of the reference).
#include "tokenizers/core/engine.h"

#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {

void Engine::set_normalizer(const Json& json) { normalizer_ = make_normalizer(json), normalizer_json_ = json; }
void Engine::set_pre_tokenizer(const Json& json) { pre_tokenizer_ = make_pre_tokenizer(json), pre_tokenizer_json_ = json; }
void Engine::set_processor(const Json& json) { processor_ = make_processor(json), processor_json_ = json; }
void Engine::set_decoder(const Json& json) { decoder_ = make_decoder(json), decoder_json_ = json; }

namespace {

// Byte positions -> code point positions of one text.
class CharIndex {
 public:
  explicit CharIndex(std::string_view s) : size_(s.size()) {
    if (is_ascii(s)) return;
    index_.resize(size_);
    uint32_t n = UINT32_MAX;
    for (size_t i = 0; i < size_; ++i) index_[i] = n += !is_continuation(s[i]);
  }
  std::pair<int64_t, int64_t> convert(size_t begin, size_t end) const {
    if (index_.empty() || begin >= size_) return {static_cast<int64_t>(begin), static_cast<int64_t>(end)};
    const int64_t first = index_[begin];
    if (end < size_) return {first, index_[end]};
    return {first, (end >= 1 && end - 1 < size_ ? int64_t{index_[end - 1]} : first + 1) + 1};
  }

 private:
  size_t size_;
  std::vector<uint32_t> index_;
};

}  // namespace

void Engine::encode_text(std::string_view text, int64_t word, int64_t type_id, bool detailed, bool skip_special, Encoding& out) const {
  std::string repaired;
  if (!valid_utf8(text)) {
    repaired = repair_utf8(text);
    text = repaired;
  }
  if (text.size() > UINT32_MAX / 8) throw TokenizerError({"tokenizer: a text of ", static_cast<uint64_t>(text.size()), " bytes is too long"});
  const bool track = detailed || (pre_tokenizer_ && pre_tokenizer_->needs_origin());
  thread_local std::vector<AddedVocabulary::Piece> pieces, inner;
  pieces.clear();
  added.split(text, false, skip_special, pieces);

  const bool rewrites = normalizer_ != nullptr;
  PreTokenized pre(rewrites ? std::string_view() : text, track);
  for (const auto& piece : pieces) {
    const std::string_view part = text.substr(piece.begin, piece.end - piece.begin);
    TrackedText t(part, piece.begin, track);
    if (piece.id < 0 && normalizer_) normalizer_->normalize(t);
    if (t.text().empty()) continue;
    const auto base = rewrites ? static_cast<uint32_t>(pre.text.text().size()) : piece.begin;
    const auto split = [&](uint32_t begin, uint32_t end, int64_t id) {
      if (begin == end) return;
      const uint32_t origin = begin == 0 ? piece.begin : track ? t.span_at(begin).begin : piece.begin + begin;
      pre.splits.push_back({base + begin, base + end, origin, id});
    };
    const auto size = static_cast<uint32_t>(t.text().size());
    if (piece.id >= 0) {
      split(0, size, piece.id);
    } else if (added.any(true)) {
      inner.clear();
      added.split(t.text(), true, skip_special, inner);
      for (const auto& p : inner) split(p.begin, p.end, p.id);
    } else {
      split(0, size, -1);
    }
    if (rewrites) pre.text.append(t);
  }

  const bool raw = pre_tokenizer_ && pre_tokenizer_->ends_with_byte_level() && model_->takes_raw_bytes();
  if (pre_tokenizer_) raw ? pre_tokenizer_->pre_tokenize_raw(pre) : pre_tokenizer_->pre_tokenize(pre);

  thread_local std::vector<Token> tokens;
  const size_t first = out.ids.size();
  out.ids.reserve(first + pre.splits.size());
  std::optional<CharIndex> chars;
  if (detailed) chars.emplace(text);
  const int64_t shown = model_->text_shown_id();
  int64_t index = 0;
  for (const auto& s : pre.splits) {
    const std::string_view view = pre.view(s);
    tokens.clear();
    if (s.token >= 0) tokens.push_back({static_cast<uint32_t>(s.token), 0, static_cast<uint32_t>(view.size())});
    else if (pre.raw_bytes) model_->tokenize_raw(view, tokens);
    else model_->tokenize(view, tokens);
    for (const Token& t : tokens) out.ids.push_back(t.id);
    if (detailed) {
      for (const Token& t : tokens) {
        size_t begin = t.begin, end = t.end;
        if (begin == end) begin += s.origin, end += s.origin;
        else if (end <= view.size()) begin = pre.text.span_at(s.begin + t.begin).begin, end = pre.text.span_at(s.begin + t.end - 1).end;
        out.offsets.push_back(chars->convert(begin, end));
        out.word_ids.push_back(word >= 0 ? word : index);
        if ((s.token >= 0 && !python_rules) || t.id == shown) out.tokens.emplace_back(view.substr(t.begin, t.end - t.begin));
        else out.tokens.push_back(id_to_token(t.id).value_or(""));
      }
    }
    ++index;
  }
  const size_t n = out.ids.size();
  out.type_ids.resize(n, type_id);
  out.sequence_ids.resize(n, 0);
  out.special_tokens_mask.resize(n, 0);
  out.attention_mask.resize(n, 1);
}

Encoding Engine::encode_sequence(const Input& input, int64_t type_id, bool detailed, bool skip_special) const {
  if (!model_) throw TokenizerError({"tokenizer: has no model"});
  Encoding out;
  if (!input.words) {
    encode_text(input.text, -1, type_id, detailed, skip_special, out);
  } else {
    for (size_t i = 0; i < input.words->size(); ++i)
      encode_text(python_rules ? " " + (*input.words)[i] : (*input.words)[i], static_cast<int64_t>(i), type_id, detailed, skip_special, out);
  }
  return out;
}

Encoding Engine::encode(const Input& first, const Input* second, bool add_special_tokens, bool detailed,
                        const std::optional<Truncation>& cut, const std::optional<Padding>& fill, bool skip_special) const {
  Encoding a = encode_sequence(first, 0, detailed, skip_special), b;
  if (second) b = encode_sequence(*second, 1, detailed, skip_special);
  if (cut) {
    Truncation t = *cut;
    if (add_special_tokens) {
      const int64_t reserved = added_by_processor(second != nullptr);
      if (reserved > t.max_length)
        throw TokenizerError({"truncation: max_length ", t.max_length, " is less than the ", reserved, " special tokens"});
      t.max_length -= reserved;
    }
    const bool one = t.strategy == TruncationStrategy::only_first || t.strategy == TruncationStrategy::only_second;
    const size_t size = t.strategy == TruncationStrategy::only_first ? a.ids.size() : b.ids.size(), total = a.ids.size() + b.ids.size();
    const bool hopeless = one && t.max_length > 0 && total >= size + static_cast<size_t>(t.max_length);
    if (!(python_rules && hopeless)) truncate_pair(a, second ? &b : nullptr, t);
  }
  Encoding all = post_process(processor_.get(), std::move(a), second ? &b : nullptr, add_special_tokens);
  if (fill) {
    std::vector<Encoding> one;
    one.push_back(std::move(all));
    pad_batch(one, *fill);
    all = std::move(one[0]);
  }
  return all;
}

int64_t Engine::token_to_id(std::string_view token) const {
  const int64_t id = added.id(token);
  return id >= 0 ? id : model_ ? model_->token_to_id(token) : -1;
}

std::optional<std::string> Engine::id_to_token(int64_t id) const {
  if (const AddedToken* t = added.token(id)) return t->content;
  if (id < 0 || id > UINT32_MAX || !model_) return std::nullopt;
  const std::string_view s = model_->id_to_token(static_cast<uint32_t>(id));
  if (!s.data()) return std::nullopt;
  return std::string(s);
}

std::string Engine::decode_tokens(std::vector<std::string> tokens) const {
  if (!decoder_) return join(tokens, " ");
  if (tokens.empty()) return "";
  decoder_->decode(tokens);
  return join(tokens);
}

std::string Engine::decode(const std::vector<int64_t>& ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const int64_t id : ids) {
    std::optional<std::string> token = id_to_token(id);
    if (token && !(skip_special_tokens && added.is_special(*token))) tokens.push_back(std::move(*token));
  }
  return decode_tokens(std::move(tokens));
}

}  // namespace transformers::tokenizers
