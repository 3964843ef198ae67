// Any processor: 4 lanes, which compilers turn into its own vectors or into single numbers.
#pragma once
#include <algorithm>

#include "lanes.h"

namespace tuili::portable {

inline Floats load_fp16(const uint16_t* p) {  // exact: the exponent's bias is changed by a multiplication
  const Words half = __builtin_convertvector(vector_at<Halves>(p), Words);
  const Floats size = Floats((half & 0x7fff) << 13) * 0x1p112f;
  return Floats(Words(size) | (half & 0x8000) << 16);
}
inline Floats fma(Floats a, Floats b, Floats c) { return a * b + c; }  // rounded twice: one rounding is slow without hardware
inline float sum(Floats a) { return (a[0] + a[2]) + (a[1] + a[3]); }
inline float largest(Floats a) { return std::max(std::max(a[0], a[1]), std::max(a[2], a[3])); }

constexpr int INPUT_OFFSET = 0;
inline Ints dot_int8(Ints sum, Words x, Words w) {
  for (int left = 24; left >= 0; left -= 8) sum += (Ints(x << left) >> 24) * (Ints(w << left) >> 24);
  return sum;
}
inline Ints dot_nibbles(Ints sum, Words x, Words w) { return dot_int8(sum, x, w); }

constexpr int ROWS_AT_ONCE = 2, VECTORS_AT_ONCE = 4;

}  // namespace tuili::portable
