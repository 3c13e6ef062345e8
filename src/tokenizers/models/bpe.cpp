// Byte-pair encoding (Sennrich et al. 2016): merges in the order of their ranks, leftmost first among equals.
// Short words merge by scanning, long ones with a priority queue; words seen before come from a per-thread cache.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <queue>
#include <random>
#include <unordered_set>

#include "base/parallel.h"
#include "tokenizers/models/model.h"
#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {
namespace {

struct Symbol {
  uint32_t id, length;
};

// Words of up to 24 bytes and 8 tokens, direct-mapped; shared by all models of a thread.
struct CachedWord {
  uint64_t model = 0;
  uint8_t size = 0, count = 0;
  char text[24];
  uint8_t lengths[8];
  uint32_t ids[8];
};
constexpr size_t kCacheSize = 1 << 13;

class Bpe : public Model {
 public:
  Bpe(Vocabulary vocab, const std::vector<BpeMerge>& merges, const BpeOptions& options) : o_(options) {
    vocab_ = std::move(vocab);
    static std::atomic<uint64_t> counter{0};
    uid_ = ++counter;
    if (!(o_.dropout >= 0 && o_.dropout <= 1)) throw TokenizerError({"BPE: expected dropout between 0 and 1, got ", o_.dropout});
    if (o_.has_unk) unk_id_ = vocab_.find(o_.unk_token);
    build_merges(merges);
    if (o_.byte_fallback)
      for (int b = 0; b < 256; ++b) {
        char name[8];
        std::snprintf(name, sizeof name, "<0x%02X>", b);
        fallback_[b] = vocab_.find(name);
      }
    raw_ = !o_.byte_fallback && !o_.has_unk && o_.continuing_subword_prefix.empty() && o_.end_of_word_suffix.empty();
    for (int b = 0; b < 256 && raw_; ++b) {
      byte_ids_[b] = vocab_.find(to_utf8(byte_to_char(static_cast<uint8_t>(b))));
      raw_ = byte_ids_[b] >= 0;
    }
    cuts_ = !o_.dropout && !o_.ignore_merges && o_.continuing_subword_prefix.empty() && o_.end_of_word_suffix.empty() && vocab_.find(kMark) >= 0;
    for (uint32_t c = 0; c < kSmallChars; ++c) char_ids_[c] = vocab_.find(to_utf8(c));
  }

  bool takes_raw_bytes() const override { return raw_; }

  // Text without a pre-tokenizer is one long word. Between a character and a space mark that no merge ever joins the
  // parts are independent: they are done one by one, which is exact, and lets the cache work.
  void tokenize(std::string_view word, std::vector<Token>& out) const override {
    if (!cuts_ || word.size() <= sizeof(CachedWord::text)) return run<false>(word, out);
    size_t begin = 0;
    const auto give = [&](size_t end) {
      const size_t first = out.size();
      run<false>(word.substr(begin, end - begin), out);
      for (size_t i = first; i < out.size(); ++i) out[i].begin += static_cast<uint32_t>(begin), out[i].end += static_cast<uint32_t>(begin);
      begin = end;
    };
    for (size_t at = word.find(kMark, 1); at != std::string_view::npos; at = word.find(kMark, at + kMark.size())) {
      if (at > begin && !glued_.count(last_char(word.substr(begin, at - begin)))) give(at);
    }
    give(word.size());
  }
  void tokenize_raw(std::string_view bytes, std::vector<Token>& out) const override { run<true>(bytes, out); }

  Json to_json() const override {
    Json m = Json::object();
    const auto text_or_null = [](const std::string& s) { return s.empty() ? Json() : Json(s); };
    m.set("type", "BPE");
    m.set("dropout", o_.dropout > 0 ? Json(o_.dropout) : Json());
    m.set("unk_token", o_.has_unk ? Json(o_.unk_token) : Json());
    m.set("continuing_subword_prefix", text_or_null(o_.continuing_subword_prefix));
    m.set("end_of_word_suffix", text_or_null(o_.end_of_word_suffix));
    m.set("fuse_unk", o_.fuse_unk);
    m.set("byte_fallback", o_.byte_fallback);
    m.set("ignore_merges", o_.ignore_merges);
    std::vector<std::pair<uint32_t, std::string_view>> tokens;
    vocab_.each([&](std::string_view t, uint32_t id) { tokens.emplace_back(id, t); });
    std::sort(tokens.begin(), tokens.end());
    Json::Object vocab;
    for (const auto& [id, t] : tokens) vocab.emplace_back(std::string(t), Json(static_cast<int64_t>(id)));
    m.set("vocab", Json::object(std::move(vocab)));
    std::vector<std::pair<uint32_t, std::pair<uint32_t, uint32_t>>> pairs;
    merges_.each([&](uint32_t a, uint32_t b, PairMap::Value v) { pairs.push_back({v.rank, {a, b}}); });
    std::sort(pairs.begin(), pairs.end());
    Json::Array merges;
    for (const auto& [rank, p] : pairs)
      merges.push_back(Json(Json::Array{Json(std::string(vocab_.token(p.first))), Json(std::string(vocab_.token(p.second)))}));
    m.set("merges", Json(std::move(merges)));
    return m;
  }

 private:
  static constexpr uint32_t kSmallChars = 512;
  static constexpr std::string_view kMark = "\xe2\x96\x81";  // the space mark of SentencePiece

  void build_merges(const std::vector<BpeMerge>& merges) {
    merges_.reserve(merges.size());
    const size_t prefix = o_.continuing_subword_prefix.size();
    struct Found { int64_t left, right, both; };
    std::vector<Found> found(merges.size());
    parallel_for(static_cast<int64_t>(merges.size()), 4096, [&](int64_t begin, int64_t end) {
      std::string both;
      for (int64_t i = begin; i < end; ++i) {
        const auto& [left, right] = merges[i];
        both.assign(left);
        if (right.size() >= prefix) both.append(right.substr(prefix));
        found[i] = {vocab_.find(left), vocab_.find(right), right.size() < prefix ? -1 : vocab_.find(both)};
      }
    });
    for (size_t i = 0; i < merges.size(); ++i) {
      const auto& [left, right] = merges[i];
      const auto& [a, b, id] = found[i];
      const auto fail = [&](std::string_view what) {
        throw TokenizerError({"BPE: merge ", static_cast<uint64_t>(i), ": \"", what, "\" is not in the vocabulary"});
      };
      if (a < 0) fail(left);
      if (b < 0) fail(right);
      if (id < 0) fail(std::string(left) + "\" + \"" + std::string(right));
      merges_.set(static_cast<uint32_t>(a), static_cast<uint32_t>(b), {static_cast<uint32_t>(i), static_cast<uint32_t>(id)});
      if (right.starts_with(kMark)) glued_.insert(last_char(left));
      for (const std::string_view part : {left, right})
        for (size_t at = part.find(kMark, 1); at != std::string_view::npos; at = part.find(kMark, at + kMark.size()))
          glued_.insert(last_char(part.substr(0, at)));
    }
  }

  template <bool raw> void run(std::string_view word, std::vector<Token>& out) const {
    if (word.empty()) return;
    const auto size = static_cast<uint32_t>(word.size());
    if (o_.ignore_merges && !o_.dropout) {
      if (const int64_t id = whole<raw>(word); id >= 0) { out.push_back({static_cast<uint32_t>(id), 0, size}); return; }
    }
    thread_local std::vector<Symbol> symbols;
    symbols.clear();
    if (o_.dropout > 0 || word.size() > sizeof(CachedWord::text)) {
      merge<raw>(word, symbols);
      return emit(symbols, out);
    }
    thread_local std::vector<CachedWord> cache(kCacheSize);
    const uint64_t hash = hash_bytes(word.data(), word.size()) + uid_ * 0x9e3779b97f4a7c15ull + raw;
    CachedWord& hit = cache[hash >> 20 & (kCacheSize - 1)];
    const uint64_t key = uid_ * 2 + raw;
    if (hit.model == key && hit.size == word.size() && std::memcmp(hit.text, word.data(), word.size()) == 0) {
      uint32_t at = 0;
      for (int i = 0; i < hit.count; ++i) {
        out.push_back({hit.ids[i], at, at + hit.lengths[i]});
        at += hit.lengths[i];
      }
      return;
    }
    merge<raw>(word, symbols);
    if (symbols.size() <= 8) {
      bool fits = true;
      for (const Symbol& s : symbols) fits &= s.length < 256;
      if (fits) {
        hit.model = key, hit.size = static_cast<uint8_t>(word.size()), hit.count = static_cast<uint8_t>(symbols.size());
        std::memcpy(hit.text, word.data(), word.size());
        for (size_t i = 0; i < symbols.size(); ++i) hit.ids[i] = symbols[i].id, hit.lengths[i] = static_cast<uint8_t>(symbols[i].length);
      }
    }
    emit(symbols, out);
  }

  static void emit(const std::vector<Symbol>& symbols, std::vector<Token>& out) {
    uint32_t at = 0;
    for (const Symbol& s : symbols) {
      out.push_back({s.id, at, at + s.length});
      at += s.length;
    }
  }

  // Id of the whole word, in the vocabulary's own spelling.
  template <bool raw> int64_t whole(std::string_view word) const {
    if (!raw) return vocab_.find(word);
    if (word.size() > vocab_.longest()) return -1;
    char small[256];
    std::string big;
    char* p = small;
    if (word.size() * 2 > sizeof small) { big.resize(word.size() * 2); p = big.data(); }
    size_t n = 0;
    for (char c : word) {
      const uint32_t u = byte_to_char(static_cast<uint8_t>(c));
      if (u < 0x80) p[n++] = static_cast<char>(u);
      else p[n++] = static_cast<char>(0xc0 | u >> 6), p[n++] = static_cast<char>(0x80 | (u & 0x3f));
    }
    return vocab_.find({p, n});
  }

  template <bool raw> void merge(std::string_view word, std::vector<Symbol>& symbols) const {
    symbols.reserve(word.size());
    if (raw) {
      for (char c : word) symbols.push_back({static_cast<uint32_t>(byte_ids_[static_cast<uint8_t>(c)]), 1});
    } else {
      characters(word, symbols);
    }
    if (symbols.size() < 2) return;
    if (o_.dropout > 0) merge_queue(symbols, o_.dropout);
    else if (symbols.size() <= 48) merge_scan(symbols);
    else merge_queue(symbols, 0);
  }

  void characters(std::string_view word, std::vector<Symbol>& symbols) const {
    const bool affixes = !o_.continuing_subword_prefix.empty() || !o_.end_of_word_suffix.empty();
    std::string text;
    uint32_t unknown = 0;  // bytes of the unknown run not yet written
    const auto flush = [&] {
      if (unknown) symbols.push_back({static_cast<uint32_t>(unk_id_), unknown});
      unknown = 0;
    };
    for (const char *p = word.data(), *end = p + word.size(); p < end;) {
      const char* begin = p;
      const uint32_t c = next_char(p, end);
      const auto bytes = static_cast<uint32_t>(p - begin);
      std::string_view s(begin, bytes);
      int64_t id;
      if (affixes && (begin != word.data() || p == end)) {
        text.clear();
        if (begin != word.data()) text += o_.continuing_subword_prefix;
        text += s;
        if (p == end) text += o_.end_of_word_suffix;
        s = text;
        id = vocab_.find(s);
      } else {
        id = c < kSmallChars ? char_ids_[c] : vocab_.find(s);
      }
      if (id >= 0) {
        flush();
        symbols.push_back({static_cast<uint32_t>(id), bytes});
        continue;
      }
      if (o_.byte_fallback) {
        bool all = true;
        for (char b : s) all &= fallback_[static_cast<uint8_t>(b)] >= 0;
        if (all) {  // a pending unknown run stays pending, as in the reference
          for (char b : s) symbols.push_back({static_cast<uint32_t>(fallback_[static_cast<uint8_t>(b)]), 1});
          continue;
        }
      }
      if (!o_.has_unk) continue;  // dropped, as in the reference
      if (unk_id_ < 0) throw TokenizerError({"BPE: unk_token \"", o_.unk_token, "\" is not in the vocabulary"});
      if (!o_.fuse_unk) flush();
      unknown += bytes;
    }
    flush();
  }

  // For short words: the ranks of all pairs side by side, the least one merged until none is left.
  void merge_scan(std::vector<Symbol>& symbols) const {
    constexpr uint32_t none = UINT32_MAX;
    struct Pair { uint32_t rank, id; } pairs[48];
    size_t n = symbols.size();
    const auto look = [&](size_t i) {
      const auto* v = merges_.find(symbols[i].id, symbols[i + 1].id);
      pairs[i] = v ? Pair{v->rank, v->id} : Pair{none, 0};
    };
    for (size_t i = 0; i + 1 < n; ++i) look(i);
    while (n > 1) {
      size_t best = 0;
      for (size_t i = 1; i + 1 < n; ++i)
        if (pairs[i].rank < pairs[best].rank) best = i;
      if (pairs[best].rank == none) break;
      symbols[best] = {pairs[best].id, symbols[best].length + symbols[best + 1].length};
      for (size_t i = best + 1; i + 1 < n; ++i) symbols[i] = symbols[i + 1];
      for (size_t i = best + 1; i + 2 < n; ++i) pairs[i] = pairs[i + 1];
      --n;
      if (best + 1 < n) look(best);
      if (best > 0) look(best - 1);
    }
    symbols.resize(n);
  }

  // For long words and dropout: a queue of candidate merges, stale ones skipped.
  void merge_queue(std::vector<Symbol>& symbols, double dropout) const {
    struct Link { uint32_t id, length; int64_t previous, next; };
    struct Candidate {
      uint32_t rank, id;
      size_t at;
      bool operator>(const Candidate& o) const { return rank != o.rank ? rank > o.rank : at > o.at; }
    };
    const auto count = static_cast<int64_t>(symbols.size());
    std::vector<Link> links(symbols.size());
    for (int64_t i = 0; i < count; ++i) links[i] = {symbols[i].id, symbols[i].length, i - 1, i + 1 < count ? i + 1 : -1};
    std::vector<Candidate> heap, skipped;
    const auto greater = std::greater<Candidate>();
    for (int64_t i = 0; i + 1 < count; ++i)
      if (const auto* v = merges_.find(links[i].id, links[i + 1].id)) heap.push_back({v->rank, v->id, static_cast<size_t>(i)});
    std::make_heap(heap.begin(), heap.end(), greater);
    const auto push = [&](Candidate c) {
      heap.push_back(c);
      std::push_heap(heap.begin(), heap.end(), greater);
    };
    thread_local std::mt19937 random{std::random_device{}()};
    std::vector<char> dead(symbols.size(), 0);
    while (!heap.empty()) {
      const Candidate top = heap.front();
      std::pop_heap(heap.begin(), heap.end(), greater);
      heap.pop_back();
      if (dropout > 0 && std::uniform_real_distribution<double>(0, 1)(random) < dropout) { skipped.push_back(top); continue; }
      for (const Candidate& c : skipped) push(c);
      skipped.clear();
      Link& left = links[top.at];
      if (dead[top.at] || left.next < 0) continue;
      const Link right = links[left.next];
      const auto* v = merges_.find(left.id, right.id);
      if (!v || v->id != top.id) continue;
      dead[left.next] = 1;
      left.id = top.id, left.length += right.length, left.next = right.next;
      if (right.next >= 0) links[right.next].previous = static_cast<int64_t>(top.at);
      if (left.previous >= 0)
        if (const auto* m = merges_.find(links[left.previous].id, left.id)) push({m->rank, m->id, static_cast<size_t>(left.previous)});
      if (left.next >= 0)
        if (const auto* m = merges_.find(left.id, links[left.next].id)) push({m->rank, m->id, top.at});
    }
    symbols.clear();
    for (int64_t i = 0; i >= 0; i = links[i].next) symbols.push_back({links[i].id, links[i].length});
  }

  BpeOptions o_;
  PairMap merges_;
  uint64_t uid_;
  int64_t unk_id_ = -1;
  bool raw_ = false, cuts_ = false;
  std::unordered_set<uint32_t> glued_;  // characters that some merge joins with a space mark behind them
  int64_t byte_ids_[256] = {}, fallback_[256] = {}, char_ids_[kSmallChars] = {};
};

}  // namespace

ModelPtr make_bpe(Vocabulary vocab, const std::vector<BpeMerge>& merges, const BpeOptions& options) {
  return std::make_shared<Bpe>(std::move(vocab), merges, options);
}

}  // namespace transformers::tokenizers
