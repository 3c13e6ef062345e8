// Resampling with PyTorch's coordinate rules. Every mode is separable, so it becomes one sparse matrix per dimension
// (index and weight of each source of each output), applied dimension by dimension; backward applies the transposes.
#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "ops/conv.h"
#include "ops/rows.h"

namespace transformers {
namespace {

// Output i = sum over j in [begin[i], begin[i + 1]) of weight[j] * input[source[j]].
struct Taps {
  int64_t in = 0, out = 0;
  std::vector<int64_t> begin{0}, source;
  std::vector<double> weight;
  void add(int64_t s, double w) { source.push_back(s), weight.push_back(w); }
  void next() { begin.push_back(static_cast<int64_t>(source.size())), ++out; }
  bool identity() const {
    if (in != out) return false;
    for (int64_t i = 0; i < out; ++i)
      if (begin[static_cast<size_t>(i + 1)] != i + 1 || source[static_cast<size_t>(i)] != i || weight[static_cast<size_t>(i)] != 1) return false;
    return true;
  }
};

double cubic_weight(double x, double a) {  // Keys' kernel
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

Taps nearest_taps(int64_t in, int64_t out, double scale, bool exact, bool single) {
  Taps t;
  t.in = in;
  for (int64_t i = 0; i < out; ++i) {
    // The reference computes f32 inputs' coordinates in f32, which decides ties.
    const double at = exact ? (static_cast<double>(i) + 0.5) * scale : static_cast<double>(i) * scale;
    const double in_float = exact ? static_cast<double>((static_cast<float>(i) + 0.5f) * static_cast<float>(scale))
                                  : static_cast<double>(static_cast<float>(i) * static_cast<float>(scale));
    t.add(std::clamp<int64_t>(static_cast<int64_t>(std::floor(single ? in_float : at)), 0, in - 1), 1), t.next();
  }
  return t;
}

Taps linear_taps(int64_t in, int64_t out, double scale, bool align) {
  Taps t;
  t.in = in;
  for (int64_t i = 0; i < out; ++i) {
    const double x = align ? static_cast<double>(i) * scale : std::max(0.0, (static_cast<double>(i) + 0.5) * scale - 0.5);
    const int64_t low = std::min(static_cast<int64_t>(x), in - 1), high = std::min(low + 1, in - 1);
    const double w = std::clamp(x - static_cast<double>(low), 0.0, 1.0);
    if (high == low || w == 0) t.add(low, 1);
    else t.add(low, 1 - w), t.add(high, w);
    t.next();
  }
  return t;
}

Taps cubic_taps(int64_t in, int64_t out, double scale, bool align) {
  Taps t;
  t.in = in;
  for (int64_t i = 0; i < out; ++i) {
    const double x = align ? static_cast<double>(i) * scale : (static_cast<double>(i) + 0.5) * scale - 0.5;
    const int64_t base = static_cast<int64_t>(std::floor(x));
    const double w = x - static_cast<double>(base);
    for (int64_t k = -1; k <= 2; ++k) {
      const double weight = cubic_weight(w - static_cast<double>(k), -0.75);
      if (weight != 0) t.add(std::clamp<int64_t>(base + k, 0, in - 1), weight);
    }
    t.next();
  }
  return t;
}

// Pillow's rule: the kernel widens with the scale when shrinking. Bicubic with a = -0.5 here, as the reference.
Taps antialias_taps(int64_t in, int64_t out, double scale, bool cubic) {
  Taps t;
  t.in = in;
  const double reach = cubic ? 2 : 1, support = scale >= 1 ? reach * scale : reach, inverse = scale >= 1 ? 1 / scale : 1;
  for (int64_t i = 0; i < out; ++i) {
    const double centre = scale * (static_cast<double>(i) + 0.5);
    const int64_t low = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
    const int64_t count = std::min<int64_t>(in, static_cast<int64_t>(centre + support + 0.5)) - low;
    double total = 0;
    std::vector<double> w(static_cast<size_t>(std::max<int64_t>(0, count)));
    for (int64_t k = 0; k < count; ++k) {
      const double x = (static_cast<double>(k + low) - centre + 0.5) * inverse;
      w[static_cast<size_t>(k)] = cubic ? cubic_weight(x, -0.5) : std::max(0.0, 1 - std::fabs(x));
      total += w[static_cast<size_t>(k)];
    }
    for (int64_t k = 0; k < count; ++k)
      if (w[static_cast<size_t>(k)] != 0) t.add(low + k, total != 0 ? w[static_cast<size_t>(k)] / total : w[static_cast<size_t>(k)]);
    t.next();
  }
  return t;
}

Taps area_taps(int64_t in, int64_t out) {  // adaptive average
  Taps t;
  t.in = in;
  for (int64_t i = 0; i < out; ++i) {
    const int64_t low = i * in / out, high = ((i + 1) * in + out - 1) / out;
    for (int64_t k = low; k < high; ++k) t.add(k, 1 / static_cast<double>(high - low));
    t.next();
  }
  return t;
}

Taps transposed(const Taps& t) {
  std::vector<std::vector<std::pair<int64_t, double>>> rows(static_cast<size_t>(t.in));
  for (int64_t i = 0; i < t.out; ++i)
    for (int64_t j = t.begin[static_cast<size_t>(i)]; j < t.begin[static_cast<size_t>(i + 1)]; ++j)
      rows[static_cast<size_t>(t.source[static_cast<size_t>(j)])].emplace_back(i, t.weight[static_cast<size_t>(j)]);
  Taps r;
  r.in = t.out;
  for (const auto& row : rows) {
    for (const auto& [s, w] : row) r.add(s, w);
    r.next();
  }
  return r;
}

// x [outer, in, inner] -> [outer, out, inner], in the accumulator type.
template <class A> void apply(const Taps& t, const A* x, A* y, int64_t outer, int64_t inner) {
  parallel_for(outer, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, t.out * inner)), [&](int64_t first, int64_t last) {
    for (int64_t o = first; o < last; ++o)
      for (int64_t i = 0; i < t.out; ++i) {
        A* row = y + (o * t.out + i) * inner;
        const int64_t from = t.begin[static_cast<size_t>(i)], to = t.begin[static_cast<size_t>(i + 1)];
        if (inner == 1) {
          A sum = 0;
          for (int64_t j = from; j < to; ++j) sum += static_cast<A>(t.weight[static_cast<size_t>(j)]) * x[o * t.in + t.source[static_cast<size_t>(j)]];
          *row = sum;
          continue;
        }
        for (int64_t j = from; j < to; ++j) {
          const A w = static_cast<A>(t.weight[static_cast<size_t>(j)]);
          const A* in = x + (o * t.in + t.source[static_cast<size_t>(j)]) * inner;
          if (j == from) for (int64_t k = 0; k < inner; ++k) row[k] = w * in[k];
          else for (int64_t k = 0; k < inner; ++k) row[k] += w * in[k];
        }
        if (from == to) std::fill(row, row + inner, A(0));
      }
  });
}

Tensor resample(const Tensor& x, const std::vector<Taps>& dims) {
  Tensor now = dense_acc(x, x.dtype());
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d].identity()) continue;
    const int64_t axis = static_cast<int64_t>(d) + 2;
    int64_t outer = 1, inner = 1;
    for (int64_t i = 0; i < axis; ++i) outer *= now.dim(i);
    for (int64_t i = axis + 1; i < now.rank(); ++i) inner *= now.dim(i);
    Tensor y = Tensor::empty(now.shape().with(axis, dims[d].out), now.dtype());
    TRANSFORMERS_FLOAT_SWITCH("interpolate", now.dtype(), {
      if constexpr (kWide<T>) apply(dims[d], now.data<T>(), y.mutable_data<T>(), outer, inner);
    })
    now = y;
  }
  return now.to(x.dtype());
}

}  // namespace

Tensor interpolate(const Tensor& x, const Shape& size, Interpolation mode, bool align_corners, bool antialias, const std::vector<double>& scales) {
  const char* op = "interpolate";
  check_floating(op, x);
  const int64_t rank = size.rank();
  if (rank < 1 || rank > 3 || x.rank() != rank + 2) throw ShapeError({op, ": size ", size.str(), " for ", x.shape().str()});
  const bool nearest = mode == Interpolation::nearest || mode == Interpolation::nearest_exact || mode == Interpolation::area;
  const bool linear = mode == Interpolation::linear || mode == Interpolation::bilinear || mode == Interpolation::trilinear;
  if (!nearest && !linear && rank != 2) throw ShapeError({op, ": bicubic needs two spatial dimensions, got ", x.shape().str()});
  if (nearest && (align_corners || antialias)) throw ValueError({op, ": align_corners and antialias need a linear or cubic mode"});
  if (antialias && rank != 2) throw ValueError({op, ": antialias needs two spatial dimensions"});
  if (!scales.empty() && static_cast<int64_t>(scales.size()) != rank) throw ShapeError({op, ": ", static_cast<int64_t>(scales.size()), " scales for ", rank, " dimensions"});
  std::vector<Taps> dims;
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t in = x.dim(d + 2), out = size[d];
    if (in < 1 || out < 1) throw ShapeError({op, ": sizes must be positive, got ", x.shape().str(), " to ", size.str()});
    double scale = static_cast<double>(in) / static_cast<double>(out);
    if (align_corners) scale = out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
    else if (!scales.empty() && scales[static_cast<size_t>(d)] > 0) scale = 1 / scales[static_cast<size_t>(d)];
    const bool single = x.dtype() != DType::f64;
    if (mode == Interpolation::area) dims.push_back(area_taps(in, out));
    else if (nearest) dims.push_back(nearest_taps(in, out, scale, mode == Interpolation::nearest_exact, single));
    else if (antialias) dims.push_back(antialias_taps(in, out, scale, !linear));
    else dims.push_back(linear ? linear_taps(in, out, scale, align_corners) : cubic_taps(in, out, scale, align_corners));
  }
  const Tensor y = resample(x.detach(), dims);
  return record(y.same_storage(x) ? y.clone() : y, op, {x}, [dims](const Tensor& g) -> Grads {
    std::vector<Taps> back;
    for (const Taps& t : dims) back.push_back(transposed(t));
    return {resample(g, back)};
  });
}

}  // namespace transformers
