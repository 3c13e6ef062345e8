// See sentencepiece.h: normalization, encoding's frame, decoding.
#include "tokenizers/sentencepiece/sentencepiece.h"

#include <algorithm>
#include <cfloat>

#include "tokenizers/decoders/decoder.h"
#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {

static constexpr std::string_view kSpace = "\xe2\x96\x81";  // U+2581
static constexpr std::string_view kBroken = "\xef\xbf\xbd";

SentencePiece::SentencePiece(Spec spec) : spec_(std::move(spec)), chars_(spec_.charsmap) {
  std::vector<std::pair<std::string_view, uint32_t>> keys, user;
  std::fill(std::begin(byte_ids_), std::end(byte_ids_), -1);
  min_score_ = FLT_MAX, max_score_ = -FLT_MAX;
  int64_t unknown = -1;
  for (size_t i = 0; i < spec_.pieces.size(); ++i) {
    const Piece& p = spec_.pieces[i];
    const auto id = static_cast<uint32_t>(i);
    if (p.type == Type::normal || p.type == Type::user_defined || p.type == Type::unused) {
      pieces_.set(p.text, id);
      keys.emplace_back(p.text, id);
      if (p.type == Type::user_defined) user.emplace_back(p.text, id);
    } else {
      reserved_.set(p.text, id);
    }
    if (p.type == Type::normal) min_score_ = std::min(min_score_, p.score), max_score_ = std::max(max_score_, p.score);
    if (p.type == Type::unknown && unknown < 0) unknown = id;
    if (p.type == Type::byte)
      if (const int b = byte_token(p.text); b >= 0) byte_ids_[b] = id;
  }
  if (unknown >= 0) spec_.unk_id = unknown;
  if (spec_.unk_id < 0 || spec_.unk_id >= size()) throw TokenizerError({"SentencePiece model: has no unknown piece"});
  trie_.build(std::move(keys));
  user_defined_.build(std::move(user));
}

const SentencePiece::Piece& SentencePiece::piece(int64_t id) const {
  if (id < 0 || id >= size()) throw TokenizerError({"SentencePiece: id ", id, " is out of the ", size(), " pieces"});
  return spec_.pieces[static_cast<size_t>(id)];
}
int64_t SentencePiece::piece_to_id(std::string_view piece) const {
  int64_t id = reserved_.find(piece);
  if (id < 0) id = pieces_.find(piece);
  return id < 0 ? spec_.unk_id : id;
}

// The normalized form of the longest known prefix, and how many bytes it took.
std::pair<std::string_view, size_t> SentencePiece::normalize_prefix(std::string_view s) const {
  if (const size_t n = user_defined_.longest(s).first) return {s.substr(0, n), n};
  if (!chars_.empty())
    if (const auto hit = chars_.longest(s); hit.length) return {hit.replacement, hit.length};
  const size_t n = std::min<size_t>(utf8_length(static_cast<unsigned char>(s[0])), s.size());
  return {s.substr(0, n), n};
}

std::string SentencePiece::normalize(std::string_view s) const {
  const std::string_view space = spec_.escape_whitespaces ? kSpace : " ";
  const bool remove = spec_.remove_extra_whitespaces;
  while (remove && !s.empty()) {
    const auto [text, n] = normalize_prefix(s);
    if (text != " ") break;
    s.remove_prefix(n);
  }
  std::string out;
  if (s.empty()) return out;
  out.reserve(s.size() + s.size() / 3);
  if (!spec_.treat_whitespace_as_suffix && spec_.add_dummy_prefix) out += space;
  bool after_space = remove;
  while (!s.empty()) {
    auto [text, n] = normalize_prefix(s);
    while (after_space && text.starts_with(' ')) text.remove_prefix(1);
    if (!text.empty()) {
      for (char c : text) {
        if (c == ' ') out += space;
        else out += c;
      }
      after_space = text.ends_with(' ');
    }
    s.remove_prefix(n);
    if (!remove) after_space = false;
  }
  while (remove && out.ends_with(space)) out.resize(out.size() - space.size());
  if (spec_.treat_whitespace_as_suffix && spec_.add_dummy_prefix) out += space;
  return out;
}

std::vector<SentencePiece::Output> SentencePiece::encode(std::string_view text) const {
  std::string repaired;
  if (!valid_utf8(text)) text = repaired = repair_utf8(text);
  const std::string s = normalize(text);
  std::vector<Part> parts;
  switch (spec_.kind) {
    case Kind::unigram: encode_unigram(s, parts); break;
    case Kind::bpe: encode_bpe(s, parts); break;
    case Kind::character: encode_chars(s, parts); break;
    case Kind::word: encode_words(s, parts); break;
  }
  std::vector<Output> out;
  out.reserve(parts.size());
  bool after_unknown = false;
  for (const Part& p : parts) {
    const bool unknown = p.id == spec_.unk_id;
    if (unknown && spec_.byte_fallback) {
      for (char c : p.text) {
        const int64_t id = byte_ids_[static_cast<uint8_t>(c)];
        if (id < 0) throw TokenizerError({"SentencePiece model: byte_fallback is set, but a byte has no piece"});
        out.push_back({piece(id).text, id});
      }
    } else if (unknown && after_unknown) {
      out.back().piece += p.text;
    } else {
      out.push_back({std::string(p.text), p.id});
    }
    after_unknown = unknown;
  }
  return out;
}

std::vector<int64_t> SentencePiece::encode_ids(std::string_view text) const {
  std::vector<int64_t> ids;
  for (const Output& o : encode(text)) ids.push_back(o.id);
  return ids;
}

std::string SentencePiece::decode(const std::vector<int64_t>& ids) const {
  std::vector<Output> pieces;
  pieces.reserve(ids.size());
  for (int64_t id : ids) pieces.push_back({piece(id).text, id});
  return decode_outputs(pieces);
}
std::string SentencePiece::decode_pieces(const std::vector<std::string>& pieces) const {
  std::vector<Output> outputs;
  for (const std::string& p : pieces) outputs.push_back({p, piece_to_id(p)});
  return decode_outputs(outputs);
}

std::string SentencePiece::decode_outputs(const std::vector<Output>& pieces) const {
  std::string text, bytes;
  const auto flush = [&] {  // one character a valid run, U+FFFD for every other byte
    for (size_t i = 0; i < bytes.size();) {
      const size_t n = std::min<size_t>(utf8_length(static_cast<unsigned char>(bytes[i])), bytes.size() - i);
      const std::string_view c = std::string_view(bytes).substr(i, n);
      if (valid_utf8(c)) text += c, i += n;
      else text += kBroken, ++i;
    }
    bytes.clear();
  };
  bool at_start = true, space_seen = false;
  for (const Output& o : pieces) {
    const Piece& p = piece(o.id);
    if (p.type == Type::byte) {
      bytes += static_cast<char>(byte_token(p.text));
      continue;
    }
    flush();
    if (space_seen || !text.empty()) at_start = false;
    space_seen = false;
    if (p.type == Type::control) continue;
    if (p.type == Type::unknown) {
      text += o.piece == p.text ? spec_.unk_surface : o.piece;
      continue;
    }
    std::string_view s = o.piece;
    if (at_start && (spec_.add_dummy_prefix || spec_.remove_extra_whitespaces)) {
      if (s.starts_with(kSpace)) s.remove_prefix(kSpace.size()), space_seen = true;
      if (spec_.remove_extra_whitespaces) space_seen = false;
    }
    text += replace_all(s, kSpace, " ");
  }
  flush();
  return text;
}

}  // namespace transformers::tokenizers
