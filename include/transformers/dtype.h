// Element types of tensors.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

namespace transformers {

enum class DType : uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean, f8_e4m3, f8_e5m2 };

/// Bytes of one element.
constexpr int64_t size_of(DType t) {
  constexpr int64_t sizes[] = {8, 4, 2, 2, 8, 4, 2, 1, 1, 1, 1, 1};
  return sizes[static_cast<int>(t)];
}
/// Name as in the reference: "float32", "bfloat16", "int64", "bool", ...
const char* name_of(DType t);
/// From the reference's name ("float32", "torch.bfloat16", "half", ...) or safetensors' ("F32", "BF16", "BOOL").
/// Throws DTypeError.
DType dtype_from_name(std::string_view name);
constexpr bool is_floating(DType t) { return t <= DType::bf16 || t >= DType::f8_e4m3; }
/// The type of a result of two operands, as PyTorch promotes tensors of rank > 0.
DType promote(DType a, DType b);

/// 16-bit floats: storage only, arithmetic is done in float.
struct Half {
  uint16_t bits = 0;
  Half() = default;
  explicit Half(float v) { *this = from(v); }
  operator float() const;
  static Half from(float v);
};
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float v) {
    uint32_t u;
    std::memcpy(&u, &v, 4);
    if ((u & 0x7fffffffu) > 0x7f800000u) { bits = static_cast<uint16_t>((u >> 16) | 0x40); return; }
    bits = static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1)) >> 16);  // round to nearest even
  }
  operator float() const {
    const uint32_t u = uint32_t{bits} << 16;
    float v;
    std::memcpy(&v, &u, 4);
    return v;
  }
};
/// Value of one float8 byte.
float f8_e4m3_to_float(uint8_t byte);
float f8_e5m2_to_float(uint8_t byte);

inline Half::operator float() const {
  const uint32_t sign = uint32_t(bits & 0x8000) << 16, magnitude = bits & 0x7fff;
  float v;
  if (magnitude >= 0x7c00) {
    const uint32_t u = sign | 0x7f800000u | ((magnitude & 0x3ff) << 13);
    std::memcpy(&v, &u, 4);
    return v;
  }
  const uint32_t u = magnitude << 13;
  std::memcpy(&v, &u, 4);
  v *= 0x1p112f;  // rebias; exact for normals and subnormals
  return sign ? -v : v;
}

template <class T> struct DTypeOf;
template <> struct DTypeOf<double> { static constexpr DType value = DType::f64; };
template <> struct DTypeOf<float> { static constexpr DType value = DType::f32; };
template <> struct DTypeOf<Half> { static constexpr DType value = DType::f16; };
template <> struct DTypeOf<BFloat16> { static constexpr DType value = DType::bf16; };
template <> struct DTypeOf<int64_t> { static constexpr DType value = DType::i64; };
template <> struct DTypeOf<int32_t> { static constexpr DType value = DType::i32; };
template <> struct DTypeOf<int16_t> { static constexpr DType value = DType::i16; };
template <> struct DTypeOf<int8_t> { static constexpr DType value = DType::i8; };
template <> struct DTypeOf<uint8_t> { static constexpr DType value = DType::u8; };
template <> struct DTypeOf<bool> { static constexpr DType value = DType::boolean; };

}  // namespace transformers

/// Runs the statement with `T` naming the element type. FLOAT: f64 f32 f16 bf16; ALL adds integers and bool.
#define TRANSFORMERS_CASE(value, type, ...) \
  case ::transformers::DType::value: { using T = type; __VA_ARGS__; break; }
#define TRANSFORMERS_FLOAT_SWITCH(op, dtype, ...)                                                 \
  switch (dtype) {                                                                                \
    TRANSFORMERS_CASE(f64, double, __VA_ARGS__) TRANSFORMERS_CASE(f32, float, __VA_ARGS__)        \
    TRANSFORMERS_CASE(f16, ::transformers::Half, __VA_ARGS__)                                     \
    TRANSFORMERS_CASE(bf16, ::transformers::BFloat16, __VA_ARGS__)                                \
    default: ::transformers::fail_dtype(op, dtype);                                               \
  }
#define TRANSFORMERS_INT_CASES(...)                                                               \
    TRANSFORMERS_CASE(i64, int64_t, __VA_ARGS__) TRANSFORMERS_CASE(i32, int32_t, __VA_ARGS__)     \
    TRANSFORMERS_CASE(i16, int16_t, __VA_ARGS__) TRANSFORMERS_CASE(i8, int8_t, __VA_ARGS__)       \
    TRANSFORMERS_CASE(u8, uint8_t, __VA_ARGS__) TRANSFORMERS_CASE(boolean, bool, __VA_ARGS__)
#define TRANSFORMERS_ALL_SWITCH(op, dtype, ...)                                                   \
  switch (dtype) {                                                                                \
    TRANSFORMERS_CASE(f64, double, __VA_ARGS__) TRANSFORMERS_CASE(f32, float, __VA_ARGS__)        \
    TRANSFORMERS_CASE(f16, ::transformers::Half, __VA_ARGS__)                                     \
    TRANSFORMERS_CASE(bf16, ::transformers::BFloat16, __VA_ARGS__)                                \
    TRANSFORMERS_INT_CASES(__VA_ARGS__)                                                           \
    default: ::transformers::fail_dtype(op, dtype);                                               \
  }

namespace transformers {
/// Throws DTypeError: "op: does not take dtype".
[[noreturn]] void fail_dtype(const char* op, DType t);
}  // namespace transformers
