// PreTrainedTokenizer's vocabulary and special tokens; the streaming decoder.
#include <algorithm>

#include "tokenizers/text/unicode.h"
#include "tokenizers/tokenizer_impl.h"
#include "transformers/error.h"

namespace transformers {
namespace tokenizers {

const char* const kSpecialNames[7] = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

const std::string* TokenizerImpl::find_special(std::string_view name) const {
  for (const auto& [n, token] : named)
    if (n == name) return &token;
  return nullptr;
}
void TokenizerImpl::set_special(std::string_view name, const std::string& token) {
  for (auto& [n, t] : named)
    if (n == name) { t = token; return; }
  named.emplace_back(std::string(name), token);
}

}  // namespace tokenizers
using namespace tokenizers;

std::optional<int64_t> PreTrainedTokenizer::convert_token_to_id(std::string_view token) const {
  const int64_t id = impl_->engine.token_to_id(token);
  if (id >= 0) return id;
  return unk_token_id();
}
std::vector<int64_t> PreTrainedTokenizer::convert_tokens_to_ids(const std::vector<std::string>& tokens) const {
  std::vector<int64_t> ids;
  for (const auto& t : tokens) {
    const auto id = convert_token_to_id(t);
    if (!id) throw TokenizerError({"tokenizer: unknown token \"", t, "\", and there is no unk_token"});
    ids.push_back(*id);
  }
  return ids;
}
std::optional<std::string> PreTrainedTokenizer::convert_id_to_token(int64_t id) const { return impl_->engine.id_to_token(id); }
std::vector<std::string> PreTrainedTokenizer::convert_ids_to_tokens(const std::vector<int64_t>& ids, bool skip) const {
  std::vector<std::string> tokens;
  for (int64_t id : ids) {
    auto token = impl_->engine.id_to_token(id);
    if (skip && token && impl_->engine.added.is_special(*token)) continue;
    tokens.push_back(token.value_or(""));
  }
  return tokens;
}

// Runs ids through the post-processor as if they were a tokenized text.
static Encoding wrap_ids(const TokenizerImpl& t, const std::vector<int64_t>& ids, const std::vector<int64_t>* pair) {
  const auto make = [](const std::vector<int64_t>& v, int64_t type) {
    Encoding e = special_encoding(v, {}, type, false);
    std::fill(e.special_tokens_mask.begin(), e.special_tokens_mask.end(), 0);
    return e;
  };
  Encoding b;
  if (pair) b = make(*pair, 1);
  const ProcessorPtr processor = make_processor(t.engine.processor_json());
  return post_process(processor.get(), make(ids, 0), pair ? &b : nullptr, true);
}

std::vector<int64_t> PreTrainedTokenizer::build_inputs_with_special_tokens(const std::vector<int64_t>& ids) const {
  return wrap_ids(*impl_, ids, nullptr).ids;
}
std::vector<int64_t> PreTrainedTokenizer::build_inputs_with_special_tokens(const std::vector<int64_t>& ids, const std::vector<int64_t>& pair) const {
  return wrap_ids(*impl_, ids, &pair).ids;
}
std::vector<int64_t> PreTrainedTokenizer::create_token_type_ids_from_sequences(const std::vector<int64_t>& ids) const {
  return wrap_ids(*impl_, ids, nullptr).type_ids;
}
std::vector<int64_t> PreTrainedTokenizer::create_token_type_ids_from_sequences(const std::vector<int64_t>& ids, const std::vector<int64_t>& pair) const {
  return wrap_ids(*impl_, ids, &pair).type_ids;
}
std::vector<int64_t> PreTrainedTokenizer::get_special_tokens_mask(const std::vector<int64_t>& ids, bool already) const {
  if (!already) return wrap_ids(*impl_, ids, nullptr).special_tokens_mask;
  const auto special = all_special_ids();
  std::vector<int64_t> mask;
  for (int64_t id : ids) mask.push_back(std::find(special.begin(), special.end(), id) != special.end());
  return mask;
}
int64_t PreTrainedTokenizer::num_special_tokens_to_add(bool pair) const { return impl_->engine.added_by_processor(pair); }

int64_t PreTrainedTokenizer::add_tokens(const std::vector<AddedToken>& tokens) { return change().engine.add_tokens(tokens); }
int64_t PreTrainedTokenizer::add_tokens(const std::vector<std::string>& tokens, bool special) {
  std::vector<AddedToken> added;
  for (const auto& t : tokens) added.push_back({t, false, false, false, !special, special});
  return add_tokens(added);
}

static AddedToken special_from(const Json& json) {
  AddedToken t{"", false, false, false, false, true};
  if (json.is_string()) {
    t.content = json.as_string();
  } else {
    t.content = json.at("content").as_string();
    t.single_word = json.get("single_word", false);
    t.lstrip = json.get("lstrip", false);
    t.rstrip = json.get("rstrip", false);
    t.normalized = json.get("normalized", false);
  }
  return t;
}

int64_t PreTrainedTokenizer::add_special_tokens(const Json& tokens) {
  TokenizerImpl& t = change();
  std::vector<AddedToken> added;
  for (const auto& [name, value] : tokens.as_object()) {
    if (name == "additional_special_tokens") {
      t.additional.clear();
      for (const Json& v : value.as_array()) {
        added.push_back(special_from(v));
        t.additional.push_back(added.back().content);
      }
      continue;
    }
    bool known = false;
    for (const char* n : kSpecialNames) known |= name == n;
    if (!known && !t.find_special(name)) throw ValueError({"add_special_tokens: unknown name \"", name, "\""});
    added.push_back(special_from(value));
    t.set_special(name, added.back().content);
  }
  return t.engine.add_tokens(added);
}

void PreTrainedTokenizer::set_special_token(std::string_view name, const std::string& token) {
  TokenizerImpl& t = change();
  t.set_special(name, token);
  t.engine.add_tokens({{token, false, false, false, false, true}});
}

int64_t PreTrainedTokenizer::vocab_size() const { return static_cast<int64_t>(impl_->engine.model().vocab_size()); }
int64_t PreTrainedTokenizer::size() const {
  int64_t n = vocab_size();
  for (const auto& [id, t] : impl_->engine.added.sorted()) n += impl_->engine.model().token_to_id(t.content) < 0;
  return n;
}
std::map<std::string, int64_t> PreTrainedTokenizer::get_vocab() const {
  std::map<std::string, int64_t> all;
  impl_->engine.model().vocabulary().each([&](std::string_view t, uint32_t id) { all.emplace(std::string(t), id); });
  for (const auto& [id, t] : impl_->engine.added.sorted()) all[t.content] = id;
  return all;
}
std::map<std::string, int64_t> PreTrainedTokenizer::get_added_vocab() const {
  std::map<std::string, int64_t> all;
  for (const auto& [id, t] : impl_->engine.added.sorted()) all[t.content] = id;
  return all;
}

std::optional<std::string> PreTrainedTokenizer::special_token(std::string_view name) const {
  const std::string* s = impl_->find_special(name);
  return s ? std::optional(*s) : std::nullopt;
}
std::optional<int64_t> PreTrainedTokenizer::special_token_id(std::string_view name) const {
  const std::string* s = impl_->find_special(name);
  if (!s) return std::nullopt;
  const int64_t id = impl_->engine.token_to_id(*s);
  if (id >= 0) return id;
  if (name == "unk_token") return std::nullopt;
  return unk_token_id();
}
Json PreTrainedTokenizer::special_tokens_map() const {
  Json map = Json::object();
  for (const char* n : kSpecialNames)
    if (const std::string* s = impl_->find_special(n)) map.set(n, *s);
  for (const auto& [n, s] : impl_->named) map.set(n, s);
  if (!impl_->additional.empty()) map.set("additional_special_tokens", Json(Json::Array(impl_->additional.begin(), impl_->additional.end())));
  return map;
}
std::vector<std::string> PreTrainedTokenizer::all_special_tokens() const {
  std::vector<std::string> all;
  const auto add = [&](const std::string& s) {
    if (std::find(all.begin(), all.end(), s) == all.end()) all.push_back(s);
  };
  const Json map = special_tokens_map();
  for (const auto& [name, value] : map.as_object()) {
    if (value.is_string()) add(value.as_string());
    else
      for (const Json& v : value.as_array()) add(v.as_string());
  }
  return all;
}
std::vector<int64_t> PreTrainedTokenizer::all_special_ids() const {
  std::vector<int64_t> ids;
  for (const auto& t : all_special_tokens())
    if (const auto id = convert_token_to_id(t)) ids.push_back(*id);
  return ids;
}

std::optional<int64_t> PreTrainedTokenizer::model_max_length() const {
  return impl_->model_max_length < 0 ? std::nullopt : std::optional(impl_->model_max_length);
}
Side PreTrainedTokenizer::padding_side() const { return impl_->padding_side; }
Side PreTrainedTokenizer::truncation_side() const { return impl_->truncation_side; }
void PreTrainedTokenizer::set_padding_side(Side side) { change().padding_side = side; }
void PreTrainedTokenizer::set_truncation_side(Side side) { change().truncation_side = side; }
int64_t PreTrainedTokenizer::pad_token_type_id() const { return impl_->pad_token_type_id; }
bool PreTrainedTokenizer::clean_up_tokenization_spaces() const { return impl_->clean_up; }
const std::vector<std::string>& PreTrainedTokenizer::model_input_names() const { return impl_->model_input_names; }
const std::string& PreTrainedTokenizer::class_name() const { return impl_->class_name; }
const Json& PreTrainedTokenizer::config() const { return impl_->config; }
const std::map<std::string, std::string>& PreTrainedTokenizer::chat_template() const { return impl_->chat_templates; }
void PreTrainedTokenizer::set_chat_template(std::string text, const std::string& name) { change().chat_templates[name] = std::move(text); }

// ---- streaming ----------------------------------------------------------------------------------------------------

TextDecodeStream::TextDecodeStream(PreTrainedTokenizer tokenizer, bool skip) : tokenizer_(std::move(tokenizer)), skip_special_tokens_(skip) {}

std::optional<std::string> TextDecodeStream::step(int64_t id) {
  const Engine& engine = tokenizer_.impl().engine;
  const auto broken = [](const std::string& s) { return s.ends_with("\xef\xbf\xbd"); };
  if (prefix_.empty() && !ids_.empty()) {
    std::string prefix = engine.decode(ids_, skip_special_tokens_);
    if (!broken(prefix)) prefix_ = std::move(prefix), prefix_index_ = ids_.size();
  }
  ids_.push_back(id);
  const std::string text = engine.decode(ids_, skip_special_tokens_);
  if (text.size() <= prefix_.size() || broken(text)) return std::nullopt;
  if (!text.starts_with(prefix_)) throw TokenizerError({"decode stream: the text so far changed; the decoder cannot be streamed"});
  std::string piece = text.substr(prefix_.size());
  const size_t next_index = ids_.size() - prefix_index_;
  ids_.erase(ids_.begin(), ids_.begin() + static_cast<int64_t>(prefix_index_));
  prefix_ = engine.decode(ids_, skip_special_tokens_);
  prefix_index_ = next_index;
  return piece;
}

std::string TextDecodeStream::finish() {
  const std::string text = tokenizer_.impl().engine.decode(ids_, skip_special_tokens_);
  std::string rest = text.size() > prefix_.size() && text.starts_with(prefix_) ? text.substr(prefix_.size()) : "";
  ids_.clear(), prefix_.clear(), prefix_index_ = 0;
  return rest;
}

}  // namespace transformers
