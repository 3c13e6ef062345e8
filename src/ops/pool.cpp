// Pooling over 1 to 3 spatial dimensions with PyTorch's window rules. Planes [B * C] are independent.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "ops/conv_detail.h"
#include "ops/rows.h"

namespace transformers {
namespace {

// One output position's window along one dimension: input begin, end (clipped), step, and the divisor's share.
struct Window { int64_t begin, end, step, padded; };
struct Windows {
  int64_t planes = 1, in[3] = {1, 1, 1}, out[3] = {1, 1, 1};
  std::vector<Window> w[3];
  Shape shape;
  int64_t in_size() const { return in[0] * in[1] * in[2]; }
  int64_t out_size() const { return out[0] * out[1] * out[2]; }
};

Windows start(const char* op, const Tensor& x, int64_t rank) {
  check_floating(op, x);
  if (rank < 1 || rank > 3 || x.rank() < rank + 1) throw ShapeError({op, ": ", rank, " spatial dimensions for ", x.shape().str()});
  Windows s;
  s.shape = x.shape();
  for (int64_t i = 0; i < x.rank() - rank; ++i) s.planes *= x.dim(i);
  for (int64_t i = 0; i < rank; ++i) s.in[3 - rank + i] = x.dim(x.rank() - rank + i);
  for (int d = 0; d < 3 - rank; ++d) s.w[d] = {{0, 1, 1, 1}};
  return s;
}

Windows windows(const char* op, const Tensor& x, const PoolOptions& o, bool dilated) {
  const int64_t rank = o.kernel.rank() > 1 ? o.kernel.rank() : x.rank() - 2;
  Windows s = start(op, x, rank);
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t d = 3 - rank + i, n = s.in[d];
    const int64_t k = detail::spatial_option(op, "kernel", o.kernel, i, rank, 1);
    const int64_t stride = o.stride.empty() ? k : detail::spatial_option(op, "stride", o.stride, i, rank, 1);
    const int64_t pad = detail::spatial_option(op, "padding", o.padding, i, rank, 0);
    const int64_t dilation = dilated ? detail::spatial_option(op, "dilation", o.dilation, i, rank, 1) : 1;
    if (pad > k / 2) throw ValueError({op, ": padding ", pad, " is more than half of the kernel ", k});
    const int64_t reach = n + 2 * pad - dilation * (k - 1) - 1;
    if (reach < 0 && !(o.ceil_mode && reach + stride > 0)) throw ShapeError({op, ": kernel ", k, " does not fit into ", x.shape().str()});
    int64_t out = (reach + (o.ceil_mode ? stride - 1 : 0)) / stride + 1;
    if (o.ceil_mode && (out - 1) * stride >= n + pad) --out;  // the last window must begin inside the input or left padding
    s.out[d] = out, s.shape[x.rank() - rank + i] = out;
    for (int64_t j = 0; j < out; ++j) {
      int64_t begin = j * stride - pad;
      const int64_t end = std::min(begin + k, n + pad);  // average: the divisor counts padding but nothing beyond it
      const int64_t padded = end - begin, last = std::min(begin + (k - 1) * dilation + 1, n);
      while (begin < 0) begin += dilation;
      s.w[d].push_back({begin, last, dilation, padded});
    }
  }
  return s;
}

Windows adaptive(const char* op, const Tensor& x, const Shape& output) {
  Windows s = start(op, x, output.rank());
  const int64_t rank = output.rank();
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t d = 3 - rank + i, n = s.in[d], m = output[i];
    if (m < 1) throw ValueError({op, ": output size ", m});
    if (n < 1) throw ShapeError({op, ": empty input ", x.shape().str()});
    s.out[d] = m, s.shape[x.rank() - rank + i] = m;
    for (int64_t j = 0; j < m; ++j) s.w[d].push_back({j * n / m, ((j + 1) * n + m - 1) / m, 1, 0});
  }
  return s;
}

// Calls f(output index, window z, y, x) for all outputs of a plane.
template <class F> void each_window(const Windows& s, F&& f) {
  int64_t o = 0;
  for (const Window& a : s.w[0])
    for (const Window& b : s.w[1])
      for (const Window& c : s.w[2]) f(o++, a, b, c);
}
template <class F> void each_input(const Windows& s, const Window& a, const Window& b, const Window& c, F&& f) {
  for (int64_t z = a.begin; z < a.end; z += a.step)
    for (int64_t y = b.begin; y < b.end; y += b.step)
      for (int64_t x = c.begin; x < c.end; x += c.step) f((z * s.in[1] + y) * s.in[2] + x);
}
int64_t plane_grain(const Windows& s) { return std::max<int64_t>(1, 8192 / std::max<int64_t>(1, s.in_size() + s.out_size())); }

Tensor max_windows(const char* op, const Tensor& x, const Windows& s) {
  const Tensor in = x.detach().contiguous();
  Tensor y = Tensor::empty(s.shape, x.dtype()), where = needs_grad({x}) ? Tensor::empty(s.shape, DType::i64) : Tensor();
  TRANSFORMERS_FLOAT_SWITCH(op, x.dtype(), {
    parallel_for(s.planes, plane_grain(s), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const T* plane = in.data<T>() + p * s.in_size();
        T* out = y.mutable_data<T>() + p * s.out_size();
        each_window(s, [&](int64_t o, const Window& a, const Window& b, const Window& c) {
          Acc<T> best = -std::numeric_limits<Acc<T>>::infinity();
          int64_t at = -1;
          each_input(s, a, b, c, [&](int64_t i) {
            const Acc<T> v = static_cast<Acc<T>>(plane[i]);
            if (at < 0 || v > best || std::isnan(v)) best = v, at = i;
          });
          out[o] = T(best);
          if (where.defined()) where.mutable_data<int64_t>()[p * s.out_size() + o] = at;
        });
      }
    });
  })
  return record(y, op, {x}, [=, planes = s.planes, in_size = s.in_size(), out_size = s.out_size(), shape = x.shape(), type = x.dtype()](const Tensor& grad) -> Grads {
    const Tensor g = dense_acc(grad, type);
    Tensor dx = Tensor::zeros(shape, acc_dtype(type));
    TRANSFORMERS_FLOAT_SWITCH("pool", dx.dtype(), {
      for (int64_t p = 0; p < planes; ++p)
        for (int64_t o = p * out_size; o < (p + 1) * out_size; ++o) {
          const int64_t at = where.data<int64_t>()[o];
          T& d = dx.mutable_data<T>()[p * in_size + (at < 0 ? 0 : at)];
          if (at >= 0) d = T(d + g.data<T>()[o]);
        }
    })
    return {dx.to(type)};
  });
}

// divisor: counts padding (avg_pool's default) or only real inputs.
Tensor mean_windows(const char* op, const Tensor& x, const Windows& s, bool count_padding) {
  const Tensor in = x.detach().contiguous();
  Tensor y = Tensor::empty(s.shape, x.dtype());
  const auto divisor = [count_padding](const Window& a, const Window& b, const Window& c) {
    if (count_padding) return static_cast<double>(a.padded * b.padded * c.padded);
    return static_cast<double>((a.end - a.begin) * (b.end - b.begin) * (c.end - c.begin));
  };
  TRANSFORMERS_FLOAT_SWITCH(op, x.dtype(), {
    parallel_for(s.planes, plane_grain(s), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const T* plane = in.data<T>() + p * s.in_size();
        T* out = y.mutable_data<T>() + p * s.out_size();
        each_window(s, [&](int64_t o, const Window& a, const Window& b, const Window& c) {
          Acc<T> sum = 0;
          each_input(s, a, b, c, [&](int64_t i) { sum += static_cast<Acc<T>>(plane[i]); });
          out[o] = T(sum / static_cast<Acc<T>>(divisor(a, b, c)));
        });
      }
    });
  })
  return record(y, op, {x}, [=, shape = x.shape(), type = x.dtype()](const Tensor& grad) -> Grads {
    const Tensor g = dense_acc(grad, type);
    Tensor dx = Tensor::zeros(shape, acc_dtype(type));
    TRANSFORMERS_FLOAT_SWITCH("pool", dx.dtype(), {
      parallel_for(s.planes, plane_grain(s), [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) {
          T* plane = dx.mutable_data<T>() + p * s.in_size();
          const T* out = g.data<T>() + p * s.out_size();
          each_window(s, [&](int64_t o, const Window& a, const Window& b, const Window& c) {
            const T share = T(out[o] / static_cast<Acc<T>>(divisor(a, b, c)));
            each_input(s, a, b, c, [&](int64_t i) { plane[i] = T(plane[i] + share); });
          });
        }
      });
    })
    return {dx.to(type)};
  });
}

}  // namespace

Tensor max_pool(const Tensor& x, const PoolOptions& o) { return max_windows("max_pool", x, windows("max_pool", x, o, true)); }
Tensor avg_pool(const Tensor& x, const PoolOptions& o) { return mean_windows("avg_pool", x, windows("avg_pool", x, o, false), o.count_include_pad); }
Tensor adaptive_avg_pool(const Tensor& x, const Shape& output) {
  return mean_windows("adaptive_avg_pool", x, adaptive("adaptive_avg_pool", x, output), false);
}
Tensor adaptive_max_pool(const Tensor& x, const Shape& output) {
  return max_windows("adaptive_max_pool", x, adaptive("adaptive_max_pool", x, output));
}

}  // namespace transformers
