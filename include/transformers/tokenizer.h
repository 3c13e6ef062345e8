// Tokenizers: text to ids and back, as the reference's AutoTokenizer and PreTrainedTokenizerFast.
// A tokenizer is a light handle: copies share their tables, const calls are thread-safe, changing one copy (add_tokens,
// set_...) leaves the others as they are. Text is UTF-8; broken bytes are read as U+FFFD. Offsets count code points.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transformers/json.h"

namespace transformers {

/// One tokenized text (or pair) with everything known about its tokens; all vectors have one entry a token.
struct Encoding {
  std::vector<int64_t> ids;
  std::vector<int64_t> type_ids;                     ///< Segment of each token.
  std::vector<std::string> tokens;                   ///< As in the vocabulary; empty unless details were asked for.
  std::vector<std::pair<int64_t, int64_t>> offsets;  ///< Begin and end in code points; empty as tokens.
  std::vector<int64_t> word_ids;                     ///< Word of each token, -1 for special tokens; empty as tokens.
  std::vector<int64_t> sequence_ids;                 ///< 0 or 1 (second of a pair), -1 for special tokens.
  std::vector<int64_t> special_tokens_mask;
  std::vector<int64_t> attention_mask;
  std::vector<Encoding> overflowing;                 ///< Further pieces of a truncated text.

  /// Tokens [first, last) of word `word` of sequence `sequence`; none when the word has no token.
  std::optional<std::pair<int64_t, int64_t>> word_to_tokens(int64_t word, int64_t sequence = 0) const;
  /// Token that covers a code point of the text; needs details.
  std::optional<int64_t> char_to_token(int64_t position, int64_t sequence = 0) const;
};

enum class PaddingStrategy : uint8_t { none, longest, max_length };
enum class TruncationStrategy : uint8_t { none, longest_first, only_first, only_second };
enum class Side : uint8_t { right, left };
/// "right" or "left". Throws ValueError.
Side side_from_name(std::string_view name);
/// "longest", "max_length", "do_not_pad". Throws ValueError.
PaddingStrategy padding_from_name(std::string_view name);
/// "longest_first", "only_first", "only_second", "do_not_truncate". Throws ValueError.
TruncationStrategy truncation_from_name(std::string_view name);

/// Options of a call; names as in the reference.
struct TokenizeOptions {
  bool add_special_tokens = true;
  PaddingStrategy padding = PaddingStrategy::none;
  TruncationStrategy truncation = TruncationStrategy::none;
  std::optional<int64_t> max_length;  ///< Default: model_max_length.
  int64_t stride = 0;                 ///< Tokens that consecutive pieces of a truncated text share.
  std::optional<int64_t> pad_to_multiple_of;
  std::optional<Side> padding_side;
  std::optional<Side> truncation_side;
  std::optional<bool> return_token_type_ids;  ///< Default: whether model_input_names has them.
  std::optional<bool> return_attention_mask;
  bool return_overflowing_tokens = false;
  bool return_special_tokens_mask = false;
  bool return_offsets_mapping = false;
  bool return_encodings = false;  ///< Fills BatchEncoding::encodings, with tokens, offsets and word ids.
  std::optional<bool> split_special_tokens;
};

/// Rows of numbers for the model.
class BatchEncoding {
 public:
  using Rows = std::vector<std::vector<int64_t>>;
  Rows input_ids;
  Rows token_type_ids;        ///< Empty when not returned.
  Rows attention_mask;        ///< Empty when not returned.
  Rows special_tokens_mask;   ///< Only with return_special_tokens_mask.
  std::vector<std::vector<std::pair<int64_t, int64_t>>> offset_mapping;  ///< Only with return_offsets_mapping.
  std::vector<int64_t> overflow_to_sample_mapping;                       ///< Only with return_overflowing_tokens.
  std::vector<Encoding> encodings;                                       ///< Only with return_encodings.
  size_t size() const { return input_ids.size(); }
};

/// A token that is cut out of the text before the model sees it.
struct AddedToken {
  std::string content;
  bool single_word = false, lstrip = false, rstrip = false, normalized = true, special = false;
};

struct TokenizerLoadOptions {
  bool use_fast = true;                 ///< False: build from the classic vocabulary files even if tokenizer.json exists.
  Json overrides = Json::object();      ///< Replaces members of tokenizer_config.json.
};

namespace tokenizers { class Engine; struct TokenizerImpl; }

class PreTrainedTokenizer {
 public:
  PreTrainedTokenizer();  ///< Empty; only assignment is allowed.
  explicit PreTrainedTokenizer(std::shared_ptr<const tokenizers::TokenizerImpl> impl);
  explicit operator bool() const { return impl_ != nullptr; }

  using Text = std::string;
  using Pair = std::pair<std::string, std::string>;
  using Words = std::vector<std::string>;

  /// Tokenizes one text (or a pair): one row. Throws TokenizerError, ValueError.
  BatchEncoding operator()(std::string_view text, const TokenizeOptions& options = {}) const;
  BatchEncoding operator()(std::string_view text, std::string_view pair, const TokenizeOptions& options = {}) const;
  /// A batch: one row a text, more with return_overflowing_tokens.
  BatchEncoding operator()(const std::vector<std::string>& texts, const TokenizeOptions& options = {}) const;
  BatchEncoding operator()(const std::vector<Pair>& pairs, const TokenizeOptions& options = {}) const;
  /// Words already split (is_split_into_words).
  BatchEncoding words(const Words& words, const TokenizeOptions& options = {}) const;
  BatchEncoding words(const Words& words, const Words& pair, const TokenizeOptions& options = {}) const;
  BatchEncoding words(const std::vector<Words>& batch, const TokenizeOptions& options = {}) const;

  /// Ids of one text. The fastest way in.
  std::vector<int64_t> encode(std::string_view text, bool add_special_tokens = true) const;
  std::vector<int64_t> encode(std::string_view text, std::string_view pair, bool add_special_tokens = true) const;
  /// Tokens of a text, without special tokens.
  std::vector<std::string> tokenize(std::string_view text, bool add_special_tokens = false) const;
  std::string decode(const std::vector<int64_t>& ids, bool skip_special_tokens = false,
                     std::optional<bool> clean_up_tokenization_spaces = {}) const;
  std::vector<std::string> batch_decode(const BatchEncoding::Rows& rows, bool skip_special_tokens = false,
                                        std::optional<bool> clean_up_tokenization_spaces = {}) const;
  std::string convert_tokens_to_string(const std::vector<std::string>& tokens) const;

  /// Id of a token; unk_token_id (or none) for an unknown one.
  std::optional<int64_t> convert_token_to_id(std::string_view token) const;
  std::vector<int64_t> convert_tokens_to_ids(const std::vector<std::string>& tokens) const;
  /// Token of an id; none when the id is out of the vocabulary.
  std::optional<std::string> convert_id_to_token(int64_t id) const;
  std::vector<std::string> convert_ids_to_tokens(const std::vector<int64_t>& ids, bool skip_special_tokens = false) const;

  std::vector<int64_t> build_inputs_with_special_tokens(const std::vector<int64_t>& ids) const;
  std::vector<int64_t> build_inputs_with_special_tokens(const std::vector<int64_t>& ids, const std::vector<int64_t>& pair) const;
  /// 1 for special tokens. `already`: ids hold them already, and are recognised by all_special_ids.
  std::vector<int64_t> get_special_tokens_mask(const std::vector<int64_t>& ids, bool already = false) const;
  std::vector<int64_t> create_token_type_ids_from_sequences(const std::vector<int64_t>& ids) const;
  std::vector<int64_t> create_token_type_ids_from_sequences(const std::vector<int64_t>& ids, const std::vector<int64_t>& pair) const;
  int64_t num_special_tokens_to_add(bool pair = false) const;

  /// Adds tokens; returns how many were new.
  int64_t add_tokens(const std::vector<AddedToken>& tokens);
  int64_t add_tokens(const std::vector<std::string>& tokens, bool special = false);
  /// Sets named special tokens ("pad_token", ..., "additional_special_tokens": list) and adds them to the vocabulary.
  int64_t add_special_tokens(const Json& tokens);
  /// Pads rows made before (input_ids and whatever of the others is there).
  void pad(BatchEncoding& rows, const TokenizeOptions& options) const;

  /// Base vocabulary, without added tokens.
  int64_t vocab_size() const;
  /// All tokens.
  int64_t size() const;
  std::map<std::string, int64_t> get_vocab() const;
  std::map<std::string, int64_t> get_added_vocab() const;

  std::optional<std::string> bos_token() const { return special_token("bos_token"); }
  std::optional<std::string> eos_token() const { return special_token("eos_token"); }
  std::optional<std::string> unk_token() const { return special_token("unk_token"); }
  std::optional<std::string> sep_token() const { return special_token("sep_token"); }
  std::optional<std::string> pad_token() const { return special_token("pad_token"); }
  std::optional<std::string> cls_token() const { return special_token("cls_token"); }
  std::optional<std::string> mask_token() const { return special_token("mask_token"); }
  std::optional<int64_t> bos_token_id() const { return special_token_id("bos_token"); }
  std::optional<int64_t> eos_token_id() const { return special_token_id("eos_token"); }
  std::optional<int64_t> unk_token_id() const { return special_token_id("unk_token"); }
  std::optional<int64_t> sep_token_id() const { return special_token_id("sep_token"); }
  std::optional<int64_t> pad_token_id() const { return special_token_id("pad_token"); }
  std::optional<int64_t> cls_token_id() const { return special_token_id("cls_token"); }
  std::optional<int64_t> mask_token_id() const { return special_token_id("mask_token"); }
  /// Any named special token, also of the model's own ("image_token").
  std::optional<std::string> special_token(std::string_view name) const;
  std::optional<int64_t> special_token_id(std::string_view name) const;
  /// Sets a named special token to one that the vocabulary has or that is then added.
  void set_special_token(std::string_view name, const std::string& token);
  /// Name -> token; "additional_special_tokens" is a list.
  Json special_tokens_map() const;
  std::vector<std::string> all_special_tokens() const;
  std::vector<int64_t> all_special_ids() const;

  /// Longest input of the model; none: unlimited.
  std::optional<int64_t> model_max_length() const;
  Side padding_side() const;
  Side truncation_side() const;
  void set_padding_side(Side side);
  void set_truncation_side(Side side);
  int64_t pad_token_type_id() const;
  bool clean_up_tokenization_spaces() const;
  const std::vector<std::string>& model_input_names() const;
  /// Name of the reference's class ("BertTokenizerFast").
  const std::string& class_name() const;
  /// tokenizer_config.json as it was read.
  const Json& config() const;

  /// Chat templates: name ("default", "tool_use", ...) -> template text; empty when the folder has none.
  const std::map<std::string, std::string>& chat_template() const;
  void set_chat_template(std::string text, const std::string& name = "default");

  /// Writes tokenizer.json, tokenizer_config.json, special_tokens_map.json and the chat templates.
  void save_pretrained(const std::string& dir) const;

  const tokenizers::TokenizerImpl& impl() const { return *impl_; }

 private:
  tokenizers::TokenizerImpl& change();
  std::shared_ptr<const tokenizers::TokenizerImpl> impl_;
};

/// Turns generated ids into text as they come: a piece is given out once no later id can change it.
class TextDecodeStream {
 public:
  explicit TextDecodeStream(PreTrainedTokenizer tokenizer, bool skip_special_tokens = false);
  /// Feeds one id; the text that became complete, none while it is incomplete. Throws TokenizerError.
  std::optional<std::string> step(int64_t id);
  /// What is left at the end (may hold U+FFFD for broken bytes).
  std::string finish();

 private:
  PreTrainedTokenizer tokenizer_;
  bool skip_special_tokens_;
  std::vector<int64_t> ids_;
  std::string prefix_;
  size_t prefix_index_ = 0;
};

struct AutoTokenizer {
  /// Loads a model folder: tokenizer.json, else the classic vocabulary files. Throws TokenizerError, ConfigError, IoError,
  /// UnsupportedError.
  static PreTrainedTokenizer from_pretrained(const std::string& dir, const TokenizerLoadOptions& options = {});
  /// From the contents of tokenizer.json and, optionally, tokenizer_config.json.
  static PreTrainedTokenizer from_tokenizer_json(const Json& tokenizer_json, const Json& tokenizer_config = Json::object());
  static PreTrainedTokenizer from_tokenizer_json(std::string_view text, const Json& tokenizer_config = Json::object());
};

}  // namespace transformers
