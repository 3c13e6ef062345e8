// Rotary position embedding applied to queries or keys. Reference: apply_rotary_pos_emb of the models; RoFormer.
// B batch, H heads, T tokens, D head size, R rotary width.
#include <algorithm>

#include "base/parallel.h"
#include "kernels/rope.h"
#include "ops/attention.h"
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/rows.h"

namespace transformers {
namespace {

// forward: y1 = x1 c1 - x2 s1, y2 = x2 c2 + x1 s2; backward is its transpose: dx1 = g1 c1 + g2 s2, dx2 = g2 c2 - g1 s1.
template <class T> void rotate(const Tensor& x, const Tensor& cos, const Tensor& sin, bool interleaved, bool backward, Tensor& y) {
  using A = Acc<T>;
  const int64_t H = x.dim(1), N = x.dim(2), D = x.dim(3), R = cos.dim(2), half = R / 2;
  const Shape st = x.strides(), yt = y.strides();
  const int64_t table = cos.dim(0) == 1 ? 0 : N * R;
  const int64_t a = interleaved ? 2 : 1, second = interleaved ? 1 : half;  // where pair i lies: i * a and i * a + second
  parallel_for(x.dim(0) * H, std::max<int64_t>(1, 8192 / std::max<int64_t>(1, N * D)), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const int64_t b = r / H, h = r % H;
      const bool kernel = !interleaved && !std::is_same_v<T, double>;
      if constexpr (!std::is_same_v<T, double>) {
        const T* in = x.data<T>() + b * st[0] + h * st[1];
        if (kernel) kernels::rotate_halves(x.dtype(), in, st[2], cos.data<A>() + b * table, sin.data<A>() + b * table, N, half, backward,
                                           y.mutable_data<T>() + b * yt[0] + h * yt[1], yt[2]);
      }
      for (int64_t t = 0; t < N && !(kernel && R == D); ++t) {
        const T* in = x.data<T>() + b * st[0] + h * st[1] + t * st[2];
        T* out = y.mutable_data<T>() + b * yt[0] + h * yt[1] + t * yt[2];
        const A* c = cos.data<A>() + b * table + t * R;
        const A* s = sin.data<A>() + b * table + t * R;
        for (int64_t i = 0; i < half && !kernel; ++i) {
          const int64_t p = i * a, q = p + second;
          const A x1 = static_cast<A>(in[p]), x2 = static_cast<A>(in[q]);
          out[p] = backward ? T(x1 * c[p] + x2 * s[q]) : T(x1 * c[p] - x2 * s[p]);
          out[q] = backward ? T(x2 * c[q] - x1 * s[p]) : T(x2 * c[q] + x1 * s[q]);
        }
        for (int64_t i = R; i < D; ++i) out[i] = in[i];
      }
    }
  });
}

Tensor rotated(const Tensor& x, const Tensor& cos, const Tensor& sin, bool interleaved, bool backward) {
  Tensor in = x.detach();
  if (in.strides()[3] != 1) in = in.contiguous();
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  TRANSFORMERS_FLOAT_SWITCH("apply_rope", x.dtype(), rotate<T>(in, cos, sin, interleaved, backward, y))
  return y;
}

// Plain form, differentiable in cos and sin too.
Tensor rotate_plain(const Tensor& x, const Tensor& cos, const Tensor& sin, bool interleaved) {
  const int64_t R = cos.dim(-1);
  const Tensor turned = x.slice(3, 0, R), c = cos.to(x.dtype()).unsqueeze(1), s = sin.to(x.dtype()).unsqueeze(1);
  Tensor swapped;
  if (interleaved) swapped = stack({-turned.slice(3, 1, R, 2), turned.slice(3, 0, R, 2)}, 4).reshape(turned.shape());
  else swapped = cat({-turned.slice(3, R / 2, R), turned.slice(3, 0, R / 2)}, 3);
  const Tensor y = turned * c + swapped * s;
  return R == x.dim(3) ? y : cat({y, x.slice(3, R, x.dim(3))}, 3);
}

}  // namespace

Tensor apply_rope(const Tensor& x, const Tensor& cos, const Tensor& sin, bool interleaved) {
  check_floating("apply_rope", x);
  if (x.rank() != 4 || cos.rank() != 3 || !(cos.shape() == sin.shape()) || (cos.dim(0) != 1 && cos.dim(0) != x.dim(0)) || cos.dim(1) != x.dim(2) ||
      cos.dim(2) > x.dim(3) || cos.dim(2) % 2 != 0)
    throw ShapeError({"apply_rope: x ", x.shape().str(), ", cos ", cos.shape().str(), ", sin ", sin.shape().str()});
  if (needs_grad({cos, sin})) return rotate_plain(x, cos, sin, interleaved);
  const Tensor c = dense_acc(cos, x.dtype()), s = dense_acc(sin, x.dtype());
  return record(rotated(x, c, s, interleaved, false), "apply_rope", {x},
                [c, s, interleaved](const Tensor& g) -> Grads { return {rotated(g, c, s, interleaved, true)}; });
}

}  // namespace transformers
