// NEON with dot products (Armv8.2: Cortex-A76, Graviton 2, Apple M1 and later): 4 lanes.
#pragma once
#include <arm_neon.h>

#include <cstdint>
#include <cstring>

namespace tuili::neon {

constexpr int LANES = 4;
struct Floats { float32x4_t v; };
struct Ints { int32x4_t v; };

inline Floats zero() { return {vdupq_n_f32(0)}; }
inline Floats all(float x) { return {vdupq_n_f32(x)}; }
inline Floats load(const float* p) { return {vld1q_f32(p)}; }
inline Floats load_some(const float* p, int n) {
  float some[LANES] = {};
  std::memcpy(some, p, sizeof(float) * size_t(n));
  return load(some);
}
inline Floats load_bf16(const uint16_t* p) { return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))}; }
inline Floats load_fp16(const uint16_t* p) { return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))}; }
inline Floats load_int8(const int8_t* p) {
  int32_t four;
  std::memcpy(&four, p, 4);
  const int8x8_t bytes = vreinterpret_s8_s32(vdup_n_s32(four));
  return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))))};
}
inline void store(float* p, Floats a) { vst1q_f32(p, a.v); }
inline void store_some(float* p, Floats a, int n) {
  float some[LANES];
  store(some, a);
  std::memcpy(p, some, sizeof(float) * size_t(n));
}
inline void store_bf16(uint16_t* p, Floats a) {
  const uint32x4_t x = vreinterpretq_u32_f32(a.v);
  const uint32x4_t up = vaddq_u32(vaddq_u32(x, vdupq_n_u32(0x7fff)), vandq_u32(vshrq_n_u32(x, 16), vdupq_n_u32(1)));
  const uint32x4_t number = vceqq_f32(a.v, a.v), quiet = vorrq_u32(x, vdupq_n_u32(0x400000));
  vst1_u16(p, vshrn_n_u32(vbslq_u32(number, up, quiet), 16));
}

inline Floats operator+(Floats a, Floats b) { return {vaddq_f32(a.v, b.v)}; }
inline Floats operator-(Floats a, Floats b) { return {vsubq_f32(a.v, b.v)}; }
inline Floats operator*(Floats a, Floats b) { return {vmulq_f32(a.v, b.v)}; }
inline Floats operator/(Floats a, Floats b) { return {vdivq_f32(a.v, b.v)}; }
inline Floats fma(Floats a, Floats b, Floats c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
inline Floats max(Floats a, Floats b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }  // b beside a NaN, as on x86
inline Floats min(Floats a, Floats b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
inline Floats absolute(Floats a) { return {vabsq_f32(a.v)}; }
inline Floats nearest(Floats a) { return {vrndnq_f32(a.v)}; }
inline Floats times_power_of_two(Floats a, Floats power) {  // in two halves, as 2^128 and 2^-150 are no floats
  const int32x4_t n = vcvtnq_s32_f32(power.v), half = vshrq_n_s32(n, 1), bias = vdupq_n_s32(127);
  const float32x4_t low = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(half, bias), 23));
  const float32x4_t high = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vsubq_s32(n, half), bias), 23));
  return {vmulq_f32(vmulq_f32(a.v, low), high)};
}
inline float sum(Floats a) { return vaddvq_f32(a.v); }
inline float largest(Floats a) { return vmaxvq_f32(a.v); }

inline Ints all_ints(int32_t x) { return {vdupq_n_s32(x)}; }
inline Ints load_ints(const int32_t* p) { return {vld1q_s32(p)}; }
inline Ints operator+(Ints a, Ints b) { return {vaddq_s32(a.v, b.v)}; }
inline Ints operator*(Ints a, Ints b) { return {vmulq_s32(a.v, b.v)}; }
inline int32_t sum(Ints a) { return vaddvq_s32(a.v); }
inline Floats floats(Ints a) { return {vcvtq_f32_s32(a.v)}; }
inline Ints rounded(Floats a) { return {vcvtnq_s32_f32(a.v)}; }
inline void store_int8(int8_t* p, Ints a) {  // the low byte of each lane
  const int16x4_t half = vmovn_s32(a.v);
  const int8x8_t bytes = vmovn_s16(vcombine_s16(half, half));
  const int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
  std::memcpy(p, &four, 4);
}

// Words of 32 bits of a panel, and the products of a word with the same word of inputs in every lane.
struct Words { uint32x4_t v; };
inline Words words(const void* p) { return {vld1q_u32(static_cast<const uint32_t*>(p))}; }
inline Floats as_floats(Words w) { return {vreinterpretq_f32_u32(w.v)}; }

struct Pair { float32x4_t low, high; };  // two bf16
inline Pair pair(uint32_t word) {
  const uint32x4_t both = vdupq_n_u32(word);
  return {vreinterpretq_f32_u32(vshlq_n_u32(both, 16)), vreinterpretq_f32_u32(vandq_u32(both, vdupq_n_u32(0xffff0000)))};
}
inline Floats dot_bf16(Floats sum, Pair x, Words w) {
  const float32x4_t low = vreinterpretq_f32_u32(vshlq_n_u32(w.v, 16));
  const float32x4_t high = vreinterpretq_f32_u32(vandq_u32(w.v, vdupq_n_u32(0xffff0000)));
  return {vfmaq_f32(vfmaq_f32(sum.v, low, x.low), high, x.high)};
}

struct Quad { int8x16_t v; };  // four int8
inline Quad quad(uint32_t word) { return {vreinterpretq_s8_u32(vdupq_n_u32(word))}; }
constexpr int INPUT_OFFSET = 0;
inline Ints dot_int8(Ints sum, Quad x, Words w) { return {vdotq_s32(sum.v, vreinterpretq_s8_u32(w.v), x.v)}; }

using NibbleSum = Ints;  // of unsigned weights of 4 bits times signed inputs, over one group; `offset` is of the group
inline Words low_nibbles(Words w) { return {vandq_u32(w.v, vdupq_n_u32(0x0f0f0f0f))}; }
inline Words high_nibbles(Words w) { return {vandq_u32(vshrq_n_u32(w.v, 4), vdupq_n_u32(0x0f0f0f0f))}; }
inline NibbleSum begin_nibbles(int32_t offset) { return all_ints(offset); }
inline NibbleSum dot_nibbles(NibbleSum sum, Quad x, Words w) { return dot_int8(sum, x, w); }
inline Ints end_nibbles(NibbleSum sum, int32_t) { return sum; }

constexpr int ROWS_AT_ONCE = 4, VECTORS_AT_ONCE = 4;  // 16 sums, 4 vectors of weights and the inputs fit 32 registers

}  // namespace tuili::neon
