// PreTrainedTokenizer's calls: options -> truncation and padding of the engine, encodings -> rows
// (tokenization_utils_fast.py of the reference).
#include "transformers/tokenizer.h"

#include <exception>
#include <mutex>

#include "base/parallel.h"
#include "tokenizers/tokenizer_impl.h"
#include "transformers/error.h"

namespace transformers {
using namespace tokenizers;

Side side_from_name(std::string_view name) {
  if (name == "right") return Side::right;
  if (name == "left") return Side::left;
  throw ValueError({"side: expected \"right\" or \"left\", got \"", name, "\""});
}
PaddingStrategy padding_from_name(std::string_view name) {
  if (name == "longest") return PaddingStrategy::longest;
  if (name == "max_length") return PaddingStrategy::max_length;
  if (name == "do_not_pad") return PaddingStrategy::none;
  throw ValueError({"padding: expected longest, max_length or do_not_pad, got \"", name, "\""});
}
TruncationStrategy truncation_from_name(std::string_view name) {
  if (name == "longest_first") return TruncationStrategy::longest_first;
  if (name == "only_first") return TruncationStrategy::only_first;
  if (name == "only_second") return TruncationStrategy::only_second;
  if (name == "do_not_truncate") return TruncationStrategy::none;
  throw ValueError({"truncation: expected longest_first, only_first, only_second or do_not_truncate, got \"", name, "\""});
}

std::optional<std::pair<int64_t, int64_t>> Encoding::word_to_tokens(int64_t word, int64_t sequence) const {
  int64_t first = -1, last = -1;
  for (size_t i = 0; i < word_ids.size(); ++i)
    if (word_ids[i] == word && sequence_ids[i] == sequence) {
      if (first < 0) first = static_cast<int64_t>(i);
      last = static_cast<int64_t>(i) + 1;
    }
  if (first < 0) return std::nullopt;
  return std::pair{first, last};
}
std::optional<int64_t> Encoding::char_to_token(int64_t position, int64_t sequence) const {
  for (size_t i = 0; i < offsets.size(); ++i)
    if (sequence_ids[i] == sequence && offsets[i].first <= position && position < offsets[i].second) return static_cast<int64_t>(i);
  return std::nullopt;
}

PreTrainedTokenizer::PreTrainedTokenizer() = default;
PreTrainedTokenizer::PreTrainedTokenizer(std::shared_ptr<const TokenizerImpl> impl) : impl_(std::move(impl)) {}
TokenizerImpl& PreTrainedTokenizer::change() {
  auto copy = std::make_shared<TokenizerImpl>(*impl_);
  TokenizerImpl& changed = *copy;
  impl_ = std::move(copy);
  return changed;
}

namespace {

std::optional<Padding> padding_of(const TokenizerImpl& t, const TokenizeOptions& o) {
  if (o.padding == PaddingStrategy::none) return std::nullopt;
  Padding p;
  p.strategy = o.padding;
  if (o.padding == PaddingStrategy::max_length) {
    p.length = o.max_length.value_or(t.model_max_length);
    if (p.length < 0) return std::nullopt;  // unlimited: nothing to pad to
  }
  const std::string* token = t.find_special("pad_token");
  const int64_t id = token ? t.engine.token_to_id(*token) : -1;
  if (id < 0)
    throw ValueError({"tokenizer: asked to pad, but it has no pad_token; set one with set_special_token(\"pad_token\", ...)"});
  p.id = id;
  p.token = *token;
  p.type_id = t.pad_token_type_id;
  p.multiple = o.pad_to_multiple_of.value_or(0);
  if (p.multiple < 0) throw ValueError({"tokenizer: pad_to_multiple_of is negative: ", p.multiple});
  p.side = o.padding_side.value_or(t.padding_side);
  return p;
}

std::optional<Truncation> truncation_of(const TokenizerImpl& t, const TokenizeOptions& o) {
  if (o.truncation == TruncationStrategy::none) return std::nullopt;
  const int64_t most = o.max_length.value_or(t.model_max_length);
  if (most < 0) {
    if (o.max_length) throw ValueError({"tokenizer: max_length is negative: ", most});
    return std::nullopt;  // unlimited
  }
  if (o.stride < 0) throw ValueError({"tokenizer: stride is negative: ", o.stride});
  const int64_t multiple = o.pad_to_multiple_of.value_or(0);
  if (o.padding != PaddingStrategy::none && multiple > 0 && most % multiple != 0)
    throw ValueError({"tokenizer: truncation and padding are both on, but max_length ", most, " is no multiple of pad_to_multiple_of ", multiple});
  return Truncation{most, o.stride, o.truncation, o.truncation_side.value_or(t.truncation_side)};
}

// Encodes inputs (second may be empty) and makes the rows.
BatchEncoding encode_batch(const TokenizerImpl& t, const std::vector<Input>& first, const std::vector<Input>& second, const TokenizeOptions& o) {
  if (!t.refuses_words.empty() && ((!first.empty() && first[0].words) || (!second.empty() && second[0].words)))
    throw ValueError(t.refuses_words);
  const auto cut = truncation_of(t, o);
  const auto fill = padding_of(t, o);
  if (cut) {
    const int64_t text = cut->max_length - (o.add_special_tokens ? t.engine.added_by_processor(false) : 0);
    if (cut->stride > 0 && text < cut->stride)
      throw ValueError({"tokenizer: stride ", cut->stride, " is more than the ", text, " tokens that max_length leaves for text"});
  }
  const bool detailed = o.return_encodings || o.return_offsets_mapping;
  const bool split = o.split_special_tokens.value_or(t.split_special_tokens);
  std::vector<Encoding> encodings(first.size());
  const auto run = [&](size_t i) {
    encodings[i] = t.engine.encode(first[i], second.empty() ? nullptr : &second[i], o.add_special_tokens, detailed, cut, std::nullopt, split);
  };
  size_t bytes = 0;
  for (const Input& in : first) bytes += in.words ? in.words->size() * 8 : in.text.size();
  if (first.size() > 1 && bytes > 4096) {
    std::exception_ptr error;
    std::mutex lock;
    parallel_for(static_cast<int64_t>(first.size()), 1, [&](int64_t begin, int64_t end) {
      try {
        for (int64_t i = begin; i < end; ++i) run(static_cast<size_t>(i));
      } catch (...) {
        const std::lock_guard guard(lock);
        if (!error) error = std::current_exception();
      }
    });
    if (error) std::rethrow_exception(error);
  } else {
    for (size_t i = 0; i < first.size(); ++i) run(i);
  }
  if (fill) pad_batch(encodings, *fill);

  const auto wants = [&](const std::optional<bool>& choice, const char* name) {
    if (choice) return *choice;
    for (const std::string& n : t.model_input_names)
      if (n == name) return true;
    return false;
  };
  const bool types = wants(o.return_token_type_ids, "token_type_ids"), mask = wants(o.return_attention_mask, "attention_mask");
  BatchEncoding rows;
  const auto add = [&](Encoding&& e, size_t sample) {
    if (types) rows.token_type_ids.push_back(e.type_ids);
    if (mask) rows.attention_mask.push_back(e.attention_mask);
    if (o.return_special_tokens_mask) rows.special_tokens_mask.push_back(e.special_tokens_mask);
    if (o.return_offsets_mapping) rows.offset_mapping.push_back(e.offsets);
    if (o.return_overflowing_tokens) rows.overflow_to_sample_mapping.push_back(static_cast<int64_t>(sample));
    if (o.return_encodings) {
      rows.input_ids.push_back(e.ids);
      rows.encodings.push_back(std::move(e));
    } else {
      rows.input_ids.push_back(std::move(e.ids));
    }
  };
  for (size_t i = 0; i < encodings.size(); ++i) {
    std::vector<Encoding> rest;
    if (o.return_overflowing_tokens) rest = o.return_encodings ? encodings[i].overflowing : std::move(encodings[i].overflowing);
    add(std::move(encodings[i]), i);
    for (Encoding& e : rest) add(std::move(e), i);
  }
  return rows;
}

}  // namespace

BatchEncoding PreTrainedTokenizer::operator()(std::string_view text, const TokenizeOptions& o) const {
  return encode_batch(*impl_, {Input{text}}, {}, o);
}
BatchEncoding PreTrainedTokenizer::operator()(std::string_view text, std::string_view pair, const TokenizeOptions& o) const {
  if (pair.empty()) return (*this)(text, o);  // as the reference: an empty second text is none
  return encode_batch(*impl_, {Input{text}}, {Input{pair}}, o);
}
BatchEncoding PreTrainedTokenizer::operator()(const std::vector<std::string>& texts, const TokenizeOptions& o) const {
  std::vector<Input> inputs;
  for (const auto& t : texts) inputs.push_back({t});
  return encode_batch(*impl_, inputs, {}, o);
}
BatchEncoding PreTrainedTokenizer::operator()(const std::vector<Pair>& pairs, const TokenizeOptions& o) const {
  std::vector<Input> first, second;
  for (const auto& [a, b] : pairs) first.push_back({a}), second.push_back({b});
  return encode_batch(*impl_, first, second, o);
}
BatchEncoding PreTrainedTokenizer::words(const Words& words, const TokenizeOptions& o) const {
  return encode_batch(*impl_, {Input{{}, &words}}, {}, o);
}
BatchEncoding PreTrainedTokenizer::words(const Words& words, const Words& pair, const TokenizeOptions& o) const {
  if (pair.empty()) return this->words(words, o);
  return encode_batch(*impl_, {Input{{}, &words}}, {Input{{}, &pair}}, o);
}
BatchEncoding PreTrainedTokenizer::words(const std::vector<Words>& batch, const TokenizeOptions& o) const {
  std::vector<Input> inputs;
  for (const auto& w : batch) inputs.push_back({{}, &w});
  return encode_batch(*impl_, inputs, {}, o);
}

std::vector<int64_t> PreTrainedTokenizer::encode(std::string_view text, bool special) const {
  return impl_->engine.encode(Input{text}, nullptr, special, false, std::nullopt, std::nullopt, impl_->split_special_tokens).ids;
}
std::vector<int64_t> PreTrainedTokenizer::encode(std::string_view text, std::string_view pair, bool special) const {
  const Input second{pair};
  return impl_->engine.encode(Input{text}, &second, special, false, std::nullopt, std::nullopt, impl_->split_special_tokens).ids;
}
std::vector<std::string> PreTrainedTokenizer::tokenize(std::string_view text, bool special) const {
  return impl_->engine.encode(Input{text}, nullptr, special, true, std::nullopt, std::nullopt, impl_->split_special_tokens).tokens;
}

// The general clean-up of the reference's base class.
static std::string clean_up_text(std::string s) {
  static constexpr std::pair<std::string_view, std::string_view> rules[] = {
      {" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : rules)
    if (s.find(from) != std::string::npos) s = replace_all(s, from, to);
  return s;
}

std::string PreTrainedTokenizer::decode(const std::vector<int64_t>& ids, bool skip, std::optional<bool> clean) const {
  std::string text = impl_->engine.decode(ids, skip);
  if (impl_->finish_decode) text = impl_->finish_decode(std::move(text));
  return clean.value_or(impl_->clean_up) ? clean_up_text(std::move(text)) : text;
}
std::vector<std::string> PreTrainedTokenizer::batch_decode(const BatchEncoding::Rows& rows, bool skip, std::optional<bool> clean) const {
  std::vector<std::string> texts;
  texts.reserve(rows.size());
  for (const auto& row : rows) texts.push_back(decode(row, skip, clean));
  return texts;
}
std::string PreTrainedTokenizer::convert_tokens_to_string(const std::vector<std::string>& tokens) const {
  return impl_->engine.decode_tokens(tokens);
}

void PreTrainedTokenizer::pad(BatchEncoding& rows, const TokenizeOptions& o) const {
  const auto p = padding_of(*impl_, o);
  if (!p) return;
  int64_t length = p->length;
  if (p->strategy == PaddingStrategy::longest) {
    length = 0;
    for (const auto& r : rows.input_ids) length = std::max(length, static_cast<int64_t>(r.size()));
  }
  if (p->multiple > 0 && length % p->multiple) length += p->multiple - length % p->multiple;
  const auto fill = [&](auto& all, const auto& value) {
    for (auto& r : all)
      if (static_cast<int64_t>(r.size()) < length) r.insert(p->side == Side::left ? r.begin() : r.end(), static_cast<size_t>(length) - r.size(), value);
  };
  if (rows.attention_mask.empty() && o.return_attention_mask.value_or(true))
    for (const auto& r : rows.input_ids) rows.attention_mask.emplace_back(r.size(), 1);
  fill(rows.input_ids, p->id);
  fill(rows.token_type_ids, p->type_id);
  fill(rows.attention_mask, int64_t{0});
  fill(rows.special_tokens_mask, int64_t{1});
  fill(rows.offset_mapping, std::pair<int64_t, int64_t>{0, 0});
}

}  // namespace transformers
