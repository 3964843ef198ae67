// Vectors of numbers, written once for each instruction set: the flags of the compiler choose which one.
//
// Everything that is fast is a header written against this one and stands in the namespace tuili::TUILI_SET, so that one
// library holds it for several instruction sets. Sums have one fixed order. An instruction set defines (see
// vector_portable.h, which reads like their definition):
//   LANES, Floats, Ints, zero, all, load, load_some, load_bf16, load_fp16, load_int8, store, store_some, store_bf16, + - * /,
//   fma, max, min, sum, largest, floats(Ints), rounded(Floats), times_power_of_two,
//   and for the products: words, Pair, dot_bf16, Quad, dot_int8, INPUT_OFFSET, Nibbles.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(__AVX512VNNI__) && defined(__AVX512BF16__)
#define TUILI_SET avx512
#include "vector_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define TUILI_SET avx2
#include "vector_avx2.h"
#elif defined(__ARM_FEATURE_DOTPROD)
#define TUILI_SET neon
#include "vector_neon.h"
#else
#define TUILI_SET portable
#include "vector_portable.h"
#endif

namespace tuili::TUILI_SET {

// e^x to 2 units in the last place; 0 for -inf, inf for inf. The polynomial is expf's of the Cephes library.
inline Floats exp(Floats x) {
  x = min(all(89.f), max(all(-104.f), x));  // behind them lie inf and 0; max and min pass a NaN on in this order
  const Floats power = nearest(x * all(1.44269504f));
  const Floats rest = fma(power, all(2.12194440e-4f), fma(power, all(-0.693359375f), x));
  Floats p = all(1.9875691500e-4f);
  p = fma(p, rest, all(1.3981999507e-3f));
  p = fma(p, rest, all(8.3334519073e-3f));
  p = fma(p, rest, all(4.1665795894e-2f));
  p = fma(p, rest, all(1.6666665459e-1f));
  p = fma(p, rest, all(5.0000001201e-1f));
  return times_power_of_two(fma(p, rest * rest, rest) + all(1.f), power);
}

// x * sigmoid(x)
inline Floats silu(Floats x) { return x / (all(1.f) + exp(zero() - x)); }

// The two bf16 nearest to numbers next to one another are kept as one word; so are four int8.
inline uint16_t bf16_of(float number) {
  uint32_t bits;
  std::memcpy(&bits, &number, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return uint16_t(bits >> 16 | 0x40);  // NaN stays NaN
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float float_of(uint16_t bf16) {
  const uint32_t bits = uint32_t(bf16) << 16;
  float number;
  std::memcpy(&number, &bits, 4);
  return number;
}

}  // namespace tuili::TUILI_SET
