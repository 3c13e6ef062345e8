// Messages and "did you mean" lists.
#include "transformers/error.h"

#include <algorithm>
#include <cstdio>

namespace transformers {

Piece::Piece(double v) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%g", v);
  text_ = buffer;
}

std::string cat(std::initializer_list<Piece> pieces) {
  std::string out;
  for (const Piece& p : pieces) out += p.text();
  return out;
}

static size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t up = row[j];
      row[j] = std::min({up + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = up;
    }
  }
  return row[b.size()];
}

std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& known, size_t most) {
  if (name.size() > 200) return {};  // a hostile name must not cost quadratic time
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const std::string& k : known) {
    const bool contained = !name.empty() && (k.find(name) != std::string::npos || name.find(k) != std::string::npos);
    const size_t d = contained ? 1 : edit_distance(name, k);
    if (contained || d <= std::max<size_t>(2, name.size() / 3)) ranked.emplace_back(d, k);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](auto& a, auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (auto& r : ranked)
    if (out.size() < most) out.push_back(r.second);
  return out;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  std::string out;
  for (const std::string& k : nearest_names(name, known)) out += (out.empty() ? " Did you mean: " : ", ") + k;
  return out.empty() ? out : out + "?";
}

}  // namespace transformers
