// Convolution by im2col and matrix products, and direct loops for depthwise groups.
#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "base/parallel.h"
#include "kernels/conv.h"
#include "kernels/gemm.h"

namespace transformers::kernels {
namespace {

constexpr int64_t kColumnValues = 8 << 20;  // at most this many values of columns at a time

template <class T> constexpr DType kType = std::is_same_v<T, double> ? DType::f64 : DType::f32;

// Outputs o in [begin, end) for which o * stride + offset lies in [0, n).
void valid_range(int64_t offset, int64_t stride, int64_t n, int64_t outputs, int64_t* begin, int64_t* end) {
  *begin = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  *end = n - offset <= 0 ? 0 : std::min(outputs, (n - offset + stride - 1) / stride);
  *begin = std::min(*begin, outputs);
  *end = std::max(*end, *begin);
}

// Calls f(output row, input row, kernel tap, first and last valid output column, input offset) for one plane pair.
template <class F> void each_row(const ConvGeometry& g, F&& f) {
  for (int64_t a = 0; a < g.k[0]; ++a)
    for (int64_t b = 0; b < g.k[1]; ++b)
      for (int64_t c = 0; c < g.k[2]; ++c) {
        const int64_t shift = c * g.dilation[2] - g.pad[2];
        int64_t begin, end;
        valid_range(shift, g.stride[2], g.in[2], g.out[2], &begin, &end);
        for (int64_t z = 0; z < g.out[0]; ++z) {
          const int64_t iz = z * g.stride[0] + a * g.dilation[0] - g.pad[0];
          if (iz < 0 || iz >= g.in[0]) continue;
          for (int64_t y = 0; y < g.out[1]; ++y) {
            const int64_t iy = y * g.stride[1] + b * g.dilation[1] - g.pad[1];
            if (iy < 0 || iy >= g.in[1]) continue;
            f((z * g.out[1] + y) * g.out[2], (iz * g.in[1] + iy) * g.in[2] + shift, (a * g.k[1] + b) * g.k[2] + c, begin, end);
          }
        }
      }
}

// Output planes [first, last) of a depthwise convolution, each from a padded copy of its input plane.
void depthwise_planes(const ConvGeometry& g, const float* x, const float* w, float* y, int64_t first, int64_t last) {
  const int64_t row = g.in[2] + 2 * g.pad[2], plane = row * (g.in[1] + 2 * g.pad[1]), og = g.cout / g.groups;
  std::vector<float> padded(static_cast<size_t>(plane * (g.in[0] + 2 * g.pad[0]) + kDepthwiseSlack));
  int64_t held = -1;
  for (int64_t p = first; p < last; ++p) {
    const int64_t source = p / g.cout * g.cin + p % g.cout / og;
    if (source != held)
      for (int64_t z = 0; z < g.in[0]; ++z)
        for (int64_t r = 0; r < g.in[1]; ++r)
          std::memcpy(padded.data() + (z + g.pad[0]) * plane + (r + g.pad[1]) * row + g.pad[2], x + (source * g.in[0] * g.in[1] + z * g.in[1] + r) * g.in[2],
                      static_cast<size_t>(g.in[2]) * sizeof(float));
    held = source;
    depthwise_plane(g, padded.data(), row, plane, w + p % g.cout * g.taps(), y + p * g.out_size());
  }
}

bool depthwise(const ConvGeometry& g) { return g.cin == g.groups && g.groups > 1; }
// A 1x1 kernel without stride or padding: x itself is the matrix of columns.
bool pointwise(const ConvGeometry& g) {
  for (int i = 0; i < 3; ++i)
    if (g.k[i] != 1 || g.stride[i] != 1 || g.pad[i] != 0) return false;
  return true;
}

}  // namespace

template <class T> void im2col(const ConvGeometry& g, int64_t channels, const T* x, int64_t l0, int64_t l1, T* columns) {
  const int64_t taps = g.taps(), width = l1 - l0;
  parallel_for(channels * taps, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, width)), [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const int64_t tap = row % taps, c = tap % g.k[2], b = tap / g.k[2] % g.k[1], a = tap / g.k[2] / g.k[1];
      const T* plane = x + row / taps * g.in_size();
      T* out = columns + row * width;
      const int64_t shift = c * g.dilation[2] - g.pad[2], step = g.stride[2];
      int64_t begin, end;
      valid_range(shift, step, g.in[2], g.out[2], &begin, &end);
      for (int64_t l = l0; l < l1;) {
        const int64_t line = l / g.out[2], from = l % g.out[2], to = std::min(g.out[2], from + l1 - l);
        const int64_t iz = line / g.out[1] * g.stride[0] + a * g.dilation[0] - g.pad[0], iy = line % g.out[1] * g.stride[1] + b * g.dilation[1] - g.pad[1];
        T* o = out + (l - l0);
        if (iz < 0 || iz >= g.in[0] || iy < 0 || iy >= g.in[1]) {
          std::fill(o, o + (to - from), T(0));
        } else {
          const T* in = plane + (iz * g.in[1] + iy) * g.in[2];
          const int64_t lo = std::clamp(begin, from, to), hi = std::clamp(end, lo, to);
          std::fill(o, o + (lo - from), T(0));
          if (step == 1 && hi > lo) std::memcpy(o + (lo - from), in + lo + shift, static_cast<size_t>(hi - lo) * sizeof(T));
          else for (int64_t i = lo; i < hi; ++i) o[i - from] = in[i * step + shift];
          std::fill(o + (hi - from), o + (to - from), T(0));
        }
        l += to - from;
      }
    }
  });
}

template <class T> void col2im(const ConvGeometry& g, int64_t channels, const T* columns, T* x) {
  const int64_t taps = g.taps(), L = g.out_size(), step = g.stride[2];
  parallel_for(channels, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, taps * L)), [&](int64_t first, int64_t last) {
    for (int64_t ch = first; ch < last; ++ch) {
      T* plane = x + ch * g.in_size();
      each_row(g, [&](int64_t out, int64_t in, int64_t tap, int64_t begin, int64_t end) {
        const T* o = columns + (ch * taps + tap) * L + out;
        if (step == 1) for (int64_t i = begin; i < end; ++i) plane[in + i] += o[i];
        else for (int64_t i = begin; i < end; ++i) plane[in + i * step] += o[i];
      });
    }
  });
}

template <class T> void conv_forward(const ConvGeometry& g, const T* x, const T* w, T* y) {
  const int64_t L = g.out_size(), taps = g.taps(), cg = g.cin / g.groups, og = g.cout / g.groups, K = cg * taps, step = g.stride[2];
  if (depthwise(g)) {
    parallel_for(g.batch * g.cout, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, taps * L)), [&](int64_t first, int64_t last) {
      if constexpr (std::is_same_v<T, float>)
        if (step == 1) return depthwise_planes(g, x, w, y, first, last);
      for (int64_t p = first; p < last; ++p) {
        const T* plane = x + (p / g.cout * g.cin + p % g.cout / og) * g.in_size();
        const T* kernel = w + p % g.cout * taps;
        T* out = y + p * L;
        std::fill(out, out + L, T(0));
        each_row(g, [&](int64_t o, int64_t in, int64_t tap, int64_t begin, int64_t end) {
          const T k = kernel[tap];
          if (step == 1) for (int64_t i = begin; i < end; ++i) out[o + i] += k * plane[in + i];
          else for (int64_t i = begin; i < end; ++i) out[o + i] += k * plane[in + i * step];
        });
      }
    });
    return;
  }
  const int64_t chunk = pointwise(g) ? L : std::clamp<int64_t>(kColumnValues / std::max<int64_t>(1, K), 1, L);
  std::vector<T> columns(static_cast<size_t>(pointwise(g) ? 0 : K * chunk)), part(static_cast<size_t>(chunk < L ? og * chunk : 0));
  for (int64_t b = 0; b < g.batch; ++b)
    for (int64_t q = 0; q < g.groups; ++q) {
      const T* in = x + (b * g.cin + q * cg) * g.in_size();
      T* out = y + (b * g.cout + q * og) * L;
      for (int64_t l0 = 0; l0 < L; l0 += chunk) {
        const int64_t n = std::min(chunk, L - l0);
        if (!pointwise(g)) im2col(g, cg, in, l0, l0 + n, columns.data());
        const Matrices a{w + q * og * K, 0, K, 1}, m{pointwise(g) ? in : columns.data(), 0, n, 1};
        gemm(kType<T>, 1, og, n, K, a, m, n == L ? out : part.data());
        if (n < L)
          for (int64_t r = 0; r < og; ++r) std::memcpy(out + r * L + l0, part.data() + r * n, static_cast<size_t>(n) * sizeof(T));
      }
    }
}

template <class T> void conv_backward_data(const ConvGeometry& g, const T* gy, const T* w, T* gx) {
  const int64_t L = g.out_size(), taps = g.taps(), cg = g.cin / g.groups, og = g.cout / g.groups, K = cg * taps, step = g.stride[2];
  std::fill(gx, gx + g.batch * g.cin * g.in_size(), T(0));
  if (depthwise(g)) {
    parallel_for(g.batch * g.cin, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, og * taps * L)), [&](int64_t first, int64_t last) {
      for (int64_t p = first; p < last; ++p)
        for (int64_t j = 0; j < og; ++j) {
          const int64_t oc = p % g.cin * og + j;
          const T* out = gy + (p / g.cin * g.cout + oc) * L;
          T* plane = gx + p * g.in_size();
          each_row(g, [&](int64_t o, int64_t in, int64_t tap, int64_t begin, int64_t end) {
            const T k = w[oc * taps + tap];
            if (step == 1) for (int64_t i = begin; i < end; ++i) plane[in + i] += k * out[o + i];
            else for (int64_t i = begin; i < end; ++i) plane[in + i * step] += k * out[o + i];
          });
        }
    });
    return;
  }
  std::vector<T> columns(static_cast<size_t>(pointwise(g) ? 0 : K * L));
  for (int64_t b = 0; b < g.batch; ++b)
    for (int64_t q = 0; q < g.groups; ++q) {
      T* in = gx + (b * g.cin + q * cg) * g.in_size();
      const Matrices a{w + q * og * K, 0, 1, K}, m{gy + (b * g.cout + q * og) * L, 0, L, 1};  // [K, og] x [og, L]
      gemm(kType<T>, 1, K, L, og, a, m, pointwise(g) ? in : columns.data());
      if (!pointwise(g)) col2im(g, cg, columns.data(), in);
    }
}

template <class T> void conv_backward_weight(const ConvGeometry& g, const T* x, const T* gy, T* gw) {
  const int64_t L = g.out_size(), taps = g.taps(), cg = g.cin / g.groups, og = g.cout / g.groups, K = cg * taps, step = g.stride[2];
  std::fill(gw, gw + g.cout * K, T(0));
  if (depthwise(g)) {
    parallel_for(g.cout, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, g.batch * taps * L)), [&](int64_t first, int64_t last) {
      for (int64_t oc = first; oc < last; ++oc)
        for (int64_t b = 0; b < g.batch; ++b) {
          const T* plane = x + (b * g.cin + oc / og) * g.in_size();
          const T* out = gy + (b * g.cout + oc) * L;
          each_row(g, [&](int64_t o, int64_t in, int64_t tap, int64_t begin, int64_t end) {
            T sum = 0;
            for (int64_t i = begin; i < end; ++i) sum += out[o + i] * plane[in + i * step];
            gw[oc * taps + tap] += sum;
          });
        }
    });
    return;
  }
  const int64_t chunk = pointwise(g) ? L : std::clamp<int64_t>(kColumnValues / std::max<int64_t>(1, K), 1, L);
  std::vector<T> columns(static_cast<size_t>(pointwise(g) ? 0 : K * chunk)), part(static_cast<size_t>(og * K));
  for (int64_t b = 0; b < g.batch; ++b)
    for (int64_t q = 0; q < g.groups; ++q) {
      const T* in = x + (b * g.cin + q * cg) * g.in_size();
      for (int64_t l0 = 0; l0 < L; l0 += chunk) {
        const int64_t n = std::min(chunk, L - l0);
        if (!pointwise(g)) im2col(g, cg, in, l0, l0 + n, columns.data());
        const Matrices a{gy + (b * g.cout + q * og) * L + l0, 0, L, 1}, m{pointwise(g) ? in : columns.data(), 0, 1, n};  // [og, n] x [n, K]
        gemm(kType<T>, 1, og, K, n, a, m, part.data());
        T* out = gw + q * og * K;
        for (int64_t i = 0; i < og * K; ++i) out[i] += part[static_cast<size_t>(i)];
      }
    }
}

#define CONV_INSTANCES(T)                                                                    \
  template void im2col<T>(const ConvGeometry&, int64_t, const T*, int64_t, int64_t, T*);     \
  template void col2im<T>(const ConvGeometry&, int64_t, const T*, T*);                       \
  template void conv_forward<T>(const ConvGeometry&, const T*, const T*, T*);                \
  template void conv_backward_data<T>(const ConvGeometry&, const T*, const T*, T*);          \
  template void conv_backward_weight<T>(const ConvGeometry&, const T*, const T*, T*);
CONV_INSTANCES(float)
CONV_INSTANCES(double)

}  // namespace transformers::kernels
