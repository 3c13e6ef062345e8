// einsum: operands are contracted left to right, each pair by permute + batched matmul.
#include <algorithm>
#include <string>
#include <vector>

#include "ops/matmul.h"

namespace transformers {
namespace {

// A label per dimension; "..." dimensions get labels >= 256, counted from the right.
using Labels = std::vector<int>;
struct Term { Tensor x; Labels labels; };

[[noreturn]] void bad(const std::string& equation, std::string_view why) { throw ValueError({"einsum(\"", equation, "\"): ", why}); }
bool has(const Labels& labels, int l) { return std::find(labels.begin(), labels.end(), l) != labels.end(); }

Labels parse(const std::string& equation, const std::string& text, int64_t rank) {
  Labels labels;
  int64_t letters = 0;
  for (char ch : text) letters += ch != '.';
  bool dots = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '.') {
      if (text.compare(i, 3, "...") != 0 || dots) bad(equation, "\".\" may only appear once, as \"...\"");
      dots = true, i += 2;
      for (int64_t d = rank - letters; d > 0; --d) labels.push_back(static_cast<int>(255 + d));
    } else if ((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z')) {
      labels.push_back(text[i]);
    } else {
      bad(equation, "labels are letters");
    }
  }
  return labels;
}

// Repeated labels of one operand: keep the diagonal, as a strided gather that stays differentiable.
Term diagonal(const std::string& equation, Term t) {
  for (size_t i = 0; i < t.labels.size(); ++i)
    for (size_t j = i + 1; j < t.labels.size();) {
      if (t.labels[i] != t.labels[j]) { ++j; continue; }
      const int64_t a = static_cast<int64_t>(i), b = static_cast<int64_t>(j), n = t.x.dim(a);
      if (t.x.dim(b) != n) bad(equation, "a repeated label has two sizes");
      // x[.., i, .., i, ..]: the flattened pair (i, j) is stepped by n + 1.
      Shape order, rest;
      for (int64_t d = 0; d < t.x.rank(); ++d)
        if (d != a && d != b) order.push_back(d), rest.push_back(t.x.dim(d));
      order.push_back(a), order.push_back(b);
      Shape flat = rest, kept = rest;
      flat.push_back(n * n), kept.push_back(n);
      Tensor y = t.x.permute(order).reshape(flat).slice(-1, 0, n * n, n + 1).reshape(kept);
      Shape back;
      int64_t next = 0;
      for (int64_t d = 0; d < t.x.rank(); ++d)
        if (d != b) back.push_back(d == a ? y.rank() - 1 : next++);
      t.x = y.permute(back);
      t.labels.erase(t.labels.begin() + static_cast<int64_t>(j));
    }
  return t;
}

// Sum over one dimension as a product with ones.
Tensor sum_last(const Tensor& x) { return matmul(x, Tensor::full({x.dim(-1)}, 1, x.dtype())); }

// Sums out labels that nobody else needs.
Term reduce(Term t, const Labels& needed) {
  for (size_t i = t.labels.size(); i-- > 0;) {
    if (has(needed, t.labels[i])) continue;
    t.x = sum_last(t.x.transpose(static_cast<int64_t>(i), -1).unsqueeze(-2)).squeeze(-1);
    // The transposed dimension now lies where i was: the last label moved there.
    t.labels[i] = t.labels.back();
    t.labels.pop_back();
  }
  return t;
}

// x with dimensions in the order of `want`; missing ones become 1.
Tensor arrange(const Term& t, const Labels& want) {
  Tensor x = t.x;
  Shape order;
  for (int l : want) {
    const auto at = std::find(t.labels.begin(), t.labels.end(), l);
    if (at != t.labels.end()) order.push_back(at - t.labels.begin());
  }
  x = x.permute(order);
  for (size_t i = 0; i < want.size(); ++i)
    if (!has(t.labels, want[i])) x = x.unsqueeze(static_cast<int64_t>(i));
  return x;
}

int64_t size_of_label(const Term& a, const Term& b, int l) {
  int64_t n = 1;
  for (const Term* t : {&a, &b})
    for (size_t i = 0; i < t->labels.size(); ++i)
      if (t->labels[i] == l) n = std::max(n, t->x.dim(static_cast<int64_t>(i)));
  return n;
}

// Whether t has label l with its full size (a size of 1 broadcasts).
bool spans(const Term& t, int l, int64_t n) {
  for (size_t i = 0; i < t.labels.size(); ++i)
    if (t.labels[i] == l) return t.x.dim(static_cast<int64_t>(i)) == n;
  return false;
}

Term contract(const std::string& equation, Term a, Term b, const Labels& needed) {
  Labels both = needed;
  both.insert(both.end(), b.labels.begin(), b.labels.end());
  a = reduce(std::move(a), both);
  both = needed;
  both.insert(both.end(), a.labels.begin(), a.labels.end());
  b = reduce(std::move(b), both);
  // Shared labels: kept ones are the batch, the others are summed; the rest are rows and columns.
  Labels batch, rows, cols, summed;
  Shape batch_shape, row_shape, col_shape;
  int64_t depth = 1;
  const auto place = [&](int l) {
    if (has(batch, l) || has(rows, l) || has(cols, l) || has(summed, l)) return;
    const int64_t n = size_of_label(a, b, l);
    for (const Term* t : {&a, &b})
      if (has(t->labels, l) && !spans(*t, l, n) && !spans(*t, l, 1)) bad(equation, "a label has two sizes");
    if (has(a.labels, l) && has(b.labels, l)) {
      if (has(needed, l)) batch.push_back(l), batch_shape.push_back(n);
      else summed.push_back(l), depth *= n;
    } else if (has(a.labels, l)) rows.push_back(l), row_shape.push_back(n);
    else cols.push_back(l), col_shape.push_back(n);
  };
  for (int l : a.labels) place(l);
  for (int l : b.labels) place(l);
  Shape sum_shape;
  for (int l : summed) sum_shape.push_back(size_of_label(a, b, l));
  const auto gather = [&](const Term& t, const Labels& outer, const Shape& outer_shape, bool depth_first) {
    Labels want = batch;
    Shape shape = batch_shape, flat = batch_shape;
    const auto add = [&](const Labels& l, const Shape& s) {
      want.insert(want.end(), l.begin(), l.end());
      for (int64_t n : s) shape.push_back(n);
      flat.push_back(s.numel());
    };
    if (depth_first) add(summed, sum_shape), add(outer, outer_shape);
    else add(outer, outer_shape), add(summed, sum_shape);
    if (want.size() > static_cast<size_t>(Shape::kMaxRank)) throw UnsupportedError({"einsum(\"", equation, "\"): more than ", Shape::kMaxRank, " dimensions"});
    return arrange(t, want).expand(shape).reshape(flat);
  };
  Term y;
  y.labels = batch;
  y.labels.insert(y.labels.end(), rows.begin(), rows.end());
  y.labels.insert(y.labels.end(), cols.begin(), cols.end());
  Shape shape = batch_shape;
  for (int64_t n : row_shape) shape.push_back(n);
  for (int64_t n : col_shape) shape.push_back(n);
  y.x = matmul(gather(a, rows, row_shape, false), gather(b, cols, col_shape, true)).reshape(shape);
  return y;
}

}  // namespace

Tensor einsum(const std::string& equation_in, const std::vector<Tensor>& operands) {
  std::string equation;
  for (char ch : equation_in)
    if (ch != ' ') equation += ch;
  const size_t arrow = equation.find("->");
  const std::string left = equation.substr(0, arrow);
  std::vector<Term> terms;
  for (size_t begin = 0;;) {
    const size_t end = std::min(left.find(',', begin), left.size());
    const std::string text = left.substr(begin, end - begin);
    if (terms.size() >= operands.size()) bad(equation_in, "more terms than operands");
    const Tensor& x = operands[terms.size()];
    const Labels labels = parse(equation_in, text, x.rank());
    if (static_cast<int64_t>(labels.size()) != x.rank()) bad(equation_in, cat({"term \"", text, "\" does not fit an operand of shape ", x.shape().str()}));
    terms.push_back(diagonal(equation_in, {x, labels}));
    if (end == left.size()) break;
    begin = end + 1;
  }
  if (terms.size() != operands.size() || terms.empty()) bad(equation_in, "fewer terms than operands");
  int dots = 255;
  std::vector<int> count(512, 0);
  for (const Term& t : terms)
    for (int l : t.labels) dots = std::max(dots, l), count[static_cast<size_t>(l)]++;
  Labels output;
  if (arrow != std::string::npos) {
    const std::string text = equation.substr(arrow + 2);
    int64_t letters = 0;
    for (char ch : text) letters += ch != '.';
    output = parse(equation_in, text, letters + dots - 255);
    for (size_t i = 0; i < output.size(); ++i) {
      if (count[static_cast<size_t>(output[i])] == 0) bad(equation_in, "an output label is in no operand");
      if (std::count(output.begin(), output.end(), output[i]) > 1) bad(equation_in, "an output label is repeated");
    }
  } else {  // implicit: "..." first, then the labels that appear once, in alphabetical order
    for (int l = dots; l > 255; --l) output.push_back(l);
    std::vector<int> raw(512, 0);
    for (char ch : left)
      if (ch != ',' && ch != '.') raw[static_cast<size_t>(ch)]++;
    for (int l = 0; l < 256; ++l)
      if (raw[static_cast<size_t>(l)] == 1) output.push_back(l);
  }
  Term sum = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    Labels needed = output;
    for (size_t j = i + 1; j < terms.size(); ++j) needed.insert(needed.end(), terms[j].labels.begin(), terms[j].labels.end());
    sum = contract(equation_in, std::move(sum), terms[i], needed);
  }
  sum = reduce(std::move(sum), output);
  return arrange(sum, output);
}

}  // namespace transformers
