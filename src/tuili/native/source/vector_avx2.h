// AVX2 with FMA and F16C (Haswell, Zen and later): 8 lanes.
#pragma once
#include <immintrin.h>

#include "lanes.h"

namespace tuili::avx2 {

inline __m256i first(int n) { return (__m256i)(n > Ints{0, 1, 2, 3, 4, 5, 6, 7}); }  // the first n lanes
inline Floats load_some(const float* p, int n) { return _mm256_maskload_ps(p, first(n)); }
inline void store_some(float* p, Floats a, int n) { _mm256_maskstore_ps(p, first(n), a); }
inline Floats load_bf16(const uint16_t* p) { return Floats(Words(_mm256_cvtepu16_epi32(vector_at<__m128i>(p))) << 16); }
inline Floats load_fp16(const uint16_t* p) { return _mm256_cvtph_ps(vector_at<__m128i>(p)); }
inline Floats load_int8(const int8_t* p) { return floats(Ints(_mm256_cvtepi8_epi32(_mm_loadu_si64(p)))); }
inline void store_halves(uint16_t* p, Words a) {
  const __m128i halves = _mm_packus_epi32(_mm256_castsi256_si128(__m256i(a)), _mm256_extracti128_si256(__m256i(a), 1));
  std::memcpy(p, &halves, sizeof halves);
}
inline void store_int8(int8_t* p, Ints a) {
  const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(__m256i(a)), _mm256_extracti128_si256(__m256i(a), 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(halves, halves));
}

inline Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
inline Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
inline Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
inline Ints rounded(Floats a) { return Ints(_mm256_cvtps_epi32(a)); }
template <class F>
inline float joined(Floats a, F f) {
  __m128 half = f(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  half = f(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(f(half, _mm_movehdup_ps(half)));
}
inline float sum(Floats a) { return joined(a, [](__m128 b, __m128 c) { return b + c; }); }
inline float largest(Floats a) { return joined(a, [](__m128 b, __m128 c) { return _mm_max_ps(b, c); }); }

constexpr int INPUT_OFFSET = 0;
using Shorts = int16_t __attribute__((vector_size(2 * 2 * LANES)));
inline Shorts pairs_of_products(__m256i unsigned_bytes, __m256i signed_bytes) {
  return Shorts(_mm256_maddubs_epi16(unsigned_bytes, signed_bytes));
}
inline Ints sum_of_pairs(Shorts pairs) { return Ints(_mm256_madd_epi16(__m256i(pairs), _mm256_set1_epi16(1))); }
inline Ints dot_int8(Ints sum, Words x, Words w) {
  // |x| times w with the sign of x: two products are 2 * 127 * 127 at most, which 16 bits hold without saturation
  return sum + sum_of_pairs(pairs_of_products(_mm256_abs_epi8(__m256i(x)), _mm256_sign_epi8(__m256i(w), __m256i(x))));
}

inline Shorts begin_nibbles(int32_t) { return Shorts{}; }  // a group has 8 pairs, each 2 * 15 * 127 at most
inline Shorts dot_nibbles(Shorts sum, Words x, Words w) { return sum + pairs_of_products(__m256i(w), __m256i(x)); }
inline Ints end_nibbles(Shorts sum, int32_t offset) { return sum_of_pairs(sum) + offset; }

constexpr int ROWS_AT_ONCE = 4, VECTORS_AT_ONCE = 2;  // 8 sums, 2 vectors of weights and the inputs fit 16 registers

}  // namespace tuili::avx2
