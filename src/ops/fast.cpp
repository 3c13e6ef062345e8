// The vector kernels on whole tensors: threads, broadcasting, 16-bit types.
#include "ops/fast.h"

namespace transformers::detail {
namespace {

// One run of outputs whose inputs step sa and sb; strides other than 0 and 1 are gathered into buffers.
template <class T>
void zip_run(kernels::Arith op, const T* a, int64_t sa, const T* b, int64_t sb, T* y, int64_t n) {
  const bool plain = std::is_same_v<T, float> && (sa == 0 || sa == 1) && (sb == 0 || sb == 1);
  float fa[kPiece], fb[kPiece], fy[kPiece];
  for (int64_t at = 0; at < n;) {
    const int64_t count = plain || n - at < kPiece ? n - at : kPiece;
    float* out = fy;
    if constexpr (std::is_same_v<T, float>) out = y + at;
    if (sa == 0 && sb != 0) kernels::arithmetic(op, static_cast<float>(*a), floats(b + at * sb, sb, count, fb), out, count);
    else if (sb == 0 && sa != 0) kernels::arithmetic(op, floats(a + at * sa, sa, count, fa), static_cast<float>(*b), out, count);
    else if (sa == 0) {  // both: one value
      float u = static_cast<float>(*a), v = static_cast<float>(*b);
      kernels::arithmetic(op, &u, v, &u, 1);
      for (int64_t i = 0; i < count; ++i) out[i] = u;
    } else kernels::arithmetic(op, floats(a + at * sa, sa, count, fa), floats(b + at * sb, sb, count, fb), out, count);
    if constexpr (!std::is_same_v<T, float>) kernels::convert(fy, y + at, count);
    at += count;
  }
}

}  // namespace

void zip_fast(kernels::Arith op, const Tensor& in_a, const Tensor& in_b, Tensor& out) {
  // Columns read far apart cost more than a copy made tile by tile.
  const auto dense = [](const Tensor& t) { return t.rank() > 1 && t.strides().back() > 1 && t.shape().back() > 8 ? t.contiguous() : t; };
  const Tensor a = dense(in_a), b = dense(in_b);
  const Walk<2> w(out.shape(), {strides_in(a, out.shape()), strides_in(b, out.shape())});
  const int64_t sa = w.step(0), sb = w.step(1);
  TRANSFORMERS_FAST_SWITCH("arithmetic", out.dtype(), {
    const T *pa = a.data<T>(), *pb = b.data<T>();
    T* y = out.mutable_data<T>();
    w.run(kCheapGrain, [=](int64_t at, const int64_t* off, int64_t n) { zip_run(op, pa + off[0], sa, pb + off[1], sb, y + at, n); });
  })
}
Tensor with_number_fast(kernels::Arith op, const Tensor& x, float number, bool reversed) {
  const Tensor c = x.detach().contiguous();
  Tensor out = Tensor::empty(x.shape(), x.dtype());
  TRANSFORMERS_FAST_SWITCH("arithmetic", x.dtype(), {
    const T* p = c.data<T>();
    T* y = out.mutable_data<T>();
    parallel_for(c.numel(), kCheapGrain, [=](int64_t begin, int64_t end) {
      float buffer[kPiece];
      in_pieces(y, begin, end, [&](int64_t at, int64_t n, float* to) {
        const float* from = floats(p + at, 1, n, buffer);
        if (reversed) kernels::arithmetic(op, number, from, to, n);
        else kernels::arithmetic(op, from, number, to, n);
      });
    });
  })
  return out;
}
Tensor map_fast(kernels::Map f, const Tensor& x) {
  const Tensor c = x.detach().contiguous();
  Tensor out = Tensor::empty(x.shape(), x.dtype());
  const int64_t grain = f == kernels::Map::relu || f >= kernels::Map::sqrt ? kCheapGrain : kCostlyGrain;
  TRANSFORMERS_FAST_SWITCH("map", x.dtype(), {
    const T* p = c.data<T>();
    T* y = out.mutable_data<T>();
    parallel_for(c.numel(), grain, [=](int64_t begin, int64_t end) {
      float buffer[kPiece];
      in_pieces(y, begin, end, [&](int64_t at, int64_t n, float* to) { kernels::map(f, floats(p + at, 1, n, buffer), to, n); });
    });
  })
  return out;
}
Tensor map_grad_fast(kernels::MapGrad f, const Tensor& g, const Tensor& v) {
  const Tensor a = g.detach().contiguous(), b = v.detach().to(g.dtype()).contiguous();
  Tensor out = Tensor::empty(g.shape(), g.dtype());
  TRANSFORMERS_FAST_SWITCH("map_grad", g.dtype(), {
    const T *pa = a.data<T>(), *pb = b.data<T>();
    T* y = out.mutable_data<T>();
    parallel_for(a.numel(), kCostlyGrain, [=](int64_t begin, int64_t end) {
      float fa[kPiece], fb[kPiece];
      in_pieces(y, begin, end, [&](int64_t at, int64_t n, float* to) {
        kernels::map_grad(f, floats(pa + at, 1, n, fa), floats(pb + at, 1, n, fb), to, n);
      });
    });
  })
  return out;
}

}  // namespace transformers::detail
