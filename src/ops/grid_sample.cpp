// grid_sample with PyTorch's rules, differentiable in x and grid. x [B, C, H, W], grid [B, h, w, 2] as (x, y).
#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "ops/conv.h"
#include "ops/rows.h"

namespace transformers {
namespace {

// A coordinate mapped to pixels, with its derivative by the grid value.
template <class A> struct Coordinate { A at, slope; };

template <class A> Coordinate<A> unnormalise(A v, int64_t n, bool align) {
  const A size = static_cast<A>(n);
  return align ? Coordinate<A>{(v + 1) / 2 * (size - 1), (size - 1) / 2} : Coordinate<A>{((v + 1) * size - 1) / 2, size / 2};
}
template <class A> Coordinate<A> clip(Coordinate<A> c, int64_t n) {
  if (!(c.at > 0)) return {0, 0};  // NaN too
  const A last = static_cast<A>(n - 1);
  return c.at >= last ? Coordinate<A>{last, 0} : c;
}
template <class A> Coordinate<A> reflect(Coordinate<A> c, int64_t twice_low, int64_t twice_high) {
  if (twice_low == twice_high) return {0, 0};
  const A low = static_cast<A>(twice_low) / 2, span = static_cast<A>(twice_high - twice_low) / 2;
  A v = c.at - low, sign = 1;
  if (v < 0) v = -v, sign = -1;
  const A extra = std::fmod(v, span), flips = std::floor(v / span);
  const bool even = std::fmod(flips, A(2)) == 0;
  return even ? Coordinate<A>{extra + low, c.slope * sign} : Coordinate<A>{span - extra + low, -c.slope * sign};
}
template <class A> Coordinate<A> padded(Coordinate<A> c, int64_t n, GridPadding padding, bool align) {
  if (padding == GridPadding::border) return clip(c, n);
  if (padding == GridPadding::reflection) return clip(align ? reflect(c, 0, 2 * (n - 1)) : reflect(c, -1, 2 * n - 1), n);
  return c;
}

constexpr int64_t kOutside = -1;

// The pixels that one output reads along one dimension, their weights and the weights' derivatives by the coordinate.
template <class A> struct Stencil {
  int count = 0;
  int64_t index[4];
  A weight[4], slope[4];
  void add(int64_t i, int64_t n, A w, A s) { index[count] = i >= 0 && i < n ? i : kOutside, weight[count] = w, slope[count] = s, ++count; }
};

template <class A> A cubic(A x, A* slope) {  // Keys' kernel, a = -0.75
  const A a = A(-0.75), s = x < 0 ? A(-1) : A(1);
  x = std::fabs(x);
  if (x <= 1) { *slope = s * (3 * (a + 2) * x - 2 * (a + 3)) * x; return ((a + 2) * x - (a + 3)) * x * x + 1; }
  if (x < 2) { *slope = s * a * ((3 * x - 10) * x + 8); return (((x - 5) * x + 8) * x - 4) * a; }
  *slope = 0;
  return 0;
}

template <class A> Stencil<A> stencil(A v, int64_t n, Interpolation mode, GridPadding padding, bool align) {
  Stencil<A> s;
  Coordinate<A> c = unnormalise(v, n, align);
  if (mode == Interpolation::bicubic) {  // padding applies to each of the four pixels
    if (!(std::fabs(c.at) < A(1e15))) c.at = A(-100);
    const A base = std::floor(c.at), t = c.at - base;
    for (int k = -1; k <= 2; ++k) {
      A slope;
      const A w = cubic(t - static_cast<A>(k), &slope), at = padded(Coordinate<A>{base + static_cast<A>(k), 1}, n, padding, align).at;
      s.add(static_cast<int64_t>(std::floor(at)), n, w, slope * c.slope);
    }
    return s;
  }
  c = padded(c, n, padding, align);
  if (!(std::fabs(c.at) < A(1e15))) c.at = A(-100);  // far outside, without overflow of the index
  if (mode == Interpolation::nearest) {
    s.add(static_cast<int64_t>(std::nearbyint(c.at)), n, 1, 0);
    return s;
  }
  const A base = std::floor(c.at), t = c.at - base;
  const int64_t i = static_cast<int64_t>(base);
  s.add(i, n, 1 - t, -c.slope), s.add(i + 1, n, t, c.slope);
  return s;
}

struct Sizes { int64_t B, C, H, W, h, w; };

}  // namespace

Tensor grid_sample(const Tensor& x, const Tensor& grid, Interpolation mode, GridPadding padding, bool align_corners) {
  const char* op = "grid_sample";
  check_floating(op, x), check_floating(op, grid);
  if (x.rank() != 4 || grid.rank() != 4 || grid.dim(3) != 2 || grid.dim(0) != x.dim(0)) throw ShapeError({op, ": x ", x.shape().str(), ", grid ", grid.shape().str()});
  if (mode != Interpolation::nearest && mode != Interpolation::bilinear && mode != Interpolation::bicubic)
    throw ValueError({op, ": only nearest, bilinear and bicubic"});
  const Sizes n{x.dim(0), x.dim(1), x.dim(2), x.dim(3), grid.dim(1), grid.dim(2)};
  const DType type = x.dtype(), at = acc_dtype(type);
  const Tensor in = dense_acc(x, type), g = dense_acc(grid, type);
  Tensor y = Tensor::empty({n.B, n.C, n.h, n.w}, at);
  const int64_t points = n.h * n.w, plane = n.H * n.W;
  TRANSFORMERS_FLOAT_SWITCH(op, at, {
    using A = Acc<T>;
    parallel_for(n.B * points, std::max<int64_t>(1, 4096 / std::max<int64_t>(1, n.C)), [&](int64_t first, int64_t last) {
      for (int64_t p = first; p < last; ++p) {
        const int64_t b = p / points;
        const Stencil<A> sx = stencil(g.data<A>()[2 * p], n.W, mode, padding, align_corners), sy = stencil(g.data<A>()[2 * p + 1], n.H, mode, padding, align_corners);
        for (int64_t c = 0; c < n.C; ++c) {
          const A* image = in.data<A>() + (b * n.C + c) * plane;
          A sum = 0;
          for (int j = 0; j < sy.count; ++j)
            for (int i = 0; i < sx.count; ++i)
              if (sx.index[i] != kOutside && sy.index[j] != kOutside) sum += sx.weight[i] * sy.weight[j] * image[sy.index[j] * n.W + sx.index[i]];
          y.mutable_data<A>()[(b * n.C + c) * points + p % points] = sum;
        }
      }
    });
  })
  return record(y.to(type), op, {x, grid}, [=, grid_type = grid.dtype()](const Tensor& grad) -> Grads {
    const Tensor gy = dense_acc(grad, type);
    Tensor dx = Tensor::zeros(in.shape(), at), dg = Tensor::zeros(g.shape(), at);
    TRANSFORMERS_FLOAT_SWITCH(op, at, {
      using A = Acc<T>;
      parallel_for(n.B, 1, [&](int64_t first, int64_t last) {  // points of one image may write the same pixel
        for (int64_t p = first * points; p < last * points; ++p) {
          const int64_t b = p / points;
          const Stencil<A> sx = stencil(g.data<A>()[2 * p], n.W, mode, padding, align_corners), sy = stencil(g.data<A>()[2 * p + 1], n.H, mode, padding, align_corners);
          A by_x = 0, by_y = 0;
          for (int64_t c = 0; c < n.C; ++c) {
            const int64_t offset = (b * n.C + c) * plane;
            const A go = gy.data<A>()[(b * n.C + c) * points + p % points];
            for (int j = 0; j < sy.count; ++j)
              for (int i = 0; i < sx.count; ++i) {
                if (sx.index[i] == kOutside || sy.index[j] == kOutside) continue;
                const int64_t q = offset + sy.index[j] * n.W + sx.index[i];
                dx.mutable_data<A>()[q] += go * sx.weight[i] * sy.weight[j];
                by_x += go * in.data<A>()[q] * sx.slope[i] * sy.weight[j];
                by_y += go * in.data<A>()[q] * sx.weight[i] * sy.slope[j];
              }
          }
          dg.mutable_data<A>()[2 * p] = by_x, dg.mutable_data<A>()[2 * p + 1] = by_y;
        }
      });
    })
    return {dx.to(type), dg.to(grid_type)};
  });
}

}  // namespace transformers
