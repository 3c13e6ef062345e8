// Names, promotion and the 8- and 16-bit float conversions.
#include "transformers/dtype.h"

#include <cmath>
#include <string>

#include "transformers/error.h"

namespace transformers {

const char* name_of(DType t) {
  static const char* const names[] = {"float64", "float32", "float16", "bfloat16", "int64", "int32",
                                      "int16",   "int8",    "uint8",   "bool",     "float8_e4m3fn", "float8_e5m2"};
  return names[static_cast<int>(t)];
}

DType dtype_from_name(std::string_view name) {
  std::string_view n = name;
  if (n.rfind("torch.", 0) == 0) n.remove_prefix(6);
  static const std::pair<std::string_view, DType> names[] = {
      {"float64", DType::f64},   {"double", DType::f64},  {"F64", DType::f64},    {"float32", DType::f32},
      {"float", DType::f32},     {"F32", DType::f32},     {"float16", DType::f16}, {"half", DType::f16},
      {"F16", DType::f16},       {"bfloat16", DType::bf16}, {"BF16", DType::bf16}, {"int64", DType::i64},
      {"long", DType::i64},      {"I64", DType::i64},     {"int32", DType::i32},  {"int", DType::i32},
      {"I32", DType::i32},       {"int16", DType::i16},   {"I16", DType::i16},    {"int8", DType::i8},
      {"I8", DType::i8},         {"uint8", DType::u8},    {"U8", DType::u8},      {"bool", DType::boolean},
      {"BOOL", DType::boolean},  {"float8_e4m3fn", DType::f8_e4m3}, {"F8_E4M3", DType::f8_e4m3},
      {"float8_e5m2", DType::f8_e5m2}, {"F8_E5M2", DType::f8_e5m2}, {"f32", DType::f32}, {"bf16", DType::bf16},
      {"f16", DType::f16},       {"f64", DType::f64}};
  for (const auto& [text, type] : names)
    if (text == n) return type;
  throw DTypeError({"unknown dtype \"", name, "\"; known: float32, float16, bfloat16, float64, int64, int32, int8, uint8, bool"});
}

void fail_dtype(const char* op, DType t) { throw DTypeError({op, ": does not take ", name_of(t)}); }

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (is_floating(a) != is_floating(b)) return is_floating(a) ? a : b;
  if (is_floating(a)) {
    if (a == DType::f64 || b == DType::f64) return DType::f64;
    if (a == DType::f32 || b == DType::f32 || (a == DType::f16) != (b == DType::f16)) return DType::f32;
    return a;
  }
  if (a == DType::boolean) return b;
  if (b == DType::boolean) return a;
  if ((a == DType::u8 && b == DType::i8) || (a == DType::i8 && b == DType::u8)) return DType::i16;
  return size_of(a) >= size_of(b) ? a : b;
}

Half Half::from(float v) {
  uint32_t u;
  std::memcpy(&u, &v, 4);
  const uint32_t sign = (u >> 16) & 0x8000;
  u &= 0x7fffffff;
  Half h;
  if (u > 0x7f800000) { h.bits = static_cast<uint16_t>(sign | 0x7e00); return h; }
  if (u >= 0x47800000) { h.bits = static_cast<uint16_t>(sign | 0x7c00); return h; }
  if (u < 0x38800000) {  // subnormal half: adding a large float lets the FPU round to nearest even
    float m;
    std::memcpy(&m, &u, 4);
    m += 0.5f;
    uint32_t r;
    std::memcpy(&r, &m, 4);
    h.bits = static_cast<uint16_t>(sign | (r - 0x3f000000));
    return h;
  }
  u += 0xc8000fff + ((u >> 13) & 1);  // rebias the exponent and round to nearest even
  h.bits = static_cast<uint16_t>(sign | (u >> 13));
  return h;
}

static float small_float(uint8_t byte, int mantissa_bits, int bias) {
  const int exponent = (byte & 0x7f) >> mantissa_bits, mantissa = byte & ((1 << mantissa_bits) - 1);
  const float m = static_cast<float>(mantissa) / static_cast<float>(1 << mantissa_bits);
  const float v = exponent == 0 ? std::ldexp(m, 1 - bias) : std::ldexp(1 + m, exponent - bias);
  return byte & 0x80 ? -v : v;
}
float f8_e4m3_to_float(uint8_t byte) { return (byte & 0x7f) == 0x7f ? NAN : small_float(byte, 3, 7); }
float f8_e5m2_to_float(uint8_t byte) {
  if ((byte & 0x7c) == 0x7c) return byte & 3 ? NAN : (byte & 0x80 ? -INFINITY : INFINITY);
  return small_float(byte, 2, 15);
}

}  // namespace transformers
