// Vectors as compilers know them on every processor; an instruction set adds what it does better, and what differs.
// A template here gives way to the function of the same name that an instruction set defines.
#pragma once
#include <cstdint>
#include <cstring>

namespace tuili::TUILI_SET {

constexpr int LANES = TUILI_LANES;
using Floats = float __attribute__((vector_size(4 * LANES)));
using Ints = int32_t __attribute__((vector_size(4 * LANES)));
using Words = uint32_t __attribute__((vector_size(4 * LANES)));  // of a panel: a float, two bf16, four int8 or eight int4
using Halves = uint16_t __attribute__((vector_size(2 * LANES)));
using Bytes = int8_t __attribute__((vector_size(LANES)));

template <class To, class From>
inline To bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}
template <class Vector>
inline Vector vector_at(const void* p) {
  Vector vector;
  std::memcpy(&vector, p, sizeof vector);
  return vector;
}

inline Floats zero() { return Floats{}; }
inline Floats all(float x) { return x - Floats{}; }
inline Words all_words(uint32_t x) { return x - Words{}; }
inline Floats floats(Ints a) { return __builtin_convertvector(a, Floats); }

inline Floats load(const float* p) { return vector_at<Floats>(p); }
template <class Half>
inline Floats load_bf16(const Half* p) { return Floats(__builtin_convertvector(vector_at<Halves>(p), Words) << 16); }
template <class Byte>
inline Floats load_int8(const Byte* p) { return floats(__builtin_convertvector(vector_at<Bytes>(p), Ints)); }
template <class Float>
inline Floats load_some(const Float* p, int n) {
  Floats some{};
  std::memcpy(&some, p, sizeof(Float) * size_t(n));
  return some;
}
inline void store(float* p, Floats a) { std::memcpy(p, &a, sizeof a); }
template <class Float>
inline void store_some(Float* p, Floats a, int n) { std::memcpy(p, &a, sizeof(Float) * size_t(n)); }
template <class Half>
inline void store_halves(Half* p, Words a) {  // the low half of each lane
  const Halves halves = __builtin_convertvector(a, Halves);
  std::memcpy(p, &halves, sizeof halves);
}
template <class Byte>
inline void store_int8(Byte* p, Ints a) {  // the low byte of each lane
  const Bytes bytes = __builtin_convertvector(a, Bytes);
  std::memcpy(p, &bytes, sizeof bytes);
}

template <class Vector>
inline Vector max(Vector a, Vector b) { return a > b ? a : b; }  // b beside a NaN
template <class Vector>
inline Vector min(Vector a, Vector b) { return a < b ? a : b; }
inline Floats absolute(Floats a) { return Floats(Words(a) & 0x7fffffff); }

// The nearest whole number, the even one of two; below 2^22, which is all that is asked.
constexpr float WHOLE = 0x1.8p23f;  // floats around it are whole numbers, so that adding it rounds
inline Floats nearest(Floats a) { return (a + WHOLE) - WHOLE; }
template <class Vector>
inline Ints rounded(Vector a) { return Ints(a + WHOLE) - bits<int32_t>(WHOLE); }

// The products of a word of a panel with the same word of inputs in every lane. Four bits of weights are unsigned; their
// products with signed inputs are summed over one group, on top of its `offset`.
struct Pair { Floats low, high; };  // two bf16
template <class Word>
inline Pair pair(Word word) { return {Floats(all_words(word) << 16), Floats(all_words(word) & 0xffff0000)}; }
template <class Int>
inline Ints begin_nibbles(Int offset) { return offset - Ints{}; }
template <class Sum>
inline Ints end_nibbles(Sum sum, int32_t) { return sum; }
inline Words low_nibbles(Words w) { return w & 0x0f0f0f0f; }
inline Words high_nibbles(Words w) { return w >> 4 & 0x0f0f0f0f; }

}  // namespace tuili::TUILI_SET
