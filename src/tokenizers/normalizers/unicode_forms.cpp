// NFC, NFD, NFKC, NFKD with the alignment of every character (crate unicode-normalization-alignments).
#include <algorithm>

#include "tokenizers/normalizers/normalizer.h"
#include "tokenizers/text/unicode.h"

namespace transformers::tokenizers {
namespace {

using Change = TrackedText::Change;

// Decomposes and puts combining marks in canonical order; marks carry their change along.
std::vector<Change> decomposed(std::string_view s, bool compatible) {
  std::vector<Change> out;
  out.reserve(s.size());
  std::vector<uint32_t> parts;
  size_t run = 0;  // start of the run of marks to sort
  const auto close = [&] {
    if (out.size() - run > 1)
      std::stable_sort(out.begin() + static_cast<int64_t>(run), out.end(),
                       [](const Change& a, const Change& b) { return combining_class(a.c) < combining_class(b.c); });
  };
  for (const char *p = s.data(), *end = p + s.size(); p < end;) {
    parts.clear();
    decompose(next_char(p, end), compatible, parts);
    for (size_t i = 0; i < parts.size(); ++i) {
      const bool starter = combining_class(parts[i]) == 0;
      if (starter) close();
      out.push_back({parts[i], i > 0 ? 1 : 0});
      if (starter) run = out.size();
    }
  }
  close();
  return out;
}

// Composes canonical pairs; a composed character drops as many originals as its parts replaced, less one.
std::vector<Change> composed(const std::vector<Change>& in) {
  std::vector<Change> out;
  out.reserve(in.size());
  size_t starter = SIZE_MAX;  // index in out of the last starter
  int last_class = -1;        // class of the last mark kept behind it, -1: none
  for (const Change& x : in) {
    const int k = combining_class(x.c);
    if (starter != SIZE_MAX && (last_class < k || last_class == -1)) {
      const uint32_t both = last_class == -1 || last_class < k ? compose(out[starter].c, x.c) : 0;
      if (both && (k != 0 || last_class == -1)) {
        out[starter].c = both;
        out[starter].change += x.change - 1;
        continue;
      }
    }
    if (k == 0) {
      starter = out.size();
      last_class = -1;
    } else if (starter != SIZE_MAX) {
      last_class = k;
    }
    out.push_back(x);
  }
  return out;
}

class UnicodeNormalizer : public Normalizer {
 public:
  UnicodeNormalizer(bool compose, bool compatible) : compose_(compose), compatible_(compatible) {}
  void normalize(TrackedText& text) const override {
    if (unchanged(text.text())) return;
    std::vector<Change> changes = decomposed(text.text(), compatible_);
    if (compose_) changes = composed(changes);
    text.transform(changes);
  }

 private:
  // Characters below the first decomposable or combining one stay as they are.
  bool unchanged(std::string_view s) const {
    if (is_ascii(s)) return true;
    if (!compose_ || compatible_) return false;
    for (const char *p = s.data(), *end = p + s.size(); p < end;) {
      const uint32_t c = next_char(p, end);
      if (c >= 0x300 && !(c >= 0x2010 && c < 0x2027) && !(c >= 0x4e00 && c < 0xa000) && !(c >= 0xac00 && c < 0xd7a4) && !(c >= 0x410 && c < 0x450))
        return false;
    }
    return true;
  }
  bool compose_, compatible_;
};

}  // namespace

NormalizerPtr make_unicode_normalizer(bool compose, bool compatible) {
  return std::make_shared<UnicodeNormalizer>(compose, compatible);
}

void decompose_text(TrackedText& text, bool compatible) {
  if (!is_ascii(text.text())) text.transform(decomposed(text.text(), compatible));
}

}  // namespace transformers::tokenizers
