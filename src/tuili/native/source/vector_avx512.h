// AVX-512 with VNNI and bf16 (Zen 4, Sapphire Rapids and later): 16 lanes.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace tuili::avx512 {

constexpr int LANES = 16;
struct Floats { __m512 v; };
struct Ints { __m512i v; };

inline __mmask16 first(int n) { return __mmask16((1u << n) - 1); }

inline Floats zero() { return {_mm512_setzero_ps()}; }
inline Floats all(float x) { return {_mm512_set1_ps(x)}; }
inline Floats load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline Floats load_some(const float* p, int n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
inline Floats load_bf16(const uint16_t* p) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
}
inline Floats load_fp16(const uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline Floats load_int8(const int8_t* p) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
}
inline void store(float* p, Floats a) { _mm512_storeu_ps(p, a.v); }
inline void store_some(float* p, Floats a, int n) { _mm512_mask_storeu_ps(p, first(n), a.v); }
inline void store_bf16(uint16_t* p, Floats a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), (__m256i)_mm512_cvtneps_pbh(a.v));
}

inline Floats operator+(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Floats operator-(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Floats operator*(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Floats operator/(Floats a, Floats b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Floats fma(Floats a, Floats b, Floats c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Floats max(Floats a, Floats b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Floats min(Floats a, Floats b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Floats absolute(Floats a) { return {_mm512_abs_ps(a.v)}; }
inline Floats nearest(Floats a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline Floats times_power_of_two(Floats a, Floats power) { return {_mm512_scalef_ps(a.v, power.v)}; }
inline float sum(Floats a) { return _mm512_reduce_add_ps(a.v); }
inline float largest(Floats a) { return _mm512_reduce_max_ps(a.v); }

inline Ints all_ints(int32_t x) { return {_mm512_set1_epi32(x)}; }
inline Ints load_ints(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
inline Ints operator+(Ints a, Ints b) { return {_mm512_add_epi32(a.v, b.v)}; }
inline Ints operator*(Ints a, Ints b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
inline int32_t sum(Ints a) { return _mm512_reduce_add_epi32(a.v); }
inline Floats floats(Ints a) { return {_mm512_cvtepi32_ps(a.v)}; }
inline Ints rounded(Floats a) { return {_mm512_cvtps_epi32(a.v)}; }
inline void store_int8(int8_t* p, Ints a) {  // the low byte of each lane
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}

// Words of 32 bits of a panel, and the products of a word with the same word of inputs in every lane.
struct Words { __m512i v; };
inline Words words(const void* p) { return {_mm512_loadu_si512(p)}; }
inline Floats as_floats(Words w) { return {_mm512_castsi512_ps(w.v)}; }

struct Pair { __m512i v; };  // two bf16
inline Pair pair(uint32_t word) { return {_mm512_set1_epi32(int32_t(word))}; }
inline Floats dot_bf16(Floats sum, Pair x, Words w) { return {_mm512_dpbf16_ps(sum.v, (__m512bh)x.v, (__m512bh)w.v)}; }

struct Quad { __m512i v; };  // four int8
inline Quad quad(uint32_t word) { return {_mm512_set1_epi32(int32_t(word))}; }
constexpr int INPUT_OFFSET = 128;  // VNNI multiplies unsigned by signed: inputs of int8 are kept with this offset
inline __m512i dot_unsigned_signed(__m512i sum, __m512i a, __m512i b) {
  // In place of _mm512_dpbusd_epi32, around which GCC 12 copies every sum to another register and back.
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}
inline Ints dot_int8(Ints sum, Quad x, Words w) { return {dot_unsigned_signed(sum.v, x.v, w.v)}; }

using NibbleSum = Ints;  // of unsigned weights of 4 bits times signed inputs, over one group; `offset` is of the group
inline Words low_nibbles(Words w) { return {_mm512_and_si512(w.v, _mm512_set1_epi8(15))}; }
inline Words high_nibbles(Words w) { return {_mm512_and_si512(_mm512_srli_epi16(w.v, 4), _mm512_set1_epi8(15))}; }
inline NibbleSum begin_nibbles(int32_t offset) { return all_ints(offset); }
inline NibbleSum dot_nibbles(NibbleSum sum, Quad x, Words w) { return {dot_unsigned_signed(sum.v, w.v, x.v)}; }
inline Ints end_nibbles(NibbleSum sum, int32_t) { return sum; }

constexpr int ROWS_AT_ONCE = 4, VECTORS_AT_ONCE = 4;  // 16 sums, 4 vectors of weights and the inputs fit 32 registers

}  // namespace tuili::avx512
