// matmul and its batched forms. Batches that stride evenly go to the kernel as one call.
// M rows, N columns, K depth, B batch.
#include "ops/matmul.h"

#include "kernels/gemm.h"

namespace transformers {
namespace {

void check_types(const char* op, const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) throw ValueError({op, ": an operand is undefined"});
  if (a.dtype() != b.dtype()) throw DTypeError({op, ": operands must have one dtype, got ", name_of(a.dtype()), " and ", name_of(b.dtype())});
}

// The batch dimensions' single stride, when walking them in order is one even walk.
bool even_batch(const Tensor& x, int64_t* count, int64_t* stride) {
  *count = 1, *stride = 0;
  for (int64_t i = x.rank() - 3; i >= 0; --i) {
    const int64_t n = x.shape()[i], s = x.strides()[i];
    if (n == 1) continue;
    if (*count == 1) *stride = s, *count = n;
    else if (s == *stride * *count) *count *= n;
    else return false;
  }
  return true;
}

kernels::Matrices matrices(const Tensor& x, int64_t batch_stride) {
  return {x.raw(), batch_stride, x.strides()[x.rank() - 2], x.strides()[x.rank() - 1]};
}

// Some unit stride in the last two dimensions, else a copy.
Tensor with_unit_stride(const Tensor& x) {
  const int64_t row = x.strides()[x.rank() - 2], col = x.strides()[x.rank() - 1];
  return row == 1 || col == 1 ? x : x.contiguous();
}

// a [batch..., M, K] @ b [batch..., K, N]; batches already broadcast. No checks, nothing recorded.
Tensor product(const Tensor& a_in, const Tensor& b_in) {
  if (a_in.dtype() == DType::f16) return product(a_in.to(DType::f32), b_in.to(DType::f32)).to(DType::f16);
  if (!is_floating(a_in.dtype())) return product(a_in.to(DType::f64), b_in.to(DType::f64)).to(a_in.dtype());
  if (a_in.dtype() > DType::bf16) throw DTypeError({"matmul: no products of ", name_of(a_in.dtype()), " tensors; convert them first"});
  Tensor a = with_unit_stride(a_in), b = with_unit_stride(b_in);
  const int64_t m = a.dim(-2), k = a.dim(-1), n = b.dim(-1);
  Shape shape = a.shape();
  shape[shape.rank() - 1] = n;
  Tensor y = Tensor::empty(shape, a.dtype());
  int64_t count = 1, sa = 0, sb = 0, other = 1;
  if (!even_batch(a, &count, &sa)) a = a.contiguous(), even_batch(a, &count, &sa);
  if (!even_batch(b, &other, &sb)) b = b.contiguous(), even_batch(b, &other, &sb);
  if (count > 1 && sb == 0 && sa == m * a.strides()[a.rank() - 2] && a.strides()[a.rank() - 1] == 1) {
    // One matrix b for all: the batches of a are just more rows.
    kernels::gemm(a.dtype(), 1, count * m, n, k, {a.raw(), 0, a.strides()[a.rank() - 2], 1}, matrices(b, 0), y.mutable_raw());
  } else if (count > 1 && (sa == 0 || sb == 0)) {
    const int64_t size = size_of(a.dtype());
    for (int64_t i = 0; i < count; ++i) {
      kernels::Matrices ma = matrices(a, 0), mb = matrices(b, 0);
      ma.data = static_cast<const char*>(ma.data) + i * sa * size, mb.data = static_cast<const char*>(mb.data) + i * sb * size;
      kernels::gemm(a.dtype(), 1, m, n, k, ma, mb, static_cast<char*>(y.mutable_raw()) + i * m * n * size);
    }
  } else {
    kernels::gemm(a.dtype(), count, m, n, k, matrices(a, sa), matrices(b, sb), y.mutable_raw());
  }
  return y;
}

Shape batch_of(const Tensor& x) { return Shape(x.shape().begin(), x.shape().size() - 2); }
Shape with_matrix(Shape batch, int64_t rows, int64_t cols) {
  batch.push_back(rows), batch.push_back(cols);
  return batch;
}

// Both of rank >= 2; recorded.
Tensor matmul_nd(const char* op, const Tensor& a, const Tensor& b) {
  const int64_t m = a.dim(-2), k = a.dim(-1), n = b.dim(-1);
  if (b.dim(-2) != k) throw ShapeError({op, ": expected a [..., M, K] and b [..., K, N], got ", a.shape().str(), " and ", b.shape().str()});
  const Shape batch = broadcast_shapes(op, batch_of(a), batch_of(b));
  const Tensor ad = a.detach(), bd = b.detach();
  Tensor y = product(ad.expand(with_matrix(batch, m, k)), bd.expand(with_matrix(batch, k, n)));
  return record(y, op, {a, b}, [a, b](const Tensor& g) -> Grads {
    Grads grads(2);
    const Tensor ad = a.detach(), bd = b.detach();
    if (a.requires_grad()) grads[0] = sum_to(matmul(g, bd.t()), a.shape());
    if (b.requires_grad()) {
      if (b.rank() == 2 && g.rank() > 2)  // sum over the batch inside the product
        grads[1] = matmul(ad.expand(with_matrix(batch_of(g), a.dim(-2), a.dim(-1))).reshape({-1, a.dim(-1)}).t(), g.reshape({-1, g.dim(-1)}));
      else
        grads[1] = sum_to(matmul(ad.t(), g), b.shape());
    }
    return grads;
  });
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_types("matmul", a, b);
  if (a.rank() == 0 || b.rank() == 0) throw ShapeError({"matmul: expected rank >= 1, got ", a.shape().str(), " and ", b.shape().str()});
  if (a.rank() == 1 && b.rank() == 1) return matmul_nd("matmul", a.unsqueeze(0), b.unsqueeze(1)).reshape({});
  if (a.rank() == 1) return matmul_nd("matmul", a.unsqueeze(0), b).squeeze(-2);
  if (b.rank() == 1) return matmul_nd("matmul", a, b.unsqueeze(1)).squeeze(-1);
  return matmul_nd("matmul", a, b);
}

Tensor bmm(const Tensor& a, const Tensor& b) {
  check_types("bmm", a, b);
  if (a.rank() != 3 || b.rank() != 3 || a.dim(0) != b.dim(0))
    throw ShapeError({"bmm: expected a [B, M, K] and b [B, K, N], got ", a.shape().str(), " and ", b.shape().str()});
  return matmul_nd("bmm", a, b);
}

Tensor baddbmm(const Tensor& c, const Tensor& a, const Tensor& b, double beta, double alpha) {
  check_types("baddbmm", a, b);
  check_types("baddbmm", c, a);
  if (a.rank() != 3 || b.rank() != 3) throw ShapeError({"baddbmm: expected a [B, M, K] and b [B, K, N], got ", a.shape().str(), " and ", b.shape().str()});
  const Tensor p = bmm(a, b);
  Tensor y = p.detach().clone();
  const Tensor added = c.detach().expand(p.shape()).contiguous();
  TRANSFORMERS_FLOAT_SWITCH("baddbmm", y.dtype(), {
    T* out = y.mutable_data<T>();
    const T* in = added.data<T>();
    using A = std::conditional_t<std::is_same_v<T, double>, double, float>;
    for (int64_t i = 0; i < y.numel(); ++i) {
      const A scaled = static_cast<A>(alpha) * static_cast<A>(out[i]);
      out[i] = T(beta == 0 ? scaled : scaled + static_cast<A>(beta) * static_cast<A>(in[i]));  // beta 0 ignores even NaN
    }
  })
  const auto times = [](const Tensor& g, double f) {
    Tensor r = g.clone();
    TRANSFORMERS_FLOAT_SWITCH("baddbmm", r.dtype(), {
      T* v = r.mutable_data<T>();
      for (int64_t i = 0; i < r.numel(); ++i) v[i] = T(static_cast<double>(v[i]) * f);
    })
    return r;
  };
  return record(y, "baddbmm", {c, p}, [shape = c.shape(), alpha, beta, times](const Tensor& g) -> Grads {
    return {sum_to(times(g, beta), shape), times(g, alpha)};
  });
}

Tensor outer(const Tensor& a, const Tensor& b) {
  check_types("outer", a, b);
  if (a.rank() != 1 || b.rank() != 1) throw ShapeError({"outer: expected two vectors, got ", a.shape().str(), " and ", b.shape().str()});
  return matmul_nd("outer", a.unsqueeze(1), b.unsqueeze(0));
}

}  // namespace transformers
