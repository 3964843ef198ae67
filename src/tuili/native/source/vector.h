// Vectors of numbers, written once for each instruction set: the flags of the compiler choose which one.
//
// Everything that is fast is a header written against this one and stands in the namespace tuili::TUILI_SET, so that one
// library holds it for several instruction sets. Sums have one fixed order. What all sets do alike stands in lanes.h; each
// adds what vector_portable.h, the plainest, does.
#pragma once

#if defined(__AVX512VNNI__) && defined(__AVX512BF16__)
#define TUILI_SET avx512
#define TUILI_LANES 16
#include "vector_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define TUILI_SET avx2
#define TUILI_LANES 8
#include "vector_avx2.h"
#elif defined(__ARM_FEATURE_DOTPROD)
#define TUILI_SET neon
#define TUILI_LANES 4
#include "vector_neon.h"
#else
#define TUILI_SET portable
#define TUILI_LANES 4
#include "vector_portable.h"
#endif

namespace tuili::TUILI_SET {

template <class Float>
inline Words bf16_bits(Float a) {  // the nearest bf16 in the low half of each lane
  const Words x = Words(a), nearest = x + 0x7fff + (x >> 16 & 1);
  return (a == a ? nearest : x | 0x400000) >> 16;  // NaN stays NaN
}
template <class Half>
inline void store_bf16(Half* p, Floats a) { store_halves(p, bf16_bits(a)); }

template <class Vector>
inline Vector times_power_of_two(Vector a, Vector power) {  // in two halves, as 2^128 and 2^-150 are no floats
  const Ints n = rounded(power), half = n >> 1;
  return a * Floats((half + 127) << 23) * Floats((n - half + 127) << 23);
}

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

// f(place, count) for each vector of a row of `size` numbers; the last one may hold fewer than LANES.
template <class F>
inline void each_vector(int size, F&& f) {
  int i = 0;
  for (; i + LANES <= size; i += LANES) f(i, LANES);
  if (i < size) f(i, size - i);
}
inline Floats load_up_to(const float* p, int count) { return count == LANES ? load(p) : load_some(p, count); }
inline Floats load_padded(const float* p, int count) {  // with numbers that are nothing beside others, and less
  if (count == LANES) return load(p);
  Floats some = all(-1e30f);
  for (int i = 0; i < count; i++) some[i] = p[i];
  return some;
}
inline void store_up_to(float* p, Floats a, int count) { count == LANES ? store(p, a) : store_some(p, a, count); }

inline Floats dot_bf16(Floats sum, Pair x, Words w) {
  return fma(Floats(w & 0xffff0000), x.high, fma(Floats(w << 16), x.low, sum));
}

// The bf16 nearest to a number, and back.
inline uint16_t bf16_of(float number) {
  const uint32_t x = bits<uint32_t>(number);
  return uint16_t((number == number ? x + 0x7fff + (x >> 16 & 1) : x | 0x400000) >> 16);  // NaN stays NaN
}
inline float float_of(uint16_t bf16) { return bits<float>(uint32_t(bf16) << 16); }

}  // namespace tuili::TUILI_SET
