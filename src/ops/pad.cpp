// Padding as torch.nn.functional.pad. Cropping is slicing; every mode but constant picks indices.
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/iterate.h"

namespace transformers {
using namespace detail;
namespace {

Tensor pad_constant(const Tensor& x, const Shape& shape, const Shape& before, double value) {
  Tensor y = Tensor::full(shape, value, x.dtype());
  const auto inside = [before, from = x.shape()](Tensor t) {
    for (int64_t d = 0; d < t.rank(); ++d) t = t.narrow(d, before[d], from[d]);
    return t;
  };
  inside(y).copy_(x);
  return record(y, "pad", {x}, [inside](const Tensor& g) -> Grads { return {inside(g)}; });
}
Tensor pad_picked(const Tensor& x, int64_t dim, int64_t before, int64_t after, PadMode mode) {
  const int64_t n = x.dim(dim), most = mode == PadMode::reflect ? n - 1 : mode == PadMode::circular ? n : n > 0 ? INT64_MAX : 0;
  if (before > most || after > most) throw ShapeError({"pad: ", before, " and ", after, " are too much for dim ", dim, " of ", x.shape().str()});
  Tensor index = Tensor::empty({before + n + after}, DType::i64);
  for (int64_t i = 0; i < index.numel(); ++i) {
    int64_t k = i - before;
    if (mode == PadMode::replicate) k = std::clamp<int64_t>(k, 0, n - 1);
    else if (mode == PadMode::circular) k = (k + n) % n;
    else k = k < 0 ? -k : k >= n ? 2 * (n - 1) - k : k;
    index.mutable_data<int64_t>()[i] = k;
  }
  return index_select(x, dim, index);
}

}  // namespace

Tensor pad(const Tensor& x, const Shape& pads, double value, PadMode mode) {
  if (pads.rank() % 2 || pads.rank() / 2 > x.rank()) throw ShapeError({"pad: ", pads.str(), " does not fit ", x.shape().str()});
  Tensor y = x;
  Shape before = x.shape(), after = x.shape(), shape = x.shape();
  for (int64_t d = 0; d < x.rank(); ++d) before[d] = after[d] = 0;
  bool grows = false;
  for (int64_t i = 0; i < pads.rank() / 2; ++i) {
    const int64_t d = x.rank() - 1 - i, b = pads[2 * i], a = pads[2 * i + 1], n = x.dim(d);
    if (n + b + a < 0 || n + std::min<int64_t>(b, 0) + std::min<int64_t>(a, 0) < 0) throw ShapeError({"pad: ", pads.str(), " crops more than ", x.shape().str(), " has"});
    if (b < 0 || a < 0) y = y.slice(d, std::max<int64_t>(0, -b), n - std::max<int64_t>(0, -a));
    before[d] = std::max<int64_t>(0, b), after[d] = std::max<int64_t>(0, a);
    shape[d] = n + b + a;
    grows |= b > 0 || a > 0;
  }
  if (!grows) return y;
  if (mode == PadMode::constant) return pad_constant(y, shape, before, value);
  for (int64_t d = x.rank() - 1; d >= 0; --d)
    if (before[d] || after[d]) y = pad_picked(y, d, before[d], after[d], mode);
  return y;
}

}  // namespace transformers
