// Unigram (Kudo 2018): the segmentation of highest score, by dynamic programming over the word.
#include <algorithm>
#include <cstdio>
#include <limits>

#include "tokenizers/core/prefix_trie.h"
#include "tokenizers/models/model.h"
#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {

class Unigram : public Model {
 public:
  Unigram(std::vector<std::pair<std::string, double>> pieces, int64_t unk_id, bool byte_fallback)
      : pieces_(std::move(pieces)), unk_id_(unk_id), byte_fallback_(byte_fallback) {
    if (unk_id >= 0 && pieces_.empty()) throw TokenizerError({"Unigram: the vocabulary is empty but unk_id is set"});
    if (unk_id >= static_cast<int64_t>(pieces_.size()))
      throw TokenizerError({"Unigram: unk_id ", unk_id, " is beyond the vocabulary of ", static_cast<uint64_t>(pieces_.size())});
    double least = std::numeric_limits<double>::infinity();
    size_t bytes = 0;
    for (const auto& [piece, score] : pieces_) bytes += piece.size(), least = std::min(least, score);
    vocab_.reserve(pieces_.size(), bytes);
    for (size_t i = 0; i < pieces_.size(); ++i) vocab_.set(pieces_[i].first, static_cast<uint32_t>(i));
    std::vector<std::pair<std::string_view, uint32_t>> keys;
    keys.reserve(pieces_.size());
    for (size_t i = 0; i < pieces_.size(); ++i) keys.emplace_back(pieces_[i].first, static_cast<uint32_t>(i));
    trie_.build(std::move(keys));
    unk_score_ = least - 10.0;
    for (int b = 0; b < 256; ++b) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", b);
      fallback_[b] = byte_fallback ? vocab_.find(name) : -1;
    }
  }
  int64_t text_shown_id() const override { return unk_id_; }
  size_t vocab_size() const override { return pieces_.size(); }
  std::string_view id_to_token(uint32_t id) const override {
    return id < pieces_.size() ? std::string_view(pieces_[id].first) : std::string_view();
  }

  void tokenize(std::string_view word, std::vector<Token>& out) const override {
    struct Node { double score; uint32_t id, start; };
    constexpr uint32_t none = UINT32_MAX;
    thread_local std::vector<Node> best;
    const size_t size = word.size();
    best.assign(size + 1, {0, 0, none});
    for (size_t at = 0; at < size;) {
      const double here = best[at].score;
      const size_t n = std::min<size_t>(utf8_length(static_cast<unsigned char>(word[at])), size - at);
      bool single = false;
      const auto offer = [&](size_t length, uint32_t id, double score) {
        Node& target = best[at + length];
        if (target.start == none || score > target.score) target = {score, id, static_cast<uint32_t>(at)};
      };
      trie_.each_prefix(word.substr(at), [&](size_t length, uint32_t id) {
        offer(length, id, pieces_[id].second + here);
        single |= length == n;
      });
      if (!single) {
        if (unk_id_ < 0) throw TokenizerError({"Unigram: unknown character, and there is no unk_id"});
        offer(n, static_cast<uint32_t>(unk_id_), unk_score_ + here);
      }
      at += n;
    }
    const size_t first = out.size();
    for (size_t end = size; end > 0;) {  // backwards; neighbouring unknown pieces become one
      const Node& node = best[end];
      const bool unknown = unk_id_ >= 0 && node.id == static_cast<uint32_t>(unk_id_);
      if (unknown && out.size() > first && out.back().id == static_cast<uint32_t>(unk_id_)) out.back().begin = node.start;
      else out.push_back({node.id, node.start, static_cast<uint32_t>(end)});
      end = node.start;
    }
    std::reverse(out.begin() + static_cast<int64_t>(first), out.end());
    if (unk_id_ < 0) return;
    bool any = false;
    for (size_t i = first; i < out.size(); ++i) any |= out[i].id == static_cast<uint32_t>(unk_id_);
    if (any) resolve_unknown(word, first, out);
  }

  Json to_json() const override {
    Json m = Json::object();
    m.set("type", "Unigram");
    m.set("unk_id", unk_id_ >= 0 ? Json(unk_id_) : Json());
    Json::Array vocab;
    vocab.reserve(pieces_.size());
    for (const auto& [piece, score] : pieces_) vocab.push_back(Json(Json::Array{Json(piece), Json(score)}));
    m.set("vocab", Json(std::move(vocab)));
    m.set("byte_fallback", byte_fallback_);
    return m;
  }

 private:
  // A run of unknown pieces may be a piece as a whole; else its bytes; else unk.
  void resolve_unknown(std::string_view word, size_t first, std::vector<Token>& out) const {
    std::vector<Token> tokens(out.begin() + static_cast<int64_t>(first), out.end());
    out.resize(first);
    for (const Token& t : tokens) {
      if (t.id != static_cast<uint32_t>(unk_id_)) { out.push_back(t); continue; }
      const std::string_view text = word.substr(t.begin, t.end - t.begin);
      if (const int64_t id = vocab_.find(text); id >= 0) { out.push_back({static_cast<uint32_t>(id), t.begin, t.end}); continue; }
      bool bytes = byte_fallback_;
      if (bytes)
        for (char c : text) bytes &= fallback_[static_cast<uint8_t>(c)] >= 0;
      if (!bytes) { out.push_back(t); continue; }
      for (char c : text) out.push_back({static_cast<uint32_t>(fallback_[static_cast<uint8_t>(c)]), t.begin, t.end});
    }
  }

  std::vector<std::pair<std::string, double>> pieces_;
  PrefixTrie trie_;
  int64_t unk_id_;
  bool byte_fallback_;
  double unk_score_;
  int64_t fallback_[256];
};

ModelPtr make_unigram(std::vector<std::pair<std::string, double>> pieces, int64_t unk_id, bool byte_fallback) {
  return std::make_shared<Unigram>(std::move(pieces), unk_id, byte_fallback);
}

}  // namespace transformers::tokenizers
