// Words of the reduction of a product: a float, or a pair of bf16 with the earlier one in the low half.
#pragma once
#include <algorithm>
#include <type_traits>

#include "../vector.h"

namespace tuili::TUILI_SET::training {

using Bf16 = uint16_t;

template <class Number>
constexpr int STEP = 4 / int(sizeof(Number));  // numbers of a word

// 2 * LANES numbers, rounded to bf16, one behind the other; and a square of words turned about its diagonal.
#if TUILI_LANES == 16
inline Words bf16_pairs(Floats first, Floats second) { return Words(_mm512_cvtne2ps_pbh(second, first)); }
template <int HALF>
inline void exchange(Words (&square)[LANES]) {  // the off-diagonal quarters of each square of 2 * HALF words
  const Ints lane{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const Ints upper = -((lane & HALF) != 0);
  const __m512i low = __m512i(lane + upper * (LANES - HALF)), high = __m512i(lane + HALF + upper * (LANES - HALF));
  for (int i = 0; i < LANES; i++)
    if (!(i & HALF)) {
      const __m512i a = __m512i(square[i]), b = __m512i(square[i + HALF]);
      square[i] = Words(_mm512_permutex2var_epi32(a, low, b));
      square[i + HALF] = Words(_mm512_permutex2var_epi32(a, high, b));
    }
}
inline void transpose(Words (&square)[LANES]) { exchange<1>(square), exchange<2>(square), exchange<4>(square), exchange<8>(square); }
#else
inline Words bf16_pairs(Floats first, Floats second) {
  Bf16 both[2 * LANES];
  store_bf16(both, first), store_bf16(both + LANES, second);
  return vector_at<Words>(both);
}
inline void transpose(Words (&square)[LANES]) {
  for (int i = 0; i < LANES; i++)
    for (int j = 0; j < i; j++) {
      const uint32_t word = square[i][j];
      square[i][j] = square[j][i], square[j][i] = word;
    }
}
#endif

// Some numbers of one kind as another, 0 behind `count`.
template <class Source>
inline Floats floats_at(const Source* x, int count) {
  if constexpr (std::is_same_v<Source, float>) return count >= LANES ? load(x) : count > 0 ? load_some(x, count) : zero();
  else if (count >= LANES) return load_bf16(x);
  Bf16 some[LANES] = {};
  std::memcpy(some, x, sizeof(Bf16) * size_t(std::max(count, 0)));
  return load_bf16(some);
}
template <class To>
inline void store_numbers(To* to, Floats a, int count) {
  if constexpr (std::is_same_v<To, float>) return count >= LANES ? store(to, a) : store_some(to, a, count);
  else if (count >= LANES) return store_bf16(to, a);
  Bf16 some[LANES];
  store_bf16(some, a);
  std::memcpy(to, some, sizeof(Bf16) * size_t(count));
}

inline float number_at(const float* x) { return *x; }
inline float number_at(const Bf16* x) { return float_of(*x); }
inline void store_number(float* to, float x) { *to = x; }
inline void store_number(Bf16* to, float x) { *to = bf16_of(x); }

// LANES words along a row, which holds `count` more numbers.
template <class Number, class Source>
inline Words words_along(const Source* x, int count) {
  if constexpr (std::is_same_v<Number, Source>) {
    if (count >= STEP<Number> * LANES) return vector_at<Words>(x);
    Words some{};
    std::memcpy(&some, x, sizeof(Number) * size_t(std::max(count, 0)));
    return some;
  } else {
    return bf16_pairs(floats_at(x, count), floats_at(x + LANES, count - LANES));
  }
}

// LANES words down the columns of the rows of one step, of which `count` columns are there; no second row: zeros.
template <class Source>
inline Words halves_at(const Source* x, int count) {
  if constexpr (std::is_same_v<Source, float>) return bf16_bits(floats_at(x, count));
  Halves halves{};
  if (count >= LANES) halves = vector_at<Halves>(x);
  else std::memcpy(&halves, x, sizeof(Bf16) * size_t(std::max(count, 0)));
  return __builtin_convertvector(halves, Words);
}
template <class Number, class Source>
inline Words words_down(const Source* first, const Source* second, int count) {
  if constexpr (STEP<Number> == 1) return Words(floats_at(first, count));
  else return halves_at(first, count) | (second ? halves_at(second, count) << 16 : Words{});
}

}  // namespace tuili::TUILI_SET::training
