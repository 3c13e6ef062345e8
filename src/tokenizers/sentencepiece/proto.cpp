// Reads the protocol-buffer wire format of a SentencePiece model, checking every length.
#include <cstring>

#include "tokenizers/sentencepiece/sentencepiece.h"
#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view s) : s_(s) {}
  bool next() {
    if (i_ >= s_.size()) return false;
    const uint64_t tag = varint();
    field = tag >> 3;
    value = 0;
    bytes = {};
    switch (tag & 7) {
      case 0: value = varint(); break;
      case 1: skip(8); break;
      case 2: {
        const uint64_t n = varint();
        bytes = skip(n);
        break;
      }
      case 5: {
        const std::string_view raw = skip(4);
        std::memcpy(&real, raw.data(), 4);
        break;
      }
      default: throw TokenizerError({"SentencePiece model: unknown wire type ", tag & 7, " at byte ", static_cast<uint64_t>(i_)});
    }
    return true;
  }
  uint64_t field = 0, value = 0;
  float real = 0;
  std::string_view bytes;
  int64_t number() const { return static_cast<int32_t>(value); }

 private:
  uint64_t varint() {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (i_ >= s_.size()) throw TokenizerError({"SentencePiece model: ends inside a number"});
      const auto b = static_cast<uint8_t>(s_[i_++]);
      v |= uint64_t(b & 0x7f) << shift;
      if (b < 0x80) return v;
    }
    throw TokenizerError({"SentencePiece model: a number is too long"});
  }
  std::string_view skip(uint64_t n) {
    if (n > s_.size() - i_) throw TokenizerError({"SentencePiece model: a field of ", n, " bytes runs past the end"});
    const std::string_view part = s_.substr(i_, n);
    i_ += n;
    return part;
  }
  std::string_view s_;
  size_t i_ = 0;
};

}  // namespace

SentencePiece::Spec SentencePiece::read(std::string_view bytes) {
  Spec spec;
  for (Reader r(bytes); r.next();) {
    if (r.field == 1) {
      Piece p;
      for (Reader q(r.bytes); q.next();) {
        if (q.field == 1) p.text = q.bytes;
        else if (q.field == 2) p.score = q.real;
        else if (q.field == 3) {
          if (q.value < 1 || q.value > 6) throw TokenizerError({"SentencePiece model: unknown piece type ", q.value});
          p.type = static_cast<Type>(q.value);
        }
      }
      if (!valid_utf8(p.text)) throw TokenizerError({"SentencePiece model: a piece is not UTF-8"});
      spec.pieces.push_back(std::move(p));
    } else if (r.field == 2) {
      for (Reader q(r.bytes); q.next();) {
        switch (q.field) {
          case 3:
            if (q.value < 1 || q.value > 4) throw TokenizerError({"SentencePiece model: unknown model type ", q.value});
            spec.kind = static_cast<Kind>(q.value);
            break;
          case 24: spec.treat_whitespace_as_suffix = q.value != 0; break;
          case 35: spec.byte_fallback = q.value != 0; break;
          case 40: spec.unk_id = q.number(); break;
          case 41: spec.bos_id = q.number(); break;
          case 42: spec.eos_id = q.number(); break;
          case 43: spec.pad_id = q.number(); break;
          case 44: spec.unk_surface = q.bytes; break;
          case 45: spec.unk_piece = q.bytes; break;
          default: break;
        }
      }
    } else if (r.field == 3) {
      for (Reader q(r.bytes); q.next();) {
        switch (q.field) {
          case 1: spec.normalizer_name = q.bytes; break;
          case 2: spec.charsmap = q.bytes; break;
          case 3: spec.add_dummy_prefix = q.value != 0; break;
          case 4: spec.remove_extra_whitespaces = q.value != 0; break;
          case 5: spec.escape_whitespaces = q.value != 0; break;
          default: break;
        }
      }
    }
  }
  if (spec.pieces.empty()) throw TokenizerError({"SentencePiece model: has no pieces"});
  return spec;
}

}  // namespace transformers::tokenizers
