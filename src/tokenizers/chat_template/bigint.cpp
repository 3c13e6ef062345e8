// Arbitrary-precision integers, schoolbook algorithms (Knuth, The Art of Computer Programming 2, 4.3.1).
#include "tokenizers/chat_template/bigint.h"

#include <algorithm>
#include <cmath>

#include "tokenizers/chat_template/runtime.h"

namespace transformers::jinja {
namespace {

using Limbs = std::vector<uint32_t>;
constexpr size_t kMaxLimbs = (size_t{1} << 17) / 32;

int compare_magnitude(const Limbs& a, const Limbs& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  for (size_t i = a.size(); i-- > 0;)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}
Limbs add_magnitude(const Limbs& a, const Limbs& b) {
  Limbs out(std::max(a.size(), b.size()) + 1);
  uint64_t carry = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    carry += (i < a.size() ? a[i] : 0) + uint64_t{i < b.size() ? b[i] : 0};
    out[i] = static_cast<uint32_t>(carry), carry >>= 32;
  }
  return out;
}
Limbs subtract_magnitude(const Limbs& a, const Limbs& b) {  // a >= b
  Limbs out(a.size());
  int64_t borrow = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    int64_t d = int64_t{a[i]} - (i < b.size() ? b[i] : 0) - borrow;
    borrow = d < 0;
    out[i] = static_cast<uint32_t>(d + (borrow << 32));
  }
  return out;
}
// Divides in place by a single limb and returns the remainder.
uint32_t divide_small(Limbs& a, uint32_t b) {
  uint64_t rest = 0;
  for (size_t i = a.size(); i-- > 0;) {
    rest = rest << 32 | a[i];
    a[i] = static_cast<uint32_t>(rest / b), rest %= b;
  }
  while (!a.empty() && a.back() == 0) a.pop_back();
  return static_cast<uint32_t>(rest);
}
// Algorithm D: a = q * b + r; both trimmed, b has at least two limbs, a >= b.
void divide_magnitude(Limbs a, Limbs b, Limbs& q, Limbs& r) {
  const int shift = __builtin_clz(b.back());
  const auto shift_left = [shift](Limbs& v) {
    uint32_t carry = 0;
    for (uint32_t& x : v) {
      const uint32_t next = shift ? x >> (32 - shift) : 0;
      x = x << shift | carry, carry = next;
    }
    v.push_back(carry);
  };
  shift_left(a), shift_left(b), b.pop_back();
  const size_t n = b.size(), m = a.size() - n;
  q.assign(m, 0);
  for (size_t j = m; j-- > 0;) {
    const uint64_t top = uint64_t{a[j + n]} << 32 | a[j + n - 1];
    uint64_t guess = top / b[n - 1], rest = top % b[n - 1];
    while (guess >> 32 || guess * b[n - 2] > (rest << 32 | a[j + n - 2])) {
      --guess, rest += b[n - 1];
      if (rest >> 32) break;
    }
    int64_t borrow = 0;
    uint64_t carry = 0;
    for (size_t i = 0; i < n; ++i) {
      carry += guess * b[i];
      const int64_t d = int64_t{a[i + j]} - borrow - static_cast<int64_t>(carry & 0xFFFFFFFF);
      a[i + j] = static_cast<uint32_t>(d), borrow = d < 0, carry >>= 32;
    }
    const int64_t d = int64_t{a[j + n]} - borrow - static_cast<int64_t>(carry);
    a[j + n] = static_cast<uint32_t>(d);
    if (d < 0) {
      --guess;
      uint64_t back = 0;
      for (size_t i = 0; i < n; ++i) {
        back += uint64_t{a[i + j]} + b[i];
        a[i + j] = static_cast<uint32_t>(back), back >>= 32;
      }
      a[j + n] += static_cast<uint32_t>(back);
    }
    q[j] = static_cast<uint32_t>(guess);
  }
  a.resize(n);
  for (size_t i = 0; i < n; ++i) a[i] = a[i] >> shift | (shift && i + 1 < n ? a[i + 1] << (32 - shift) : 0);
  r = std::move(a);
}

}  // namespace

Big::Big(int64_t v) : negative(v < 0) {
  for (uint64_t u = v < 0 ? 0 - static_cast<uint64_t>(v) : static_cast<uint64_t>(v); u; u >>= 32)
    limbs.push_back(static_cast<uint32_t>(u));
}
Big::Big(const Value& v) {
  if (v.is(Tag::big)) negative = v.big->negative, limbs.assign(v.big->limbs, v.big->limbs + v.big->size);
  else *this = Big(v.as_int());
}
Big Big::from_double(double d) {
  Big out;
  out.negative = d < 0;
  int exponent = 0;
  uint64_t mantissa = static_cast<uint64_t>(std::ldexp(std::frexp(std::fabs(d), &exponent), 53));
  exponent -= 53;
  if (exponent < 0) mantissa >>= -exponent, exponent = 0;
  out.limbs.assign(static_cast<size_t>(exponent) / 32, 0);
  const int bits = exponent % 32;
  const unsigned __int128 wide = static_cast<unsigned __int128>(mantissa) << bits;
  for (int i = 0; i < 4; ++i) out.limbs.push_back(static_cast<uint32_t>(wide >> (32 * i)));
  out.trim();
  return out;
}
void Big::trim() {
  while (!limbs.empty() && limbs.back() == 0) limbs.pop_back();
  if (limbs.empty()) negative = false;
}
double Big::to_double() const {
  // The top 64 bits with a sticky last bit round the same way as the whole number.
  if (limbs.size() > 33) return negative ? -INFINITY : INFINITY;
  if (limbs.empty()) return 0;
  const size_t n = limbs.size();
  const int shift = __builtin_clz(limbs[n - 1]);
  unsigned __int128 top = 0;
  for (size_t i = 0; i < 3; ++i) top = top << 32 | (i < n ? limbs[n - 1 - i] : 0);
  top <<= shift;                                     // 96 bits, highest set
  uint64_t bits = static_cast<uint64_t>(top >> 32);  // the upper 64
  bool sticky = static_cast<uint32_t>(top) != 0;
  for (size_t i = 3; i < n; ++i) sticky |= limbs[n - 1 - i] != 0;
  bits |= sticky;
  const double d = std::ldexp(static_cast<double>(bits), static_cast<int>(32 * n) - 64 - shift);
  return negative ? -d : d;
}
std::string Big::to_string() const {
  if (limbs.empty()) return "0";
  Limbs rest = limbs;
  std::string reversed;
  while (!rest.empty()) {
    uint32_t nine = divide_small(rest, 1000000000);
    for (int i = 0; i < 9 && (nine || !rest.empty()); ++i) reversed += static_cast<char>('0' + nine % 10), nine /= 10;
  }
  if (negative) reversed += '-';
  std::reverse(reversed.begin(), reversed.end());
  return reversed;
}
Value Big::to_value(Runtime& rt) const {
  Big t = *this;
  t.trim();
  if (t.limbs.size() <= 2) {
    uint64_t u = 0;
    for (size_t i = t.limbs.size(); i-- > 0;) u = u << 32 | t.limbs[i];
    if (u <= static_cast<uint64_t>(INT64_MAX) + t.negative)
      return Value::of(static_cast<int64_t>(t.negative ? 0 - u : u));
  }
  if (t.limbs.size() > kMaxLimbs) fail(Kind::limit, {"an integer of more than ", size_t{kMaxLimbs} * 32, " bits"});
  rt.charge(t.limbs.size());
  const Span<uint32_t> kept = to_span(rt.arena, t.limbs);
  return Value::of(static_cast<const BigInt*>(rt.arena.make<BigInt>(t.negative, kept.items, kept.size)));
}

Big add(const Big& a, const Big& b) {
  Big out;
  if (a.negative == b.negative) {
    out.negative = a.negative, out.limbs = add_magnitude(a.limbs, b.limbs);
  } else {
    const bool a_larger = compare_magnitude(a.limbs, b.limbs) >= 0;
    out.negative = a_larger ? a.negative : b.negative;
    out.limbs = a_larger ? subtract_magnitude(a.limbs, b.limbs) : subtract_magnitude(b.limbs, a.limbs);
  }
  out.trim();
  return out;
}
Big subtract(const Big& a, const Big& b) {
  Big minus = b;
  minus.negative = !b.negative;
  return add(a, minus);
}
Big multiply(const Big& a, const Big& b) {
  if (a.limbs.size() + b.limbs.size() > kMaxLimbs + 2)
    fail(Kind::limit, {"an integer of more than ", size_t{kMaxLimbs} * 32, " bits"});
  Big out;
  out.negative = a.negative != b.negative;
  out.limbs.assign(a.limbs.size() + b.limbs.size(), 0);
  for (size_t i = 0; i < a.limbs.size(); ++i) {
    uint64_t carry = 0;
    for (size_t j = 0; j < b.limbs.size() || carry; ++j) {
      carry += out.limbs[i + j] + uint64_t{a.limbs[i]} * (j < b.limbs.size() ? b.limbs[j] : 0);
      out.limbs[i + j] = static_cast<uint32_t>(carry), carry >>= 32;
    }
  }
  out.trim();
  return out;
}
void divide(const Big& a, const Big& b, Big& quotient, Big& remainder) {
  if (compare_magnitude(a.limbs, b.limbs) < 0) {
    quotient = Big(), remainder = a;
  } else if (b.limbs.size() == 1) {
    quotient.limbs = a.limbs;
    remainder = Big(static_cast<int64_t>(divide_small(quotient.limbs, b.limbs[0])));
  } else {
    divide_magnitude(a.limbs, b.limbs, quotient.limbs, remainder.limbs);
  }
  quotient.negative = a.negative != b.negative, remainder.negative = a.negative;
  quotient.trim(), remainder.trim();
  if (!remainder.zero() && a.negative != b.negative) {  // towards minus infinity
    quotient = subtract(quotient, Big(int64_t{1}));
    remainder = add(remainder, b);
  }
}
int compare(const Big& a, const Big& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  const int c = compare_magnitude(a.limbs, b.limbs);
  return a.negative ? -c : c;
}

}  // namespace transformers::jinja
