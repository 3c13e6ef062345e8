// WordPiece: greedy longest match (Wu et al. 2016). WordLevel: one token a word.
#include <algorithm>

#include "tokenizers/models/model.h"
#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {
namespace {

Json vocabulary_json(const Vocabulary& vocab) {
  std::vector<std::pair<uint32_t, std::string_view>> tokens;
  vocab.each([&](std::string_view t, uint32_t id) { tokens.emplace_back(id, t); });
  std::sort(tokens.begin(), tokens.end());
  Json::Object members;
  for (const auto& [id, t] : tokens) members.emplace_back(std::string(t), Json(static_cast<int64_t>(id)));
  return Json::object(std::move(members));
}

class WordPiece : public Model {
 public:
  WordPiece(Vocabulary vocab, std::string unk, std::string prefix, size_t max_chars)
      : unk_(std::move(unk)), prefix_(std::move(prefix)), max_chars_(max_chars) {
    vocab_ = std::move(vocab);
    unk_id_ = vocab_.find(unk_);
  }

  void tokenize(std::string_view word, std::vector<Token>& out) const override {
    const size_t first = out.size(), size = word.size();
    if (size > max_chars_ && count_chars(word) > max_chars_) return unknown(size, out);
    thread_local std::string inner;
    size_t start = 0;
    while (start < size) {
      const size_t lead = start > 0 ? prefix_.size() : 0;
      std::string_view s = word.substr(start);
      if (start > 0) {
        inner.assign(prefix_).append(s);
        s = inner;
      }
      // No token is longer than the longest of the vocabulary.
      size_t n = std::min(s.size(), vocab_.longest());
      while (n > lead && n < s.size() && is_continuation(s[n])) --n;
      int64_t id = -1;
      while (n > lead && (id = vocab_.find(s.substr(0, n))) < 0) {
        --n;
        while (n > lead && is_continuation(s[n])) --n;
      }
      if (id < 0 || n <= lead) {
        out.resize(first);
        return unknown(size, out);
      }
      out.push_back({static_cast<uint32_t>(id), static_cast<uint32_t>(start), static_cast<uint32_t>(start + n - lead)});
      start += n - lead;
    }
  }

  Json to_json() const override {
    Json m = Json::object();
    m.set("type", "WordPiece");
    m.set("unk_token", unk_);
    m.set("continuing_subword_prefix", prefix_);
    m.set("max_input_chars_per_word", max_chars_);
    m.set("vocab", vocabulary_json(vocab_));
    return m;
  }

 private:
  void unknown(size_t size, std::vector<Token>& out) const {
    if (unk_id_ < 0) throw TokenizerError({"WordPiece: unk_token \"", unk_, "\" is not in the vocabulary"});
    out.push_back({static_cast<uint32_t>(unk_id_), 0, static_cast<uint32_t>(size)});
  }
  std::string unk_, prefix_;
  size_t max_chars_;
  int64_t unk_id_;
};

class WordLevel : public Model {
 public:
  WordLevel(Vocabulary vocab, std::string unk) : unk_(std::move(unk)) {
    vocab_ = std::move(vocab);
    unk_id_ = vocab_.find(unk_);
  }
  void tokenize(std::string_view word, std::vector<Token>& out) const override {
    int64_t id = vocab_.find(word);
    if (id < 0) id = unk_id_;
    if (id < 0) throw TokenizerError({"WordLevel: unknown word, and unk_token \"", unk_, "\" is not in the vocabulary"});
    out.push_back({static_cast<uint32_t>(id), 0, static_cast<uint32_t>(word.size())});
  }
  Json to_json() const override {
    Json m = Json::object();
    m.set("type", "WordLevel");
    m.set("vocab", vocabulary_json(vocab_));
    m.set("unk_token", unk_);
    return m;
  }

 private:
  std::string unk_;
  int64_t unk_id_;
};

}  // namespace

ModelPtr make_word_piece(Vocabulary vocab, std::string unk, std::string prefix, size_t max_chars) {
  return std::make_shared<WordPiece>(std::move(vocab), std::move(unk), std::move(prefix), max_chars);
}
ModelPtr make_word_level(Vocabulary vocab, std::string unk) { return std::make_shared<WordLevel>(std::move(vocab), std::move(unk)); }

}  // namespace transformers::tokenizers
