// Integers beyond 64 bits: sign and magnitude, 32-bit limbs, least first. Python's semantics for // and %.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/chat_template/value.h"

namespace transformers::jinja {

/// As it lies in an arena.
struct BigInt {
  bool negative = false;
  const uint32_t* limbs = nullptr;
  size_t size = 0;
};

/// For computing; zero has no limbs.
struct Big {
  bool negative = false;
  std::vector<uint32_t> limbs;

  Big() = default;
  explicit Big(int64_t v);
  explicit Big(const Value& v);  // boolean, integer or big
  static Big from_double(double d);  // whole, finite
  void trim();
  bool zero() const { return limbs.empty(); }
  double to_double() const;  // inf when too large
  std::string to_string() const;
  /// An integer value when it fits 64 bits. Throws Failure(limit) beyond 2^17 bits.
  Value to_value(Runtime& rt) const;
};
Big add(const Big& a, const Big& b);
Big subtract(const Big& a, const Big& b);
Big multiply(const Big& a, const Big& b);
/// Floor division; b is not zero.
void divide(const Big& a, const Big& b, Big& quotient, Big& remainder);
int compare(const Big& a, const Big& b);

}  // namespace transformers::jinja
