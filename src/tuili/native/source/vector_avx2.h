// AVX2 with FMA and F16C (Haswell, Zen and later): 8 lanes.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace tuili::avx2 {

constexpr int LANES = 8;
struct Floats { __m256 v; };
struct Ints { __m256i v; };

inline __m256i first(int n) {  // the first n lanes
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline __m128i load_half(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }

inline Floats zero() { return {_mm256_setzero_ps()}; }
inline Floats all(float x) { return {_mm256_set1_ps(x)}; }
inline Floats load(const float* p) { return {_mm256_loadu_ps(p)}; }
inline Floats load_some(const float* p, int n) { return {_mm256_maskload_ps(p, first(n))}; }
inline Floats load_bf16(const uint16_t* p) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_half(p)), 16))};
}
inline Floats load_fp16(const uint16_t* p) { return {_mm256_cvtph_ps(load_half(p))}; }
inline Floats load_int8(const int8_t* p) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))))};
}
inline void store(float* p, Floats a) { _mm256_storeu_ps(p, a.v); }
inline void store_some(float* p, Floats a, int n) { _mm256_maskstore_ps(p, first(n), a.v); }
inline void store_bf16(uint16_t* p, Floats a) {
  const __m256i x = _mm256_castps_si256(a.v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(x, 16), _mm256_set1_epi32(1));
  const __m256i up = _mm256_add_epi32(_mm256_add_epi32(x, _mm256_set1_epi32(0x7fff)), odd);
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q));
  const __m256i quiet = _mm256_or_si256(x, _mm256_set1_epi32(0x400000));
  const __m256i half = _mm256_srli_epi32(_mm256_blendv_epi8(up, quiet, nan), 16);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(half, half), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
}

inline Floats operator+(Floats a, Floats b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Floats operator-(Floats a, Floats b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Floats operator*(Floats a, Floats b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Floats operator/(Floats a, Floats b) { return {_mm256_div_ps(a.v, b.v)}; }
inline Floats fma(Floats a, Floats b, Floats c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline Floats max(Floats a, Floats b) { return {_mm256_max_ps(a.v, b.v)}; }
inline Floats min(Floats a, Floats b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Floats absolute(Floats a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.f), a.v)}; }
inline Floats nearest(Floats a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline Floats times_power_of_two(Floats a, Floats power) {  // in two halves, as 2^128 and 2^-150 are no floats
  const __m256i n = _mm256_cvtps_epi32(power.v), half = _mm256_srai_epi32(n, 1), bias = _mm256_set1_epi32(127);
  const __m256i low = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i high = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(n, half), bias), 23);
  return {_mm256_mul_ps(_mm256_mul_ps(a.v, _mm256_castsi256_ps(low)), _mm256_castsi256_ps(high))};
}
inline float sum(Floats a) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
inline float largest(Floats a) {
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

inline Ints all_ints(int32_t x) { return {_mm256_set1_epi32(x)}; }
inline Ints load_ints(const int32_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
inline Ints operator+(Ints a, Ints b) { return {_mm256_add_epi32(a.v, b.v)}; }
inline Ints operator*(Ints a, Ints b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
inline int32_t sum(Ints a) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}
inline Floats floats(Ints a) { return {_mm256_cvtepi32_ps(a.v)}; }
inline Ints rounded(Floats a) { return {_mm256_cvtps_epi32(a.v)}; }
inline void store_int8(int8_t* p, Ints a) {  // the low byte of each lane
  const __m256i low = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,  //
                                       -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i bytes = _mm256_shuffle_epi8(a.v, low);
  const __m128i both = _mm_or_si128(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), both);
}

// Words of 32 bits of a panel, and the products of a word with the same word of inputs in every lane.
struct Words { __m256i v; };
inline Words words(const void* p) { return {_mm256_loadu_si256(static_cast<const __m256i*>(p))}; }
inline Floats as_floats(Words w) { return {_mm256_castsi256_ps(w.v)}; }

struct Pair { __m256 low, high; };  // two bf16
inline Pair pair(uint32_t word) {
  const __m256i both = _mm256_set1_epi32(int32_t(word));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(both, 16)),
          _mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32(int32_t(0xffff0000))))};
}
inline Floats dot_bf16(Floats sum, Pair x, Words w) {
  const __m256 low = _mm256_castsi256_ps(_mm256_slli_epi32(w.v, 16));
  const __m256 high = _mm256_castsi256_ps(_mm256_and_si256(w.v, _mm256_set1_epi32(int32_t(0xffff0000))));
  return {_mm256_fmadd_ps(high, x.high, _mm256_fmadd_ps(low, x.low, sum.v))};
}

struct Quad { __m256i v; };  // four int8
inline Quad quad(uint32_t word) { return {_mm256_set1_epi32(int32_t(word))}; }
constexpr int INPUT_OFFSET = 0;
inline __m256i sum_of_pairs(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }
inline Ints dot_int8(Ints sum, Quad x, Words w) {
  // |x| times w with the sign of x: two products are 2 * 127 * 127 at most, which 16 bits hold without saturation
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(x.v), _mm256_sign_epi8(w.v, x.v));
  return {_mm256_add_epi32(sum.v, sum_of_pairs(pairs))};
}

struct NibbleSum { __m256i v; };  // in 16 bits: a group has 8 pairs, each 2 * 15 * 127 at most
inline Words low_nibbles(Words w) { return {_mm256_and_si256(w.v, _mm256_set1_epi8(15))}; }
inline Words high_nibbles(Words w) { return {_mm256_and_si256(_mm256_srli_epi16(w.v, 4), _mm256_set1_epi8(15))}; }
inline NibbleSum begin_nibbles(int32_t) { return {_mm256_setzero_si256()}; }
inline NibbleSum dot_nibbles(NibbleSum sum, Quad x, Words w) {
  return {_mm256_add_epi16(sum.v, _mm256_maddubs_epi16(w.v, x.v))};
}
inline Ints end_nibbles(NibbleSum sum, int32_t offset) {
  return {_mm256_add_epi32(sum_of_pairs(sum.v), _mm256_set1_epi32(offset))};
}

constexpr int ROWS_AT_ONCE = 4, VECTORS_AT_ONCE = 2;  // 8 sums, 2 vectors of weights and the inputs fit 16 registers

}  // namespace tuili::avx2
