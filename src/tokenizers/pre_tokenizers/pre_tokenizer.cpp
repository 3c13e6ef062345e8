// Cutting and rewriting shared by all pre-tokenizers (tokenizer/pre_tokenizer.rs and normalizer.rs of the reference);
// reads a pre-tokenizer's JSON; sequences.
#include "tokenizers/pre_tokenizers/pre_tokenizer.h"

#include "transformers/error.h"

namespace transformers::tokenizers {

Behavior behavior_from_name(const std::string& name) {
  if (name == "Removed" || name == "removed") return Behavior::removed;
  if (name == "Isolated" || name == "isolated") return Behavior::isolated;
  if (name == "MergedWithPrevious" || name == "merged_with_previous") return Behavior::merged_with_previous;
  if (name == "MergedWithNext" || name == "merged_with_next") return Behavior::merged_with_next;
  if (name == "Contiguous" || name == "contiguous") return Behavior::contiguous;
  throw TokenizerError({"tokenizer.json: unknown split behavior \"", name, "\""});
}

// Turns matches into kept pieces (match set: to be dropped).
static void apply_behavior(std::vector<Match>& m, Behavior behavior) {
  size_t n = 0;
  bool previous = false;
  switch (behavior) {
    case Behavior::removed: return;
    case Behavior::isolated:
      for (Match& x : m) x.match = false;
      return;
    case Behavior::contiguous:
    case Behavior::merged_with_previous:
      for (const Match x : m) {
        const bool join = behavior == Behavior::contiguous ? x.match == previous : x.match && !previous;
        if (join && n > 0) m[n - 1].end = x.end;
        else m[n++] = {x.begin, x.end, false};
        previous = x.match;
      }
      m.resize(n);
      return;
    case Behavior::merged_with_next: {
      size_t w = m.size();
      for (size_t i = m.size(); i-- > 0;) {
        const Match x = m[i];
        if (x.match && !previous && w < m.size()) m[w].begin = x.begin;
        else m[--w] = {x.begin, x.end, false};
        previous = x.match;
      }
      m.erase(m.begin(), m.begin() + static_cast<int64_t>(w));
      return;
    }
  }
}

void PreTokenized::split(const Cut& cut, Behavior behavior, bool invert) {
  thread_local std::vector<Match> matches;
  std::vector<Split> out;
  out.reserve(splits.size() * 2 + text.text().size() / 5);
  for (const Split& s : splits) {
    if (s.token >= 0) { out.push_back(s); continue; }
    matches.clear();
    cut(view(s), s, matches);
    if (invert)
      for (Match& m : matches) m.match = !m.match;
    apply_behavior(matches, behavior);
    for (const Match& m : matches) {
      if (m.match || m.begin == m.end) continue;
      const uint32_t begin = s.begin + m.begin;
      out.push_back({begin, s.begin + m.end, m.begin == 0 ? s.origin : text.track() ? text.span_at(begin).begin : s.origin + m.begin});
    }
  }
  splits = std::move(out);
}

void PreTokenized::rewrite(const Rewrite& f) {
  Rewriter out(text);
  out.reserve(text.text().size() + text.text().size() / 4);
  for (Split& s : splits) {
    const auto begin = static_cast<uint32_t>(out.size());
    if (s.token >= 0) out.keep(s.begin, s.end);
    else f(view(s), s, out);
    s.begin = begin, s.end = static_cast<uint32_t>(out.size());
  }
  out.commit(text);
}

class SequencePreTokenizer : public PreTokenizer {
 public:
  SequencePreTokenizer(const Json& json, int depth) {
    for (const Json& part : json.at("pretokenizers").as_array())
      if (auto p = make_pre_tokenizer(part, depth + 1)) parts_.push_back(std::move(p));
  }
  void pre_tokenize(PreTokenized& text) const override {
    for (const auto& part : parts_) part->pre_tokenize(text);
  }
  bool needs_origin() const override {
    for (const auto& part : parts_)
      if (part->needs_origin()) return true;
    return false;
  }
  bool ends_with_byte_level() const override { return !parts_.empty() && parts_.back()->ends_with_byte_level(); }
  void pre_tokenize_raw(PreTokenized& text) const override {
    for (size_t i = 0; i + 1 < parts_.size(); ++i) parts_[i]->pre_tokenize(text);
    if (!parts_.empty()) parts_.back()->pre_tokenize_raw(text);
  }

 private:
  std::vector<PreTokenizerPtr> parts_;
};

PreTokenizerPtr make_pre_tokenizer(const Json& json, int depth) {
  if (json.is_null()) return nullptr;
  if (depth > 32) throw TokenizerError({"tokenizer.json: pre-tokenizers nest deeper than 32"});
  const std::string& type = json.at("type").as_string();
  if (type == "Sequence") return std::make_shared<SequencePreTokenizer>(json, depth);
  if (type == "ByteLevel") return make_byte_level_pre_tokenizer(json);
  if (type == "Metaspace") return make_metaspace_pre_tokenizer(json);
  if (type == "Split") return make_split_pre_tokenizer(json);
  if (type == "UnicodeScripts") return make_unicode_scripts_pre_tokenizer();
  if (auto p = make_simple_pre_tokenizer(type, json)) return p;
  throw TokenizerError({"tokenizer.json: unknown pre-tokenizer \"", type, "\".",
                        did_you_mean(type, {"Sequence", "ByteLevel", "Metaspace", "Split", "UnicodeScripts", "BertPreTokenizer", "Whitespace",
                                            "WhitespaceSplit", "Punctuation", "Digits", "CharDelimiterSplit", "FixedLength"})});
}

}  // namespace transformers::tokenizers
