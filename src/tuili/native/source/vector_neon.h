// NEON with dot products (Armv8.2: Cortex-A76, Graviton 2, Apple M1 and later): 4 lanes.
#pragma once
#include <arm_neon.h>

#include "lanes.h"

namespace tuili::neon {

inline Floats load_fp16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
inline Floats fma(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }
inline float sum(Floats a) { return vaddvq_f32(a); }
inline float largest(Floats a) { return vmaxvq_f32(a); }

constexpr int INPUT_OFFSET = 0;
inline Ints dot_int8(Ints sum, Words x, Words w) { return vdotq_s32(sum, vreinterpretq_s8_u32(w), vreinterpretq_s8_u32(x)); }
inline Ints dot_nibbles(Ints sum, Words x, Words w) { return dot_int8(sum, x, w); }

constexpr int ROWS_AT_ONCE = 4, VECTORS_AT_ONCE = 4;  // 16 sums, 4 vectors of weights and the inputs fit 32 registers

}  // namespace tuili::neon
