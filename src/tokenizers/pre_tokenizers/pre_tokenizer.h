// Pre-tokenizers of tokenizer.json: cut the normalized text into words. A file per type.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "tokenizers/text/regex.h"
#include "tokenizers/text/tracked_text.h"
#include "transformers/json.h"

namespace transformers::tokenizers {

/// A text and its cuts. Every split is a range of the text; those of added tokens carry their id and are left alone.
struct PreTokenized {
  struct Split {
    uint32_t begin, end;
    uint32_t origin;      ///< First original byte it came from.
    int64_t token = -1;   ///< Id of an added token.
  };
  TrackedText text;
  std::vector<Split> splits;
  bool raw_bytes = false;  ///< The byte-level step was left to the model: it gets the bytes themselves.

  explicit PreTokenized(std::string_view original, bool track) : text(original, 0, track) {}
  std::string_view view(const Split& s) const { return text.text().substr(s.begin, s.end - s.begin); }
  /// Calls cut(text of the split, split, matches) for every split that is no token; `matches` must tile it and is then
  /// cut by `behavior`.
  enum class Behavior : uint8_t { removed, isolated, merged_with_previous, merged_with_next, contiguous };
  using Cut = std::function<void(std::string_view, const Split&, std::vector<Match>&)>;
  void split(const Cut& cut, Behavior behavior, bool invert = false);
  /// Rewrites the text of every split that is no token.
  using Rewrite = std::function<void(std::string_view, const Split&, Rewriter&)>;
  void rewrite(const Rewrite& f);
};
using Behavior = PreTokenized::Behavior;
/// "Removed", "Isolated", ... Throws TokenizerError.
Behavior behavior_from_name(const std::string& name);

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void pre_tokenize(PreTokenized& text) const = 0;
  /// Whether alignments are needed even when the caller wants no offsets (Metaspace that looks for the first word).
  virtual bool needs_origin() const { return false; }
  /// Whether the last step maps bytes to byte-level characters.
  virtual bool ends_with_byte_level() const { return false; }
  /// The same, but leaving that last mapping out (PreTokenized::raw_bytes is then set).
  virtual void pre_tokenize_raw(PreTokenized& text) const { pre_tokenize(text); }
};
using PreTokenizerPtr = std::shared_ptr<const PreTokenizer>;

/// From the JSON of tokenizer.json; nullptr for null. Throws TokenizerError, ConfigError.
PreTokenizerPtr make_pre_tokenizer(const Json& json, int depth = 0);
PreTokenizerPtr make_byte_level_pre_tokenizer(const Json& json);
PreTokenizerPtr make_metaspace_pre_tokenizer(const Json& json);
PreTokenizerPtr make_split_pre_tokenizer(const Json& json);
PreTokenizerPtr make_unicode_scripts_pre_tokenizer();
/// Bert, Whitespace, WhitespaceSplit, Punctuation, Digits, CharDelimiterSplit, FixedLength; nullptr for other types.
PreTokenizerPtr make_simple_pre_tokenizer(const std::string& type, const Json& json);


/// The character a Metaspace puts for a space, and when it adds one in front. Also reads the older add_prefix_space.
struct MetaspaceOptions {
  std::string replacement;
  enum class Scheme : uint8_t { always, first, never } scheme;
  bool split;
  explicit MetaspaceOptions(const Json& json);
};

}  // namespace transformers::tokenizers
