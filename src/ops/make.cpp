// Making tensors: ranges, identity, triangles, one-hot rows.
#include <cmath>
#include <cstring>

#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/iterate.h"

namespace transformers {
using namespace detail;

Tensor arange(int64_t end) {
  if (end < 0) throw ValueError({"arange: end must not be negative, got ", end});
  Tensor y = Tensor::empty({end}, DType::i64);
  int64_t* p = y.mutable_data<int64_t>();
  for (int64_t i = 0; i < end; ++i) p[i] = i;
  return y;
}
Tensor arange(double begin, double end, double step, DType dtype) {
  const double count = std::ceil((end - begin) / step);
  if (step == 0 || !(count >= 0)) throw ValueError({"arange: step ", step, " does not lead from ", begin, " to ", end});
  if (count > 0x1p44) throw ValueError({"arange: ", count, " values are too many"});
  Tensor y = Tensor::empty({static_cast<int64_t>(count)}, DType::f64);
  double* p = y.mutable_data<double>();
  for (int64_t i = 0; i < y.numel(); ++i) p[i] = begin + static_cast<double>(i) * step;
  return y.to(dtype);
}
Tensor linspace(double begin, double end, int64_t count, DType dtype) {
  if (count < 0) throw ValueError({"linspace: count must not be negative, got ", count});
  Tensor y = Tensor::empty({count}, DType::f64);
  double* p = y.mutable_data<double>();
  const double step = count > 1 ? (end - begin) / static_cast<double>(count - 1) : 0;
  // From both ends, so that the last value is exact.
  for (int64_t i = 0; i < count; ++i)
    p[i] = i < (count + 1) / 2 ? begin + static_cast<double>(i) * step : end - static_cast<double>(count - 1 - i) * step;
  return y.to(dtype);
}
Tensor eye(int64_t n, DType dtype) {
  Tensor y = Tensor::zeros({n, n}, dtype);
  if (n > 0) y.as_strided({n}, {n + 1}, 0).fill_(1);
  return y;
}

// Keeps what lies on or below (lower) or on or above the diagonal of the last two dimensions.
static Tensor triangle(const char* name, const Tensor& x, int64_t diagonal, bool lower) {
  if (x.rank() < 2) throw ShapeError({name, ": needs at least 2 dimensions, got ", x.shape().str()});
  const Tensor c = x.detach().contiguous();
  Tensor y = Tensor::zeros(x.shape(), x.dtype());
  const int64_t rows = x.dim(-2), columns = x.dim(-1), total = columns ? x.numel() / columns : 0, size = size_of(x.dtype());
  const char* from = static_cast<const char*>(c.raw());
  char* to = static_cast<char*>(y.mutable_raw());
  parallel_for(total, std::max<int64_t>(1, kCheapGrain / std::max<int64_t>(1, columns)), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t edge = std::clamp<int64_t>(r % rows + diagonal + (lower ? 1 : 0), 0, columns);
      const int64_t at = (r * columns + (lower ? 0 : edge)) * size, count = (lower ? edge : columns - edge) * size;
      std::memcpy(to + at, from + at, static_cast<size_t>(count));
    }
  });
  return record(y, name, {x}, [name, diagonal, lower](const Tensor& g) -> Grads { return {triangle(name, g, diagonal, lower)}; });
}
Tensor tril(const Tensor& x, int64_t diagonal) { return triangle("tril", x, diagonal, true); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle("triu", x, diagonal, false); }

Tensor one_hot(const Tensor& ids, int64_t classes) {
  const Tensor index = as_index("one_hot", ids);
  Shape s = ids.shape();
  s.push_back(classes);
  Tensor y = Tensor::zeros(s, DType::i64);
  for (int64_t i = 0; i < index.numel(); ++i) {
    const int64_t k = index.data<int64_t>()[i];
    if (k < 0 || k >= classes) throw ShapeError({"one_hot: id ", k, " is out of range for ", classes, " classes"});
    y.mutable_data<int64_t>()[i * classes + k] = 1;
  }
  return y;
}

}  // namespace transformers
