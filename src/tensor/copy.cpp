// Copies between strides and element types.
#include <cstring>

#include "base/parallel.h"
#include "tensor/impl.h"

namespace transformers {
namespace {

template <class To, class From> To convert(From v) {
  if constexpr (std::is_same_v<To, bool>) return static_cast<float>(v) != 0;
  else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>) return To(static_cast<float>(v));
  else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>) return static_cast<To>(static_cast<float>(v));
  else return static_cast<To>(v);
}

// Drops size-1 dimensions and merges neighbours that are contiguous in both, so that the inner loop is long.
int collapse(const Shape& shape, const Shape& a, const Shape& b, int64_t* n, int64_t* sa, int64_t* sb) {
  int rank = 0;
  for (int64_t i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 1) continue;
    if (rank > 0 && sa[rank - 1] == a[i] * shape[i] && sb[rank - 1] == b[i] * shape[i]) {
      n[rank - 1] *= shape[i], sa[rank - 1] = a[i], sb[rank - 1] = b[i];
    } else {
      n[rank] = shape[i], sa[rank] = a[i], sb[rank] = b[i], ++rank;
    }
  }
  if (rank == 0) n[0] = 1, sa[0] = sb[0] = 1, rank = 1;
  return rank;
}

// A transposition: the last dimension is dense in dst, dimension j in src. Tiles keep both sides in cache.
template <class T>
void copy_tiles(T* dst, const T* src, int rank, int j, const int64_t* n, const int64_t* sd, const int64_t* ss) {
  constexpr int64_t kTile = 16;
  const int64_t inner = n[rank - 1], lines = n[j], step_d = sd[j], step_s = ss[rank - 1], bands = (lines + kTile - 1) / kTile;
  int64_t others = 1;
  for (int i = 0; i + 1 < rank; ++i) others *= i == j ? 1 : n[i];
  parallel_for(others * bands, std::max<int64_t>(1, 32768 / (kTile * inner)), [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      int64_t rest = at / bands;
      const int64_t first = at % bands * kTile, last = std::min(first + kTile, lines);
      T* d = dst;
      const T* s = src;
      for (int i = rank - 2; i >= 0; --i) {
        if (i == j) continue;
        const int64_t k = rest % n[i];
        rest /= n[i], d += k * sd[i], s += k * ss[i];
      }
      for (int64_t tile = 0; tile < inner; tile += kTile) {
        const int64_t stop = std::min(tile + kTile, inner);
        for (int64_t k = first; k < last; ++k)
          for (int64_t i = tile; i < stop; ++i) d[k * step_d + i] = s[k + i * step_s];
      }
    }
  });
}

template <class To, class From>
void copy_rows(To* dst, const From* src, int rank, const int64_t* n, const int64_t* sd, const int64_t* ss) {
  int64_t rows = 1;
  for (int i = 0; i + 1 < rank; ++i) rows *= n[i];
  const int64_t inner = n[rank - 1], step_d = sd[rank - 1], step_s = ss[rank - 1];
  if constexpr (std::is_same_v<To, From>) {
    for (int j = rank - 2; j >= 0 && step_d == 1 && step_s != 1 && inner >= 8; --j)
      if (ss[j] == 1 && n[j] >= 8) return copy_tiles(dst, src, rank, j, n, sd, ss);
  }
  parallel_for(rows, std::max<int64_t>(1, 32768 / std::max<int64_t>(1, inner)), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row, od = 0, os = 0;
      for (int i = rank - 2; i >= 0; --i) {
        const int64_t k = rest % n[i];
        rest /= n[i], od += k * sd[i], os += k * ss[i];
      }
      To* d = dst + od;
      const From* s = src + os;
      if constexpr (std::is_same_v<To, From>) {
        if (step_d == 1 && step_s == 1) { std::memcpy(d, s, static_cast<size_t>(inner) * sizeof(To)); continue; }
      }
      if (step_d == 1 && step_s == 1) for (int64_t i = 0; i < inner; ++i) d[i] = convert<To>(s[i]);
      else for (int64_t i = 0; i < inner; ++i) d[i * step_d] = convert<To>(s[i * step_s]);
    }
  });
}

template <class To> void copy_into(Tensor& dst, const Tensor& src, int rank, const int64_t* n, const int64_t* sd, const int64_t* ss) {
  To* d = dst.mutable_data<To>();
  TRANSFORMERS_ALL_SWITCH("copy", src.dtype(), copy_rows<To, T>(d, src.data<T>(), rank, n, sd, ss))
}

}  // namespace

void Tensor::copy_(const Tensor& source) {
  Tensor src = source.detach();
  if (src.dtype() == DType::f8_e4m3 || src.dtype() == DType::f8_e5m2) {
    const Tensor c = src.contiguous();
    const auto* bytes = static_cast<const uint8_t*>(c.raw());
    Tensor wide = empty(src.shape());
    for (int64_t i = 0; i < c.numel(); ++i)
      wide.mutable_data<float>()[i] = src.dtype() == DType::f8_e4m3 ? f8_e4m3_to_float(bytes[i]) : f8_e5m2_to_float(bytes[i]);
    src = wide;
  }
  if (!(src.shape() == shape())) src = src.expand(shape());
  if (numel() == 0) return;
  int64_t n[Shape::kMaxRank], sd[Shape::kMaxRank], ss[Shape::kMaxRank];
  const int rank = collapse(shape(), strides(), src.strides(), n, sd, ss);
  Tensor dst = detach();
  TRANSFORMERS_ALL_SWITCH("copy", dtype(), copy_into<T>(dst, src, rank, n, sd, ss))
}

void Tensor::fill_(double value) {
  Tensor one = empty({}, dtype());
  TRANSFORMERS_ALL_SWITCH("fill", dtype(), *one.mutable_data<T>() = convert<T>(value))
  if (!is_contiguous()) { copy_(one); return; }
  TRANSFORMERS_ALL_SWITCH("fill", dtype(), {
    const T v = *one.data<T>();
    T* p = mutable_data<T>();
    for (int64_t i = 0; i < numel(); ++i) p[i] = v;
  })
}

Tensor Tensor::clone() const {
  Tensor y = empty(shape(), dtype());
  if (dtype() >= DType::f8_e4m3) {  // bytes only
    if (!is_contiguous()) throw UnsupportedError({"clone: non-contiguous ", name_of(dtype())});
    std::memcpy(y.mutable_raw(), raw(), static_cast<size_t>(nbytes()));
    return y;
  }
  y.copy_(*this);
  return record(y, "clone", {*this}, [](const Tensor& g) -> Grads { return {g}; });
}
Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }
Tensor Tensor::to(DType t) const {
  if (t == dtype()) return *this;
  Tensor y = empty(shape(), t);
  y.copy_(*this);
  if (!is_floating(t)) return y;
  return record(y, "to", {*this}, [from = dtype()](const Tensor& g) -> Grads { return {g.to(from)}; });
}

}  // namespace transformers
