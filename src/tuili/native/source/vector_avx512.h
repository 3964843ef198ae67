// AVX-512 with VNNI and bf16 (Zen 4, Sapphire Rapids and later): 16 lanes.
#pragma once
#include <immintrin.h>

#include "lanes.h"

namespace tuili::avx512 {

inline __mmask16 first(int n) { return __mmask16((1u << n) - 1); }
inline Floats load_some(const float* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }
inline void store_some(float* p, Floats a, int n) { _mm512_mask_storeu_ps(p, first(n), a); }
inline Floats load_bf16(const uint16_t* p) { return Floats(Words(_mm512_cvtepu16_epi32(vector_at<__m256i>(p))) << 16); }
inline Floats load_fp16(const uint16_t* p) { return _mm512_cvtph_ps(vector_at<__m256i>(p)); }
inline Floats load_int8(const int8_t* p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(vector_at<__m128i>(p))); }
inline Words bf16_bits(Floats a) { return Words(_mm512_cvtepu16_epi32(__m256i(_mm512_cvtneps_pbh(a)))); }
inline void store_bf16(uint16_t* p, Floats a) {
  const __m256bh half = _mm512_cvtneps_pbh(a);
  std::memcpy(p, &half, sizeof half);
}
inline void store_int8(int8_t* p, Ints a) { _mm512_mask_cvtepi32_storeu_epi8(p, first(LANES), __m512i(a)); }

inline Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
inline Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
inline Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
inline Ints rounded(Floats a) { return Ints(_mm512_cvtps_epi32(a)); }
inline Floats times_power_of_two(Floats a, Floats power) { return _mm512_scalef_ps(a, power); }
inline float sum(Floats a) { return _mm512_reduce_add_ps(a); }
inline float largest(Floats a) { return _mm512_reduce_max_ps(a); }

inline Words pair(uint32_t word) { return all_words(word); }
inline Floats dot_bf16(Floats sum, Words x, Words w) { return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)w); }

constexpr int INPUT_OFFSET = 128;  // VNNI multiplies unsigned by signed: inputs of int8 are kept with this offset
inline Ints dot_unsigned_signed(Ints sum, Words a, Words b) {
  // In place of _mm512_dpbusd_epi32, around which GCC 12 copies every sum to another register and back.
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}
inline Ints dot_int8(Ints sum, Words x, Words w) { return dot_unsigned_signed(sum, x, w); }
inline Ints dot_nibbles(Ints sum, Words x, Words w) { return dot_unsigned_signed(sum, w, x); }

constexpr int ROWS_AT_ONCE = 4, VECTORS_AT_ONCE = 4;  // 16 sums, 4 vectors of weights and the inputs fit 32 registers

}  // namespace tuili::avx512
