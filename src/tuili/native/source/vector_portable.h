// Any processor: 4 lanes of plain C++, which compilers turn into its own vectors. It reads as the definition of vector.h.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

namespace tuili::portable {

constexpr int LANES = 4;
struct Floats { float v[LANES]; };
struct Ints { int32_t v[LANES]; };

template <class Result, class F>
inline Result each(F f) {
  Result result;
  for (int i = 0; i < LANES; i++) result.v[i] = f(i);
  return result;
}
template <class To, class From>
inline To bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

inline Floats zero() { return {}; }
inline Floats all(float x) { return each<Floats>([&](int) { return x; }); }
inline Floats load(const float* p) { return each<Floats>([&](int i) { return p[i]; }); }
inline Floats load_some(const float* p, int n) { return each<Floats>([&](int i) { return i < n ? p[i] : 0.f; }); }
inline Floats load_bf16(const uint16_t* p) { return each<Floats>([&](int i) { return bits<float>(uint32_t(p[i]) << 16); }); }
inline float of_fp16(uint16_t half) {  // exact: the exponent's bias is changed by a multiplication
  const float size = bits<float>(uint32_t(half & 0x7fff) << 13) * 0x1p112f;
  return half & 0x8000 ? -size : size;
}
inline Floats load_fp16(const uint16_t* p) { return each<Floats>([&](int i) { return of_fp16(p[i]); }); }
inline Floats load_int8(const int8_t* p) { return each<Floats>([&](int i) { return float(p[i]); }); }
inline void store(float* p, Floats a) { std::memcpy(p, a.v, sizeof a.v); }
inline void store_some(float* p, Floats a, int n) { std::memcpy(p, a.v, sizeof(float) * size_t(n)); }
inline void store_bf16(uint16_t* p, Floats a) {
  for (int i = 0; i < LANES; i++) {
    const uint32_t x = bits<uint32_t>(a.v[i]);
    const bool nan = (x & 0x7fffffff) > 0x7f800000;
    p[i] = uint16_t((nan ? x | 0x400000 : x + 0x7fff + (x >> 16 & 1)) >> 16);
  }
}

inline Floats operator+(Floats a, Floats b) { return each<Floats>([&](int i) { return a.v[i] + b.v[i]; }); }
inline Floats operator-(Floats a, Floats b) { return each<Floats>([&](int i) { return a.v[i] - b.v[i]; }); }
inline Floats operator*(Floats a, Floats b) { return each<Floats>([&](int i) { return a.v[i] * b.v[i]; }); }
inline Floats operator/(Floats a, Floats b) { return each<Floats>([&](int i) { return a.v[i] / b.v[i]; }); }
inline Floats fma(Floats a, Floats b, Floats c) { return a * b + c; }  // rounded twice: one rounding is slow without hardware
inline Floats max(Floats a, Floats b) { return each<Floats>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; }); }
inline Floats min(Floats a, Floats b) { return each<Floats>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; }); }
inline Floats absolute(Floats a) { return each<Floats>([&](int i) { return std::fabs(a.v[i]); }); }
inline Floats nearest(Floats a) {  // below 2^22, which is all that is asked
  const Floats big = all(0x1.8p23f);
  return (a + big) - big;
}
inline Floats times_power_of_two(Floats a, Floats power) {  // in two halves, as 2^128 and 2^-150 are no floats
  return each<Floats>([&](int i) {
    const int32_t n = std::fabs(power.v[i]) < 200.f ? int32_t(power.v[i]) : 0, half = n / 2;  // 0 beside a NaN
    return a.v[i] * bits<float>((half + 127) << 23) * bits<float>((n - half + 127) << 23);
  });
}
inline float sum(Floats a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
inline float largest(Floats a) {
  const float low = a.v[0] > a.v[1] ? a.v[0] : a.v[1], high = a.v[2] > a.v[3] ? a.v[2] : a.v[3];
  return low > high ? low : high;
}

inline Ints all_ints(int32_t x) { return each<Ints>([&](int) { return x; }); }
inline Ints load_ints(const int32_t* p) { return each<Ints>([&](int i) { return p[i]; }); }
inline Ints operator+(Ints a, Ints b) { return each<Ints>([&](int i) { return a.v[i] + b.v[i]; }); }
inline Ints operator*(Ints a, Ints b) { return each<Ints>([&](int i) { return a.v[i] * b.v[i]; }); }
inline int32_t sum(Ints a) { return a.v[0] + a.v[1] + a.v[2] + a.v[3]; }
inline Floats floats(Ints a) { return each<Floats>([&](int i) { return float(a.v[i]); }); }
inline Ints rounded(Floats a) {  // to the even one of two that are equally near
  const Floats whole = nearest(a);
  return each<Ints>([&](int i) { return std::fabs(whole.v[i]) < 0x1p31f ? int32_t(whole.v[i]) : INT32_MIN; });
}
inline void store_int8(int8_t* p, Ints a) {  // the low byte of each lane
  for (int i = 0; i < LANES; i++) p[i] = int8_t(uint8_t(a.v[i]));
}

// Words of 32 bits of a panel, and the products of a word with the same word of inputs in every lane.
struct Words { uint32_t v[LANES]; };
inline Words words(const void* p) {
  Words result;
  std::memcpy(&result, p, sizeof result);
  return result;
}
inline Floats as_floats(Words w) { return bits<Floats>(w); }

struct Pair { float low, high; };  // two bf16
inline Pair pair(uint32_t word) { return {bits<float>(word << 16), bits<float>(word & 0xffff0000)}; }
inline Floats dot_bf16(Floats sum, Pair x, Words w) {
  return each<Floats>([&](int i) {
    return sum.v[i] + bits<float>(w.v[i] << 16) * x.low + bits<float>(w.v[i] & 0xffff0000) * x.high;
  });
}

struct Quad { int8_t v[4]; };  // four int8
inline Quad quad(uint32_t word) { return bits<Quad>(word); }
constexpr int INPUT_OFFSET = 0;
inline Ints dot_int8(Ints sum, Quad x, Words w) {
  return each<Ints>([&](int i) {
    const Quad q = bits<Quad>(w.v[i]);
    return sum.v[i] + q.v[0] * x.v[0] + q.v[1] * x.v[1] + q.v[2] * x.v[2] + q.v[3] * x.v[3];
  });
}

using NibbleSum = Ints;  // of unsigned weights of 4 bits times signed inputs, over one group; `offset` is of the group
inline Words low_nibbles(Words w) { return each<Words>([&](int i) { return w.v[i] & 0x0f0f0f0f; }); }
inline Words high_nibbles(Words w) { return each<Words>([&](int i) { return w.v[i] >> 4 & 0x0f0f0f0f; }); }
inline NibbleSum begin_nibbles(int32_t offset) { return all_ints(offset); }
inline NibbleSum dot_nibbles(NibbleSum sum, Quad x, Words w) { return dot_int8(sum, x, w); }
inline Ints end_nibbles(NibbleSum sum, int32_t) { return sum; }

constexpr int ROWS_AT_ONCE = 2, VECTORS_AT_ONCE = 4;

}  // namespace tuili::portable
